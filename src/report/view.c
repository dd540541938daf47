#include "src/report/view.h"

#include <stdlib.h>
#include <string.h>

#include "src/report/text.h"

void view_release(struct view *v)
{
	facts_release(&v->f);
	free(v->failures);
	free(v->graph);
}

static enum err view_fill(struct store *s, const struct hash *candidate, struct view *v,
	struct err_ctx *ctx)
{
	char hex[HASH_HEX + 1];
	enum err e;

	v->c = facts_find(&v->f, candidate);
	if (v->c == NO_FACT)
		return err_set(ctx, ERR_NOTFOUND, "job '%s' has no candidate '%s'",
			v->f.job.name, hash_short(candidate, HASH_SHORT, hex));
	v->candidate = &v->f.candidates[v->c];
	e = genome_parse(&v->g, v->candidate->text, ctx);
	if (e)
		return err_prefix(
			ctx, ERR_CORRUPT, "database '%s' is damaged", store_path(s));
	e = store_list_failures(s, v->f.job.id, &v->failures, &v->n_failures, ctx);
	if (e || !facts_cost(&v->f, v->c, &v->cost))
		return e;
	v->n_tokens = v->f.timed_tokens > v->g.seq_len ? v->g.seq_len : v->f.timed_tokens;
	v->graph = malloc(sizeof(*v->graph));
	if (!v->graph)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	graph_init(v->graph, &v->g, &v->f.task);
	return ERR_OK;
}

enum err view_load(struct store *s, const char *job, const struct hash *candidate,
	struct view *v, struct err_ctx *ctx)
{
	enum err e;

	memset(v, 0, sizeof(*v));
	e = facts_load(s, job, &v->f, ctx);
	if (e)
		return e;
	e = view_fill(s, candidate, v, ctx);
	if (e)
		view_release(v);
	return e;
}

double view_op_macs(const struct view *v, const struct op *op)
{
	double n = op->once ? 1 : v->n_tokens;
	double pairs = (double)v->n_tokens * v->n_tokens;

	switch (op->kind) {
	case OP_LINEAR:
		return n * op->in * op->out;
	case OP_CONV:
		return n * op->in * v->g.conv;
	case OP_ATTENTION:
		if (v->g.arch == ARCH_DECODER)
			pairs = v->n_tokens * (v->n_tokens + 1.0) / 2;
		return 2 * pairs * op->out;
	default:
		return 0;
	}
}

int view_is_mine(const struct view *v, const struct store_failure *x)
{
	return hash_equal(&x->candidate, &v->candidate->hash);
}
