/* What the search asks of the world. The search owns this interface; src/eval
 * implements it over training, building, devices, the store and the cost models.
 *
 * Every call is a pure function of (job seed, facts): asked again after a crash it gives
 * the same answers, from the store, without doing the work again. That is what makes a
 * search resumable: it is replayed.
 */
#ifndef HAWSER_SEARCH_EVALUATOR_H
#define HAWSER_SEARCH_EVALUATOR_H

#include <stddef.h>

#include "src/base/err.h"
#include "src/model/genome.h"
#include "src/model/objective.h"

/* Objective values of one candidate, in the job's order, as given (not negated). */
struct evaluation {
	struct value v[OBJECTIVES_MAX];
	int feasible; /* 0: a limit is broken, or the candidate failed */
	int failed;   /* no values: build error, wrong output, crash ... */
	int looks;    /* times it was measured */
};

struct prediction {
	double mean[OBJECTIVES_MAX];
	double sd[OBJECTIVES_MAX]; /* 0 where the value is known exactly */
	double violation; /* > 0: predicted to break a limit, by how much (relative) */
};

struct generation_note {
	int generation;
	int n_candidates, n_measured;
	double hv_claimed, hv_remeasured;
};

struct evaluator {
	void *self;
	const struct objective *objectives;
	size_t n_objectives;
	/* Cheap: from fitted models and analytic values only. n genomes at once. */
	enum err (*predict)(void *self, const struct genome *g, size_t n,
		struct prediction *out, struct err_ctx *ctx);
	/* Middle: replaces predicted quality by the real, inherited one (sd 0). May be NULL. */
	enum err (*refine)(void *self, const struct genome *g, size_t n,
		struct prediction *out, struct err_ctx *ctx);
	/* Real: trains or inherits, builds, pushes, measures. look >= 1. `origin` and generation
	 * are recorded. */
	enum err (*evaluate)(void *self, const struct genome *g, size_t n, int look,
		const char *origin, int generation, struct evaluation *out,
		struct err_ctx *ctx);
	/* Refits the models on all evaluations so far. */
	enum err (*refit)(void *self, struct err_ctx *ctx);
	/* After each generation, for the store and the progress line. */
	enum err (*note)(void *self, const struct generation_note *note, struct err_ctx *ctx);
	/* Non-zero: stop now (signal, stop request, hours). */
	int (*stop)(void *self);
};

#endif
