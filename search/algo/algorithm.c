#include "search/algo/algorithm.h"

#include <stdio.h>
#include <string.h>

static const struct algorithm algorithms[] = {
	{"model", "measure, refit, evolve on predictions", model_ask, model_tell},
	{"nsga2", "NSGA-II on real evaluations", nsga2_ask, NULL},
	{"random", "uniform random genomes", random_ask, NULL},
};
#define N_ALGORITHMS (sizeof(algorithms) / sizeof(*algorithms))

const struct algorithm *algorithm_find(const char *name, struct err_ctx *ctx)
{
	char known[128] = "";

	for (size_t i = 0; i < N_ALGORITHMS; i++) {
		size_t used = strlen(known);

		if (!strcmp(algorithms[i].name, name))
			return &algorithms[i];
		snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
			algorithms[i].name);
	}
	err_set(ctx, ERR_USAGE, "unknown search algorithm '%s' (%s)", name, known);
	return NULL;
}

enum err proposal_add(const struct search_state *st, struct proposal *p,
	const struct genome *g, struct err_ctx *ctx)
{
	int added;
	enum err e;

	if (p->n == p->want || genome_set_has(&st->known, g))
		return ERR_OK;
	e = genome_set_add(&p->in, g, &added, ctx);
	if (!e && added)
		p->g[p->n++] = *g;
	return e;
}

/* Draws before a space counts as exhausted: enough to meet nearly every genome of a small
 * one, and a bound on the time spent in one whose limits leave little. */
static size_t patience_of(const struct space *s)
{
	double size = space_size(s);

	return size < 1000 ? 1000 + (size_t)(50 * size) : 4000;
}

enum err proposal_fill(const struct search_state *st, struct rng *rng, struct proposal *p,
	int mutate, struct err_ctx *ctx)
{
	size_t left = patience_of(st->space), n_front = 0,
	       half = p->n + (p->want - p->n + 1) / 2;
	const struct search_member *front[64];
	struct genome g;
	enum err e = ERR_OK;

	for (size_t i = st->n; mutate && i-- > 0 && n_front < 64;)
		if (st->members[i].on_front)
			front[n_front++] = &st->members[i];
	for (size_t tries = 0; n_front && !e && p->n < half && tries < 50 * p->want;
		tries++) {
		space_mutate(
			st->space, st->task, rng, &front[rng_below(rng, n_front)]->g, &g);
		e = proposal_add(st, p, &g, ctx);
	}
	for (; !e && p->n < p->want && left; left--) {
		space_sample(st->space, st->task, rng, &g);
		e = proposal_add(st, p, &g, ctx);
	}
	return e;
}

enum err random_ask(struct search_state *st, struct proposal *p, struct err_ctx *ctx)
{
	struct rng rng;

	p->origin = "random";
	rng_split(&st->rng, "random", (uint64_t)st->generation, &rng);
	return proposal_fill(st, &rng, p, 0, ctx);
}
