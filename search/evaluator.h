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

/* Hypervolumes are shares of one reference box that is fixed once two feasible candidates
 * are known, costs on a logarithmic scale; NAN before. They may pass 1, as later
 * candidates may be better than the box's best corner. */
struct generation_note {
	int generation;
	int n_candidates;     /* so far */
	int n_measured;	      /* looks so far, each counted */
	double hv_claimed;    /* of everybody's first look */
	double hv_remeasured; /* of the last looks of those that had two */
};

struct evaluator {
	void *self;
	const struct objective *objectives;
	size_t n_objectives;
	/* Cheap: from fitted models and analytic values only. n genomes at once. A mean
	 * of NAN: not known yet, such candidates are not picked by prediction. The same
	 * holds for all n on ERR_NOTFOUND, ERR_UNSUPPORTED and ERR_INVALID (no model);
	 * other errors end the search. */
	enum err (*predict)(void *self, const struct genome *g, size_t n,
		struct prediction *out, struct err_ctx *ctx);
	/* Middle: replaces predicted quality by the real, inherited one (sd 0); `out`
	 * holds the predictions. May be NULL. */
	enum err (*refine)(void *self, const struct genome *g, size_t n,
		struct prediction *out, struct err_ctx *ctx);
	/* Real: trains or inherits, builds, pushes, measures. look >= 1. `origin` and
	 * generation are recorded. Look 1 comes once a genome, look 2 once for those that
	 * were on the front. ERR_CANCELLED ends the search as stop() does. */
	enum err (*evaluate)(void *self, const struct genome *g, size_t n, int look,
		const char *origin, int generation, struct evaluation *out,
		struct err_ctx *ctx);
	/* Refits the models on all evaluations so far; may be NULL. Too few points are no
	 * error (or one of those of predict). */
	enum err (*refit)(void *self, struct err_ctx *ctx);
	/* After each generation, for the store and the progress line. */
	enum err (*note)(
		void *self, const struct generation_note *note, struct err_ctx *ctx);
	/* Non-zero: stop now (signal, stop request, hours). May be NULL, as may note. */
	int (*stop)(void *self);
};

#endif
