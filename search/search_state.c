#include "search/search_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/pareto.h"

/* ---- genome set */

static void key_mix(struct genome_key *k, uint64_t w)
{
	k->a = (k->a ^ w) * 0xff51afd7ed558ccdu;
	k->a ^= k->a >> 32;
	k->b = (k->b + w) * 0xc4ceb9fe1a85ec53u;
	k->b ^= k->b >> 29;
}

static struct genome_key key_of(const struct genome *g)
{
	struct genome_key k = {0x9e3779b97f4a7c15u, 0xc2b2ae3d27d4eb4fu};

	key_mix(&k, ((uint64_t)(g->kv ^ 32) << 57) | ((uint64_t)g->arch << 56) |
			    ((uint64_t)g->act << 48) | ((uint64_t)g->norm << 40) |
			    ((uint64_t)g->norm_place << 32) | ((uint64_t)g->pool << 24) |
			    ((uint64_t)g->abs_pos << 16) |
			    ((uint64_t)g->rel_radius << 8) | g->conv);
	key_mix(&k, ((uint64_t)g->attn_int8 << 63) | ((uint64_t)g->embed_bits << 56) |
			    ((uint64_t)g->act_scales << 55) | ((uint64_t)g->opt << 48) |
			    ((uint64_t)g->kernels << 40) | ((uint64_t)g->n_layers << 32) |
			    g->vocab_size);
	key_mix(&k,
		((uint64_t)g->seq_len << 32) | ((uint64_t)g->d_model << 16) | g->d_embed);
	for (int i = 0; i < g->n_layers; i++) {
		const struct layer_genes *l = &g->layer[i];

		key_mix(&k, ((uint64_t)l->n_heads << 48) |
				    ((uint64_t)l->n_kv_heads << 32) |
				    ((uint64_t)l->d_head << 16) | l->d_ff);
		key_mix(&k, ((uint64_t)l->ffn_rank << 16) | ((uint64_t)l->bits << 8) |
				    l->shared);
	}
	return k;
}

static int is_free(const struct genome_key *k)
{
	return (k->a | k->b) == 0;
}

static size_t probe(const struct genome_set *s, const struct genome_key *k)
{
	size_t at = (size_t)k->a & (s->cap - 1);

	while (!is_free(&s->slot[at]) && (s->slot[at].a != k->a || s->slot[at].b != k->b))
		at = (at + 1) & (s->cap - 1);
	return at;
}

void genome_set_release(struct genome_set *s)
{
	free(s->slot);
	memset(s, 0, sizeof(*s));
}

int genome_set_has(const struct genome_set *s, const struct genome *g)
{
	struct genome_key k;

	if (s->n == 0)
		return 0;
	k = key_of(g);
	return !is_free(&s->slot[probe(s, &k)]);
}

static enum err set_grow(struct genome_set *s, struct err_ctx *ctx)
{
	struct genome_set larger = {NULL, s->n, s->cap ? s->cap * 2 : 64};

	larger.slot = calloc(larger.cap, sizeof(*larger.slot));
	if (!larger.slot)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < s->cap; i++)
		if (!is_free(&s->slot[i]))
			larger.slot[probe(&larger, &s->slot[i])] = s->slot[i];
	free(s->slot);
	*s = larger;
	return ERR_OK;
}

enum err genome_set_add(
	struct genome_set *s, const struct genome *g, int *added, struct err_ctx *ctx)
{
	struct genome_key k = key_of(g);
	size_t at;
	enum err e;

	if (2 * (s->n + 1) > s->cap && (e = set_grow(s, ctx)))
		return e;
	at = probe(s, &k);
	*added = is_free(&s->slot[at]);
	s->slot[at] = k;
	s->n += (size_t)*added;
	return ERR_OK;
}

/* ---- scale */

double scale_value(const struct search_state *st, size_t k, double value)
{
	const struct metric *metric = st->ev->objectives[k].metric;

	if (!isfinite(value))
		return NAN;
	if (metric->quality)
		return metric->maximise ? -value : value;
	/* A cost of 0 (or a prediction below) is better than any other, but comparable.
	 */
	value = log(value > 1e-9 ? value : 1e-9);
	return metric->maximise ? -value : value;
}

void scale_evaluation(
	const struct search_state *st, const struct evaluation *e, double *x)
{
	for (size_t k = 0; k < st->m; k++)
		x[k] = e->failed ? NAN : scale_value(st, k, e->v[k].value);
}

