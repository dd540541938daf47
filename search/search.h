/* The search: measure, refit, evolve, until a stop rule holds.
 *
 * Generation 0 measures a stratified sample. Every later one evolves on predictions
 * (NSGA-II), refines the quality of the most promising, picks a batch by expected
 * hypervolume gain with some by uncertainty, measures it, and takes a second look at
 * front members that had only one. The second look is then what is believed.
 *
 * Deterministic in (options, evaluator's answers): a search that was killed is run
 * again from the start and asks for the same things in the same order, which the
 * evaluator answers from its store. No genome is evaluated twice for a first look.
 */
#ifndef HAWSER_SEARCH_SEARCH_H
#define HAWSER_SEARCH_SEARCH_H

#include "search/evaluator.h"
#include "search/space/space.h"

struct search_options {
	char algorithm[16]; /* "model" (measure-refit-evolve), "nsga2", "random" */
	uint64_t seed;
	uint32_t n_initial;  /* candidates of generation 0; parents of "nsga2" */
	uint32_t batch;	     /* measured per generation */
	uint32_t population; /* of the inner NSGA-II */
	uint32_t inner_generations;
	uint32_t n_refine; /* best predicted whose real quality is looked up */
	double explore;	   /* share of a batch picked by uncertainty */
	/* stop rules; 0: none */
	uint32_t max_candidates;  /* measured candidates */
	uint32_t max_generations; /* generation 0 counts */
	uint32_t patience;	  /* generations without hypervolume growth */
};
void search_options_default(struct search_options *o);

/* A candidate that was really evaluated. */
struct search_member {
	struct genome g;
	struct evaluation first; /* first look */
	struct evaluation last;	 /* after re-measuring; equals first before */
	int on_front;		 /* non-dominated by `last`, feasible */
};
struct search_result {
	struct search_member *members; /* owned, in order of evaluation */
	size_t n;
	/* "candidates" "generations" "patience" "request" "exhausted" (nothing new left)
	 */
	const char *stopped_by;
};
void search_result_release(struct search_result *r);

/* Runs until a stop rule holds. On an error of the evaluator `out` is untouched; the
 * facts are the evaluator's to keep. */
enum err search_run(const struct space *space, const struct task_shape *task,
	const struct search_options *o, const struct evaluator *ev,
	struct search_result *out, struct err_ctx *ctx);

#endif
