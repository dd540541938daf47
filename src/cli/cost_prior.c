#include "src/cli/cost_prior.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/features.h"
#include "cost_models/transfer_curve.h"
#include "src/eval/cost_priors.h"

#define SEED 1
#define MIN_SCORED 4 /* of a device, as transfer_curve wants */

/* One table. */
struct curve {
	const struct cost_set *from, *to;
	const char *job; /* of from */
	const char *kind;
	struct transfer_point at[TRANSFER_CURVE_MAX];
	size_t n;
};

/* Rows of the scored device that the prior was fitted on as well, measured elsewhere. */
static size_t n_shared(const struct curve *c)
{
	size_t p = cost_features_count(), n = 0;

	for (size_t i = 0; i < c->to->n; i++) {
		size_t k = 0;

		while (k < c->from->n && memcmp(c->to->x + i * p, c->from->x + k * p,
						 p * sizeof(double)) != 0)
			k++;
		n += k < c->from->n;
	}
	return n;
}

static void put_percent(struct buf *out, double share)
{
	if (isfinite(share))
		buf_printf(out, " %8.1f", 100 * share);
	else
		buf_printf(out, " %8s", "-");
}

static void print_text(struct buf *out, const struct curve *c)
{
	if (out->len)
		buf_putc(out, '\n');
	buf_printf(out,
		"%s (%s, n = %zu), prior %s -> %s (%s, %s, %zu rows of job '%s')\n",
		c->to->target, c->to->provenance, c->to->n,
		cost_target_device(c->from->target), cost_target_device(c->to->target),
		c->kind, c->from->provenance, c->from->n, c->job);
	buf_puts(out, "own rows     mean     macs      own    prior   chosen    +-sd  "
		      "weight of the prior, %\n");
	for (size_t i = 0; i < c->n; i++) {
		const struct transfer_point *p = &c->at[i];

		buf_printf(out, "%8zu", p->n);
		put_percent(out, p->mean);
		put_percent(out, p->macs);
		put_percent(out, p->own);
		put_percent(out, p->line);
		put_percent(out, p->chosen);
		put_percent(out, p->sd);
		buf_printf(out, " %6.0f\n", 100 * p->prior_used);
	}
	buf_printf(out,
		"MAPE in %% on held-out rows; %zu of the rows are of networks that the "
		"prior has seen\n",
		n_shared(c));
}

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static enum err print_json(json_t *out, const struct curve *c, struct err_ctx *ctx)
{
	json_t *points = json_array();
	int bad = !points;

	for (size_t i = 0; i < c->n && !bad; i++) {
		const struct transfer_point *p = &c->at[i];

		bad = json_array_append_new(points,
			json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "own_rows",
				(json_int_t)p->n, "mean", number(p->mean), "macs",
				number(p->macs), "own", number(p->own), "prior",
				number(p->line), "chosen", number(p->chosen), "sd",
				number(p->sd), "prior_chosen", number(p->prior_used)));
	}
	if (bad) {
		json_decref(points);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	if (json_array_append_new(
		    out, json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:o}",
				 "target", c->to->target, "provenance", c->to->provenance,
				 "n", (json_int_t)c->to->n, "prior", c->from->target,
				 "prior_provenance", c->from->provenance, "prior_job",
				 c->job, "prior_model", c->kind, "prior_n",
				 (json_int_t)c->from->n, "curve", points)))
		return err_set(ctx, ERR_NOMEM, "out of memory");
	return ERR_OK;
}

static enum err score_one(
	struct curve *c, json_t *json, struct buf *text, struct err_ctx *ctx)
{
	size_t p = cost_features_count();
	struct fitted prior = {NULL, NULL};
	enum err e = cost_model_choose(
		c->from->x, c->from->y, c->from->n, p, SEED, &prior, NULL, ctx);

	if (!e)
		e = transfer_curve(
			&prior, c->to->x, c->to->y, c->to->n, p, SEED, c->at, &c->n, ctx);
	if (!e) {
		c->kind = prior.kind->name;
		if (json)
			e = print_json(json, c, ctx);
		else
			print_text(text, c);
	}
	fitted_release(&prior);
	return e ? e : buf_err(text, ctx);
}

static enum err score_all(const struct cost_priors *all, const struct cost_prior_job *own,
	const char *device, json_t *json, struct buf *text, struct err_ctx *ctx)
{
	size_t n = 0;

	for (size_t i = 0; i < own->n; i++) {
		struct curve c = {.to = &own->sets[i]};
		const struct cost_prior_query q = {
			.target = c.to->target,
			.device = &c.to->device,
			.simulated = !strcmp(c.to->provenance, "simulated"),
			.others_only = 1,
			.from = strcmp(device, "auto") ? device : NULL,
		};
		const struct cost_prior_job *from = NULL;
		enum err e;

		if (c.to->n < MIN_SCORED)
			continue;
		c.from = cost_priors_find(all, &q, &from);
		if (!c.from)
			continue;
		c.job = from->name;
		if ((e = score_one(&c, json, text, ctx)))
			return e;
		n++;
	}
	if (n)
		return ERR_OK;
	return err_set(ctx, ERR_NOTFOUND,
		"cost score: no prior '%s' for job '%s': it takes %d measurements of one "
		"device and %d of another, of the same quantity and kind of task",
		device, own->name, COST_PRIOR_MIN_ROWS, MIN_SCORED);
}

enum err cost_prior_score(struct store *s, const char *job, const char *device,
	json_t *json, struct buf *text, struct err_ctx *ctx)
{
	struct cost_priors all = {NULL, 0};
	const struct cost_prior_job *own = NULL;
	struct store_job found;
	char kind[32];
	enum err e = store_job_find(s, job, &found, ctx);

	if (e)
		return e;
	e = cost_job_task(s, found.id, kind, sizeof(kind), ctx);
	if (!e)
		e = cost_priors_open(&all, s, kind, INT64_MAX, ctx);
	for (size_t i = 0; i < all.n; i++)
		if (all.job[i].id == found.id)
			own = &all.job[i];
	if (!e && !own)
		e = err_set(ctx, ERR_NOTFOUND, "job '%s' has no measurements yet",
			found.name);
	if (!e)
		e = score_all(&all, own, device, json, text, ctx);
	cost_priors_release(&all);
	store_job_release(&found);
	return e;
}
