#include "search/algo/prospects.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/algo/select.h"

void prospects_release(struct prospects *pool)
{
	free(pool->g);
	free(pool->p);
	free(pool->x);
	free(pool->sd);
	free(pool->violation);
	free(pool->known);
	genome_set_release(&pool->in);
}

static int grow_one(void **at, size_t cap, size_t size)
{
	void *grown = realloc(*at, cap * size);

	if (grown)
		*at = grown;
	return grown != NULL;
}

static enum err reserve(struct prospects *pool, size_t n, struct err_ctx *ctx)
{
	size_t cap = pool->cap ? pool->cap : 256, m = pool->st->m;

	if (pool->n + n <= pool->cap)
		return ERR_OK;
	while (cap < pool->n + n)
		cap *= 2;
	if (!grow_one((void **)&pool->g, cap, sizeof(*pool->g)) ||
		!grow_one((void **)&pool->p, cap, sizeof(*pool->p)) ||
		!grow_one((void **)&pool->x, cap * m, sizeof(*pool->x)) ||
		!grow_one((void **)&pool->sd, cap * m, sizeof(*pool->sd)) ||
		!grow_one((void **)&pool->violation, cap, sizeof(*pool->violation)) ||
		!grow_one((void **)&pool->known, cap, 1))
		return err_set(ctx, ERR_NOMEM, "out of memory");
	pool->cap = cap;
	return ERR_OK;
}

void prospects_rescale(struct prospects *pool, size_t i)
{
	const struct search_state *st = pool->st;
	const struct prediction *p = &pool->p[i];
	double *x = &pool->x[i * st->m], *sd = &pool->sd[i * st->m];

	pool->violation[i] =
		isfinite(p->violation) && p->violation > 0 ? p->violation : 0;
	for (size_t k = 0; k < st->m; k++) {
		double width = pool->box.hi[k] - pool->box.lo[k];
		double slope = st->ev->objectives[k].metric->quality ? 1 : 1 / p->mean[k];

		x[k] = scale_value(st, k, p->mean[k]);
		sd[k] = p->sd[k] * slope / width;
		if (!isfinite(sd[k]) || sd[k] < 0)
			sd[k] = 0;
		if (isnan(x[k]))
			pool->violation[i] = INFINITY;
	}
	scale_to_box(st, &pool->box, x);
}

/* "No model yet" is an answer, not a failure of the search. */
static int is_soft(enum err e)
{
	return e == ERR_NOTFOUND || e == ERR_UNSUPPORTED || e == ERR_INVALID;
}

/* Predicts the entries from `from` on, which have been put at the end of the pool. */
static enum err predict_tail(struct prospects *pool, size_t from, struct err_ctx *ctx)
{
	const struct evaluator *ev = pool->st->ev;
	size_t n = pool->n - from;
	enum err e;

	if (n == 0)
		return ERR_OK;
	memset(&pool->p[from], 0, n * sizeof(*pool->p));
	e = ev->predict(ev->self, &pool->g[from], n, &pool->p[from], ctx);
	if (e && !is_soft(e))
		return e;
	for (size_t i = from; i < pool->n; i++) {
		for (size_t k = 0; e && k < pool->st->m; k++)
			pool->p[i].mean[k] = NAN;
		prospects_rescale(pool, i);
		pool->n_usable += !pool->known[i] && isfinite(pool->violation[i]);
	}
	return ERR_OK;
}

/* Appends without a prediction; *added = 0 when the genome is there already. */
static enum err append(
	struct prospects *pool, const struct genome *g, int *added, struct err_ctx *ctx)
{
	enum err e;

	if ((e = reserve(pool, 1, ctx)) || (e = genome_set_add(&pool->in, g, added, ctx)))
		return e;
	if (!*added)
		return ERR_OK;
	pool->g[pool->n] = *g;
	pool->known[pool->n] = (unsigned char)genome_set_has(&pool->st->known, g);
	pool->n++;
	return ERR_OK;
}

/* A third of the population from the front itself, a third its mutations, then random. */
static enum err seed(struct prospects *pool, struct rng *rng, struct err_ctx *ctx)
{
	const struct search_state *st = pool->st;
	size_t want = st->o->population, n_front;
	struct genome g;
	int added;
	enum err e = ERR_OK;

