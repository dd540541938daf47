#include "src/eval/session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/eval/parallel.h"

struct inherited {
	uint64_t key;
	struct hash hash;
	struct quality q;
};

static const struct inherited *find(const struct session *s, const struct hash *h)
{
	uint64_t key = hash_u64(h);

	for (size_t i = 0; i < s->n_inherited; i++)
		if (s->inherited[i].key == key && hash_equal(&s->inherited[i].hash, h))
			return &s->inherited[i];
	return NULL;
}

static enum err remember(struct session *s, const struct hash *h, const struct quality *q,
	struct err_ctx *ctx)
{
	struct inherited *at;

	if (s->n_inherited == s->cap_inherited) {
		size_t cap = s->cap_inherited ? 2 * s->cap_inherited : 256;

		at = realloc(s->inherited, cap * sizeof(*at));
		if (!at)
			return err_set(ctx, ERR_NOMEM, "out of memory");
		s->inherited = at;
		s->cap_inherited = cap;
	}
	at = &s->inherited[s->n_inherited++];
	at->key = hash_u64(h);
	at->hash = *h;
	at->q = *q;
	return ERR_OK;
}

enum err session_inherit(struct session *s, const struct genome *g, float **flat,
	size_t *n_floats, struct err_ctx *ctx)
{
	struct layout *l = malloc(sizeof(*l));
	float *w;
	enum err e;

	if (!l)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	layout_init(l, g, &s->task);
	*n_floats = l->n_floats;
	free(l);
	w = malloc(*n_floats * sizeof(*w));
	e = w ? supernet_extract(s->supernet, g, w, ctx)
	      : err_set(ctx, ERR_NOMEM, "out of memory");
	if (e)
		free(w);
	else
		*flat = w;
	return e;
}

struct batch {
	struct session *s;
	const struct genome *g;
	struct quality *out;
	const struct hash *hash;
};

static enum err evaluate_one(void *self, size_t i, struct err_ctx *ctx)
{
	struct batch *b = self;
	const struct inherited *old = find(b->s, &b->hash[i]);
	size_t n_floats;
	float *w;
	enum err e;

	if (old) {
		b->out[i] = old->q;
		return ERR_OK;
	}
	if ((e = session_inherit(b->s, &b->g[i], &w, &n_floats, ctx)))
		return e;
	e = quality_evaluate(&b->s->corpus, &b->g[i], w, SPLIT_VALID, 0, &b->out[i], ctx);
	free(w);
	return e;
}

enum err session_quality(struct session *s, const struct genome *g, size_t n,
	struct quality *out, struct err_ctx *ctx)
{
	struct hash *hash = malloc((n ? n : 1) * sizeof(*hash));
	struct batch b = {s, g, out, hash};
	enum err e;

	if (!hash)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		genome_hash(&g[i], &hash[i]);
	e = parallel_for(n, parallel_processors(), evaluate_one, &b, ctx);
	for (size_t i = 0; i < n && !e; i++)
		if (!find(s, &hash[i]))
			e = remember(s, &hash[i], &out[i], ctx);
	free(hash);
	return e;
}

struct value quality_value(
	const struct quality *q, const struct metric *m, enum provenance prov)
{
	struct value v = {NAN, {NAN, NAN}, prov, 0};

	if (!strcmp(m->name, "slot_f1")) {
		v.value = q->slot_f1;
		v.ci = q->f1_ci;
	} else if (!strcmp(m->name, "intent_acc")) {
		v.value = q->intent_acc;
		v.ci = q->intent_ci;
	} else if (!strcmp(m->name, "sentence_acc")) {
		double n = (double)q->n;

		v.value = q->sentence_acc;
		v.ci = stats_binomial_interval(q->sentence_acc / 100 * n, n);
		v.ci.lo *= 100;
		v.ci.hi *= 100;
	} else if (!strcmp(m->name, "cross_entropy")) {
		v.value = q->cross_entropy;
	} else if (!strcmp(m->name, "perplexity")) {
		v.value = q->perplexity;
	}
	return v;
}

int quality_has(enum task_kind kind, const struct metric *m)
{
	if (!m->quality)
		return 0;
	switch (kind) {
	case TASK_LM:
		return !strcmp(m->name, "cross_entropy") || !strcmp(m->name, "perplexity");
	case TASK_CLASSIFY:
		return !strcmp(m->name, "intent_acc") || !strcmp(m->name, "cross_entropy");
	default:
		return strcmp(m->name, "perplexity") != 0;
	}
}

enum err session_put_quality(struct session *s, const struct hash *candidate,
	const struct quality *q, const struct quality_origin *from, struct err_ctx *ctx)
{
	struct store_accuracy rows[8];
	const struct metric *m;
	size_t n = 0;
	enum err e;

	for (size_t i = 0; (m = metric_at(i)); i++) {
		struct store_accuracy *r = &rows[n];
		struct value v = quality_value(q, m, PROV_NONE);

		if (!quality_has(s->task.kind, m) || isnan(v.value))
			continue;
		memset(r, 0, sizeof(*r));
		r->candidate = *candidate;
		r->data = s->corpus.hash;
		strcpy(r->split, split_names[from->split]);
		strcpy(r->method, from->method);
		r->seed = from->seed;
		strcpy(r->metric, m->name);
		r->value = v.value;
		r->ci = v.ci;
		r->n = (int64_t)(!strcmp(m->name, "slot_f1") ? q->n_spans
				 : s->task.kind == TASK_LM   ? q->n_tokens
							     : q->n);
		r->source = *from->source;
		if (from->device) {
			r->device = device_info(from->device->dev)->fingerprint;
			strcpy(r->device_name, from->device->name);
		}
		n++;
	}
	e = store_put_accuracy(s->store, rows, n, ctx);
	return e == ERR_EXISTS ? ERR_OK : e;
}
