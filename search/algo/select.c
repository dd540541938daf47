#include "search/algo/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/pareto.h"
#include "src/model/objective.h"

/* ---- order */

struct entry {
	double violation;
	struct fitness fit;
	uint32_t index;
};

static int by_violation(const void *a, const void *b)
{
	const struct entry *p = a, *q = b;

	if (p->violation < q->violation)
		return -1;
	if (p->violation > q->violation)
		return 1;
	return (p->index > q->index) - (p->index < q->index);
}

static int by_fitness(const void *a, const void *b)
{
	const struct entry *p = a, *q = b;

	if (p->fit.rank != q->fit.rank)
		return p->fit.rank < q->fit.rank ? -1 : 1;
	if (p->fit.crowding > q->fit.crowding)
		return -1;
	if (p->fit.crowding < q->fit.crowding)
		return 1;
	return (p->index > q->index) - (p->index < q->index);
}

struct room {
	struct entry *e;
	double *x, *distance;
	unsigned *rank;
};

/* Entries of equal violation: fronts from `base` on, crowding within each. */
static unsigned rank_group(
	struct room *r, size_t from, size_t n, const double *x, size_t m, unsigned base)
{
	struct entry *e = &r->e[from];
	unsigned fronts;

	for (size_t i = 0; i < n; i++)
		memcpy(&r->x[i * m], &x[e[i].index * m], m * sizeof(*x));
	fronts = (unsigned)pareto_sort(r->x, n, m, r->rank);
	for (size_t i = 0; i < n; i++)
		e[i].fit.rank = base + r->rank[i];
	for (unsigned f = 0; f < fronts; f++) {
		size_t k = 0;

		for (size_t i = 0; i < n; i++)
			if (r->rank[i] == f)
				memcpy(&r->x[k++ * m], &x[e[i].index * m],
					m * sizeof(*x));
		pareto_crowding(r->x, k, m, r->distance);
		k = 0;
		for (size_t i = 0; i < n; i++)
			if (r->rank[i] == f)
				e[i].fit.crowding = r->distance[k++];
	}
	return base + fronts;
}

enum err select_order(const double *x, const double *violation, size_t n, size_t m,
	struct fitness *fit, uint32_t *order, struct err_ctx *ctx)
{
	struct room r = {malloc((n + 1) * sizeof(*r.e)),
		malloc((n + 1) * m * sizeof(*r.x)), malloc((n + 1) * sizeof(*r.distance)),
		malloc((n + 1) * sizeof(*r.rank))};
	int ok = r.e && r.x && r.distance && r.rank;
	unsigned base = 0;
	size_t end;

	for (size_t i = 0; ok && i < n; i++)
		r.e[i] = (struct entry){violation[i], {0, 0}, (uint32_t)i};
	if (ok)
		qsort(r.e, n, sizeof(*r.e), by_violation);
	for (size_t from = 0; ok && from < n; from = end) {
		for (end = from + 1;
			end < n && !(r.e[end].violation > r.e[from].violation);)
			end++;
		base = rank_group(&r, from, end - from, x, m, base);
	}
	if (ok)
		qsort(r.e, n, sizeof(*r.e), by_fitness);
	for (size_t i = 0; ok && i < n; i++) {
		order[i] = r.e[i].index;
		fit[r.e[i].index] = r.e[i].fit;
	}
	free(r.e);
	free(r.x);
	free(r.distance);
	free(r.rank);
	return ok ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory");
}

uint32_t select_tournament(
	const struct fitness *fit, const uint32_t *order, size_t n, struct rng *rng)
{
	size_t a = rng_below(rng, n), b = rng_below(rng, n);
	const struct fitness *p = &fit[order[a]], *q = &fit[order[b]];

	if (p->rank == q->rank && !(p->crowding > q->crowding) &&
		!(q->crowding > p->crowding))
		return order[a < b ? a : b];
	if (p->rank != q->rank)
		return order[p->rank < q->rank ? a : b];
	return order[p->crowding > q->crowding ? a : b];
}

/* ---- gain */

struct gains {
	double *set; /* the front and what was picked, and room for one more */
	size_t n, m;
	double ref[OBJECTIVES_MAX];
	double volume;
};

static double gain_of(struct gains *g, const double *x)
{
	for (size_t k = 0; k < g->m; k++) {
		if (!(x[k] < g->ref[k]))
			return 0;
		g->set[g->n * g->m + k] = x[k];
	}
	return pareto_hypervolume(g->set, g->n + 1, g->m, g->ref) - g->volume;
}

/* Gains only shrink as the set grows, so an old gain is a bound: a point whose bound is
 * below the best fresh gain need not be looked at. */
static size_t best_gain(struct gains *g, const double *x, size_t n,
	const unsigned char *taken, double *bound, double least)
{
	size_t best = n;
	double most = least;

	for (size_t i = 0; i < n; i++) {
		if (taken[i] || !(bound[i] > most))
			continue;
		bound[i] = gain_of(g, &x[i * g->m]);
		if (bound[i] > most) {
			most = bound[i];
			best = i;
		}
	}
	return best;
}

size_t select_by_gain(const double *front, size_t n_front, const double *x, size_t n,
	size_t m, double ref, double least, unsigned char *taken, size_t k,
	uint32_t *picked)
{
	struct gains g = {
		malloc((n_front + k + 1) * m * sizeof(double)), n_front, m, {0}, 0};
	double *bound = malloc((n + 1) * sizeof(*bound));
	size_t n_picked = 0, at;

	for (size_t i = 0; i < m; i++)
		g.ref[i] = ref;
	if (g.set && bound) {
		if (n_front)
			memcpy(g.set, front, n_front * m * sizeof(*front));
		for (size_t i = 0; i < n; i++)
			bound[i] = INFINITY;
		g.volume = pareto_hypervolume(g.set, g.n, m, g.ref);
	}
	while (g.set && bound && n_picked < k) {
		at = best_gain(&g, x, n, taken, bound, least);
		if (at == n)
			break;
		taken[at] = 1;
		picked[n_picked++] = (uint32_t)at;
		memcpy(&g.set[g.n++ * m], &x[at * m], m * sizeof(*x));
		g.volume = pareto_hypervolume(g.set, g.n, m, g.ref);
	}
	free(g.set);
	free(bound);
	return n_picked;
}