	for (size_t i = st->n; !e && i-- > 0 && pool->n < want / 3 + 1;)
		if (st->members[i].on_front)
			e = append(pool, &st->members[i].g, &added, ctx);
	n_front = pool->n;
	for (size_t i = 0; !e && n_front && i < want / 3; i++) {
		struct genome parent = pool->g[rng_below(rng, n_front)];

		space_mutate(st->space, st->task, rng, &parent, &g);
		e = append(pool, &g, &added, ctx);
	}
	for (size_t tries = 0; !e && pool->n < want && tries < 10 * want; tries++) {
		space_sample(st->space, st->task, rng, &g);
		e = append(pool, &g, &added, ctx);
	}
	return e ? e : predict_tail(pool, 0, ctx);
}

struct population {
	uint32_t *index; /* into the pool; [2 * size] */
	size_t n;
	double *x, *violation; /* gathered */
	struct fitness *fit;   /* by position in `index` */
	uint32_t *order;
};

static enum err breed(struct prospects *pool, struct population *pop, size_t n_parents,
	struct rng *rng, struct err_ctx *ctx)
{
	const struct search_state *st = pool->st;
	size_t want = st->o->population, from = pool->n;
	enum err e = ERR_OK;

	for (size_t tries = 0; !e && pool->n < from + want && tries < 2 * want; tries++) {
		uint32_t a = select_tournament(pop->fit, pop->order, n_parents, rng);
		uint32_t b = select_tournament(pop->fit, pop->order, n_parents, rng);
		struct genome child = pool->g[pop->index[a]];
		int added, crossed = rng_below(rng, 2) == 0;

		if (crossed)
			space_cross(st->space, st->task, rng, &pool->g[pop->index[a]],
				&pool->g[pop->index[b]], &child);
		if (!crossed || rng_below(rng, 2))
			space_mutate(st->space, st->task, rng, &child, &child);
		e = append(pool, &child, &added, ctx);
	}
	return e ? e : predict_tail(pool, from, ctx);
}

/* Orders the population and keeps its best. */
static enum err survive(
	struct prospects *pool, struct population *pop, struct err_ctx *ctx)
{
	size_t m = pool->st->m, keep = pool->st->o->population;
	enum err e;

	for (size_t i = 0; i < pop->n; i++) {
		memcpy(&pop->x[i * m], &pool->x[pop->index[i] * m], m * sizeof(*pop->x));
		pop->violation[i] = pool->violation[pop->index[i]];
	}
	e = select_order(pop->x, pop->violation, pop->n, m, pop->fit, pop->order, ctx);
	if (pop->n > keep)
		pop->n = keep;
	return e;
}

/* Moves the survivors to the front of `index`, behind them the newest of the pool. */
static void renew(
	struct prospects *pool, struct population *pop, size_t from, uint32_t *scratch)
{
	for (size_t i = 0; i < pop->n; i++)
		scratch[i] = pop->index[pop->order[i]];
	memcpy(pop->index, scratch, pop->n * sizeof(*scratch));
	for (size_t i = from; i < pool->n; i++)
		pop->index[pop->n++] = (uint32_t)i;
}

static enum err evolve(struct prospects *pool, struct population *pop, struct rng *rng,
	struct err_ctx *ctx)
{
	size_t room = 2 * (size_t)pool->st->o->population;
	uint32_t *scratch = calloc(room, sizeof(*scratch));
	enum err e = ERR_OK;

	pop->index = calloc(room, sizeof(*pop->index));
	pop->order = calloc(room, sizeof(*pop->order));
	pop->x = calloc(room * pool->st->m, sizeof(*pop->x));
	pop->violation = calloc(room, sizeof(*pop->violation));
	pop->fit = calloc(room, sizeof(*pop->fit));
	if (!scratch || !pop->index || !pop->order || !pop->x || !pop->violation ||
		!pop->fit)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; !e && i < pool->n; i++)
		pop->index[pop->n++] = (uint32_t)i;
	for (uint32_t i = 0; !e && i < pool->st->o->inner_generations; i++) {
		size_t from = pool->n;

		if ((e = survive(pool, pop, ctx)) ||
			(e = breed(pool, pop, pop->n, rng, ctx)))
			break;
		renew(pool, pop, from, scratch);
	}
	free(scratch);
	free(pop->index);
	free(pop->order);
	free(pop->x);
	free(pop->violation);
	free(pop->fit);
	return e;
}

enum err prospects_evolve(struct prospects *pool, struct rng *rng, struct err_ctx *ctx)
{
	struct population pop = {0};
	enum err e = seed(pool, rng, ctx);

	if (e || pool->n_usable == 0)
		return e;
	return evolve(pool, &pop, rng, ctx);
}