double evaluation_violation(const struct evaluation *e)
{
	if (e->failed)
		return INFINITY;
	return e->feasible ? 0 : 1;
}

void scale_box_observe(
	const struct search_state *st, int feasible_only, struct scale_box *box)
{
	double x[OBJECTIVES_MAX];
	size_t seen = 0;

	memset(box, 0, sizeof(*box));
	for (size_t i = 0; i < st->n; i++) {
		int whole = st->members[i].last.feasible || !feasible_only;

		scale_evaluation(st, &st->members[i].last, x);
		for (size_t k = 0; k < st->m; k++)
			whole = whole && !isnan(x[k]);
		if (!whole)
			continue;
		for (size_t k = 0; k < st->m; k++) {
			box->lo[k] = seen ? fmin(box->lo[k], x[k]) : x[k];
			box->hi[k] = seen ? fmax(box->hi[k], x[k]) : x[k];
		}
		seen++;
	}
	for (size_t k = 0; k < st->m; k++) {
		box->valid |= box->hi[k] > box->lo[k];
		if (!(box->hi[k] > box->lo[k]))
			box->hi[k] = box->lo[k] + 1;
	}
}

void scale_to_box(const struct search_state *st, const struct scale_box *box, double *x)
{
	for (size_t k = 0; k < st->m; k++)
		x[k] = (x[k] - box->lo[k]) / (box->hi[k] - box->lo[k]);
}

/* ---- members */

enum err search_state_add(struct search_state *st, const struct genome *g,
	const struct evaluation *first, struct err_ctx *ctx)
{
	struct search_member *m;
	int added;
	enum err e;

	if (st->n == st->cap) {
		size_t cap = st->cap ? st->cap * 2 : 64;
		int *looks = realloc(st->looks, cap * sizeof(*looks));

		if (looks)
			st->looks = looks;
		m = looks ? realloc(st->members, cap * sizeof(*m)) : NULL;
		if (!m)
			return err_set(ctx, ERR_NOMEM, "out of memory");
		st->members = m;
		st->cap = cap;
	}
	if ((e = genome_set_add(&st->known, g, &added, ctx)))
		return e;
	m = &st->members[st->n];
	memset(m, 0, sizeof(*m));
	m->g = *g;
	m->first = m->last = *first;
	st->looks[st->n++] = 1;
	st->n_looks++;
	return ERR_OK;
}

enum err search_state_update(struct search_state *st, struct err_ctx *ctx)
{
	double *x = malloc((st->n + 1) * st->m * sizeof(*x));
	unsigned char *keep = malloc(st->n + 1);

	if (!x || !keep) {
		free(x);
		free(keep);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < st->n; i++) {
		const struct evaluation *e = &st->members[i].last;

		scale_evaluation(st, e, &x[i * st->m]);
		if (evaluation_violation(e) > 0)
			x[i * st->m] = NAN;
	}
	pareto_filter(x, st->n, st->m, keep);
	for (size_t i = 0; i < st->n; i++)
		st->members[i].on_front = keep[i];
	if (!st->box.valid)
		scale_box_observe(st, 1, &st->box);
	free(x);
	free(keep);
	return ERR_OK;
}

double search_state_hypervolume(const struct search_state *st, int remeasured)
{
	double ref[OBJECTIVES_MAX], hv = NAN, whole = 1, *x;
	size_t n = 0;

	x = st->box.valid ? malloc((st->n + 1) * st->m * sizeof(*x)) : NULL;
	for (size_t k = 0; k < st->m; k++) {
		ref[k] = SCALE_REFERENCE;
		whole *= SCALE_REFERENCE;
	}
	for (size_t i = 0; x && i < st->n; i++) {
		const struct search_member *m = &st->members[i];
		const struct evaluation *e = remeasured ? &m->last : &m->first;

		if ((remeasured && st->looks[i] < 2) || evaluation_violation(e) > 0)
			continue;
		scale_evaluation(st, e, &x[n * st->m]);
		scale_to_box(st, &st->box, &x[n * st->m]);
		n++;
	}
	if (x && (n || !remeasured))
		hv = pareto_hypervolume(x, n, st->m, ref) / whole;
	free(x);
	return hv;
}

void search_state_release(struct search_state *st)
{
	free(st->members);
	free(st->looks);
	genome_set_release(&st->known);
}
