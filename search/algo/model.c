/* Measure, refit, evolve: the next batch is what the models expect to add most
 * hypervolume.
 *
 * Source: the loop of DyNAS-T (Cummings et al. 2022) and NSGANetV2 (Lu et al. 2020), with
 * a greedy batch by hypervolume gain of the predicted mean; where the mean promises
 * nothing, of one standard deviation better; and a share by uncertainty alone.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/algo/algorithm.h"
#include "search/algo/initial.h"
#include "search/algo/prospects.h"
#include "search/algo/select.h"

/* Gains below this share of the box are not worth a measurement. */
#define LEAST_GAIN 1e-4

/* Marks in `taken`; BROKEN: predicted to break a limit, a last resort (or known). */
enum { PICKED = 1, BROKEN = 2 };

enum err model_tell(struct search_state *st, struct err_ctx *ctx)
{
	enum err e = st->ev->refit ? st->ev->refit(st->ev->self, ctx) : ERR_OK;

	/* Too few points for a fit: the next batch goes without one. */
	if (e == ERR_NOTFOUND || e == ERR_UNSUPPORTED || e == ERR_INVALID)
		return ERR_OK;
	return e;
}

/* The candidates that are looked at closely: pool entries and their points. */
struct shortlist {
	uint32_t *index; /* into the pool, most promising first */
	size_t n, cap;
	double *x, *sd; /* [n, m] */
	double *front;	/* [n_front, m] believed values of the front */
	size_t n_front;
	unsigned char *taken;
	uint32_t *picked;
};

static void shortlist_release(struct shortlist *s)
{
	free(s->index);
	free(s->x);
	free(s->sd);
	free(s->front);
	free(s->taken);
	free(s->picked);
}

static enum err shortlist_init(struct shortlist *s, const struct prospects *pool,
	size_t cap, struct err_ctx *ctx)
{
	const struct search_state *st = pool->st;
	size_t m = st->m;

	s->cap = cap;
	s->index = calloc(cap + 1, sizeof(*s->index));
	s->x = calloc((cap + 1) * m, sizeof(*s->x));
	s->sd = calloc((cap + 1) * m, sizeof(*s->sd));
	s->front = calloc((st->n + 1) * m, sizeof(*s->front));
	s->taken = calloc(pool->n + cap + 1, 1);
	s->picked = calloc(cap + 1, sizeof(*s->picked));
	if (!s->index || !s->x || !s->sd || !s->front || !s->taken || !s->picked) {
		shortlist_release(s);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < st->n; i++) {
		if (!st->members[i].on_front)
			continue;
		scale_evaluation(st, &st->members[i].last, &s->front[s->n_front * m]);
		scale_to_box(st, &pool->box, &s->front[s->n_front++ * m]);
	}
	return ERR_OK;
}

/* First by gain, then in the order of NSGA-II, which puts broken limits last. */
static enum err shortlist_fill(
	struct shortlist *s, const struct prospects *pool, struct err_ctx *ctx)
{
	size_t m = pool->st->m;
	struct fitness *fit = malloc((pool->n + 1) * sizeof(*fit));
	uint32_t *order = malloc((pool->n + 1) * sizeof(*order));
	enum err e = ERR_OK;

	for (size_t i = 0; i < pool->n; i++)
		if (pool->known[i] || pool->violation[i] > 0)
			s->taken[i] = BROKEN;
	s->n = select_by_gain(s->front, s->n_front, pool->x, pool->n, m, SCALE_REFERENCE,
		0, s->taken, s->cap, s->index);
	if (fit && order)
		e = select_order(pool->x, pool->violation, pool->n, m, fit, order, ctx);
	else
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; !e && i < pool->n && s->n < s->cap; i++) {
		uint32_t at = order[i];

		if (s->taken[at] != PICKED && !pool->known[at] &&
			isfinite(pool->violation[at]))
			s->index[s->n++] = at;
	}
	free(fit);
	free(order);
	return e;
}

/* Replaces predicted quality by the real, inherited one. */
static enum err shortlist_refine(
	const struct shortlist *s, struct prospects *pool, size_t n, struct err_ctx *ctx)
{
	const struct evaluator *ev = pool->st->ev;
	struct genome *g = malloc((n + 1) * sizeof(*g));
	struct prediction *p = malloc((n + 1) * sizeof(*p));
	enum err e = g && p ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory");

	for (size_t i = 0; !e && i < n; i++) {
		g[i] = pool->g[s->index[i]];
		p[i] = pool->p[s->index[i]];
	}
	if (!e)
		e = ev->refine(ev->self, g, n, p, ctx);
	for (size_t i = 0; !e && i < n; i++) {
		pool->p[s->index[i]] = p[i];
		prospects_rescale(pool, s->index[i]);
	}
	free(g);
	free(p);
	return e;
}

