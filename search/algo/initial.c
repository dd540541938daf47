/* Generation 0: the corners of the space, and one genome from each stratum of log MACs.
 */
#include "search/algo/initial.h"

#include <math.h>
#include <stdlib.h>

#include "src/model/graph.h"

#define POOL_PER_WANTED 20
#define POOL_MAX 4000

struct drawn {
	struct genome g;
	double log_macs;
};

static enum err add_corners(
	const struct search_state *st, struct proposal *p, struct err_ctx *ctx)
{
	struct genome g;
	enum err e = ERR_OK;

	space_smallest(st->space, &g);
	if (!space_contains(st->space, &g, st->task, NULL))
		e = proposal_add(st, p, &g, ctx);
	space_largest(st->space, &g);
	if (!e && !space_contains(st->space, &g, st->task, NULL))
		e = proposal_add(st, p, &g, ctx);
	return e;
}

/* One of the genomes of each stratum, all equally likely; strata may be empty. */
static enum err add_strata(const struct search_state *st, struct rng *rng,
	const struct drawn *d, size_t n, struct proposal *p, struct err_ctx *ctx)
{
	size_t n_strata = p->want - p->n;
	double lo = INFINITY, hi = -INFINITY;
	enum err e = ERR_OK;

	for (size_t i = 0; i < n; i++) {
		lo = fmin(lo, d[i].log_macs);
		hi = fmax(hi, d[i].log_macs);
	}
	for (size_t s = 0; !e && s < n_strata; s++) {
		const struct drawn *chosen = NULL;
		size_t met = 0;

		for (size_t i = 0; i < n; i++) {
			double at = hi > lo ? (d[i].log_macs - lo) / (hi - lo) : 0;
			size_t of = (size_t)(at * (double)n_strata);

			if (of == s || (of == n_strata && s + 1 == n_strata))
				if (rng_below(rng, ++met) == 0)
					chosen = &d[i];
		}
		if (chosen)
			e = proposal_add(st, p, &chosen->g, ctx);
	}
	return e;
}

enum err initial_ask(struct search_state *st, struct proposal *p, struct err_ctx *ctx)
{
	size_t n = POOL_PER_WANTED * p->want;
	struct graph_cost cost;
	struct drawn *d;
	struct rng rng;
	enum err e;

	if (n > POOL_MAX)
		n = POOL_MAX;
	d = malloc(n * sizeof(*d));
	if (!d)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	p->origin = "initial";
	rng_split(&st->rng, "initial", 0, &rng);
	for (size_t i = 0; i < n; i++) {
		space_sample(st->space, st->task, &rng, &d[i].g);
		graph_cost(&d[i].g, st->task, d[i].g.seq_len, &cost);
		d[i].log_macs = log(cost.macs);
	}
	e = add_corners(st, p, ctx);
	if (!e)
		e = add_strata(st, &rng, d, n, p, ctx);
	free(d);
	return e ? e : proposal_fill(st, &rng, p, 0, ctx);
}
