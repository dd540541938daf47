/* Plain NSGA-II on real evaluations. The population is the best of everybody so far:
 * elitist as in the paper, and nothing has to be kept between generations. */
#include <stdlib.h>

#include "search/algo/algorithm.h"
#include "search/algo/select.h"

static enum err order_members(const struct search_state *st, struct fitness *fit,
	uint32_t *order, struct err_ctx *ctx)
{
	double *x = malloc((st->n + 1) * st->m * sizeof(*x));
	double *violation = malloc((st->n + 1) * sizeof(*violation));
	enum err e = ERR_NOMEM;

	for (size_t i = 0; x && violation && i < st->n; i++) {
		scale_evaluation(st, &st->members[i].last, &x[i * st->m]);
		violation[i] = evaluation_violation(&st->members[i].last);
	}
	if (x && violation)
		e = select_order(x, violation, st->n, st->m, fit, order, ctx);
	else
		err_set(ctx, e, "out of memory");
	free(x);
	free(violation);
	return e;
}

static enum err breed(struct search_state *st, struct proposal *p,
	const struct fitness *fit, const uint32_t *order, struct err_ctx *ctx)
{
	size_t n = st->n < st->o->n_initial ? st->n : st->o->n_initial;
	struct genome child;
	struct rng rng;
	enum err e = ERR_OK;

	rng_split(&st->rng, "nsga2", (uint64_t)st->generation, &rng);
	for (size_t tries = 0; !e && p->n < p->want && tries < 50 * p->want; tries++) {
		uint32_t a = select_tournament(fit, order, n, &rng);
		uint32_t b = select_tournament(fit, order, n, &rng);

		space_cross(st->space, st->task, &rng, &st->members[a].g,
			&st->members[b].g, &child);
		if (rng_below(&rng, 2))
			space_mutate(st->space, st->task, &rng, &child, &child);
		e = proposal_add(st, p, &child, ctx);
	}
	return e ? e : proposal_fill(st, &rng, p, 1, ctx);
}

enum err nsga2_ask(struct search_state *st, struct proposal *p, struct err_ctx *ctx)
{
	struct fitness *fit;
	uint32_t *order;
	enum err e;

	if (st->n == 0)
		return random_ask(st, p, ctx);
	p->origin = "nsga2";
	fit = malloc(st->n * sizeof(*fit));
	order = malloc(st->n * sizeof(*order));
	if (fit && order)
		e = order_members(st, fit, order, ctx);
	else
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	if (!e)
		e = breed(st, p, fit, order, ctx);
	free(fit);
	free(order);
	return e;
}