/* Copies the points of the first n; the others are out. */
static void shortlist_gather(struct shortlist *s, const struct prospects *pool, size_t n)
{
	size_t m = pool->st->m;

	s->n = n;
	for (size_t i = 0; i < n; i++) {
		uint32_t at = s->index[i];

		memcpy(&s->x[i * m], &pool->x[at * m], m * sizeof(*s->x));
		memcpy(&s->sd[i * m], &pool->sd[at * m], m * sizeof(*s->sd));
		s->taken[i] = pool->violation[at] > 0 ? BROKEN : 0;
	}
}

static size_t pick_gain(
	struct shortlist *s, size_t m, double deviations, size_t have, size_t k)
{
	double *x = malloc((s->n + 1) * m * sizeof(*x));
	size_t got = 0;

	for (size_t i = 0; x && i < s->n * m; i++)
		x[i] = s->x[i] - deviations * s->sd[i];
	if (x && k > have)
		got = select_by_gain(s->front, s->n_front, x, s->n, m, SCALE_REFERENCE,
			LEAST_GAIN, s->taken, k - have, &s->picked[have]);
	free(x);
	return have + got;
}

static size_t pick_uncertain(struct shortlist *s, size_t m, size_t have, size_t k)
{
	while (have < k) {
		size_t best = s->n;
		double most = 0;

		for (size_t i = 0; i < s->n; i++) {
			double sum = 0;

			for (size_t j = 0; j < m; j++)
				sum += s->sd[i * m + j];
			if (!s->taken[i] && sum > most) {
				most = sum;
				best = i;
			}
		}
		if (best == s->n)
			break;
		s->taken[best] = PICKED;
		s->picked[have++] = (uint32_t)best;
	}
	return have;
}

static enum err propose(const struct search_state *st, struct shortlist *s,
	const struct prospects *pool, struct proposal *p, struct err_ctx *ctx)
{
	size_t k = p->want < s->n ? p->want : s->n;
	size_t n_explore = (size_t)(st->o->explore * (double)p->want + 0.5);
	size_t n_exploit = k > n_explore ? k - n_explore : 0, n = 0;
	enum err e = ERR_OK;

	n = pick_gain(s, st->m, 0, n, n_exploit);
	n = pick_gain(s, st->m, 1, n, n_exploit);
	n = pick_uncertain(s, st->m, n, n + n_explore < k ? n + n_explore : k);
	for (size_t i = 0; i < s->n && n < k; i++)
		if (s->taken[i] != PICKED)
			s->picked[n++] = (uint32_t)i;
	for (size_t i = 0; !e && i < n; i++)
		e = proposal_add(st, p, &pool->g[s->index[s->picked[i]]], ctx);
	return e;
}

static enum err steer(struct search_state *st, struct prospects *pool, struct proposal *p,
	struct err_ctx *ctx)
{
	size_t cap = st->o->n_refine > 2 * p->want ? st->o->n_refine : 2 * p->want, n;
	struct shortlist s = {0};
	enum err e = shortlist_init(&s, pool, cap, ctx);

	if (e)
		return e;
	e = shortlist_fill(&s, pool, ctx);
	n = s.n;
	if (!e && st->ev->refine && st->o->n_refine) {
		n = n < st->o->n_refine ? n : st->o->n_refine;
		e = n ? shortlist_refine(&s, pool, n, ctx) : ERR_OK;
	}
	shortlist_gather(&s, pool, e ? 0 : n);
	if (!e)
		e = propose(st, &s, pool, p, ctx);
	shortlist_release(&s);
	return e;
}

enum err model_ask(struct search_state *st, struct proposal *p, struct err_ctx *ctx)
{
	struct prospects pool = {.st = st};
	struct rng rng;
	enum err e = ERR_OK;

	if (st->n == 0)
		return initial_ask(st, p, ctx);
	p->origin = "model";
	rng_split(&st->rng, "model", (uint64_t)st->generation, &rng);
	scale_box_observe(st, 1, &pool.box);
	if (!pool.box.valid)
		scale_box_observe(st, 0, &pool.box);
	if (pool.box.valid)
		e = prospects_evolve(&pool, &rng, ctx);
	if (!e && pool.n_usable)
		e = steer(st, &pool, p, ctx);
	if (!e && p->n == 0)
		p->origin = "random";
	prospects_release(&pool);
	return e ? e : proposal_fill(st, &rng, p, 1, ctx);
}
