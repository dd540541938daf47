/* Candidates with predictions: what the "model" algorithm evolves before it measures.
 *
 * Everything that was ever predicted in a generation stays in the pool. Points are in the
 * coordinates of the observed box (0 best, 1 worst seen). A candidate whose prediction
 * is not finite has violation INFINITY and is never picked.
 */
#ifndef HAWSER_SEARCH_ALGO_PROSPECTS_H
#define HAWSER_SEARCH_ALGO_PROSPECTS_H

#include "search/search_state.h"

struct prospects {
	const struct search_state *st;
	struct scale_box box;
	struct genome *g;
	struct prediction *p;
	double *x;	      /* [n, m] predicted mean, box coordinates */
	double *sd;	      /* [n, m] its deviation, box widths */
	double *violation;    /* INFINITY: no usable prediction */
	unsigned char *known; /* evaluated already: a parent, not a candidate */
	size_t n, cap;
	size_t n_usable; /* candidates with a prediction */
	struct genome_set in;
};
void prospects_release(struct prospects *pool);

/* Seeds with the front, its mutations and random genomes, then evolves them by NSGA-II on
 * the predictions, inner_generations long. Where nothing can be predicted yet n_usable
 * stays 0. */
enum err prospects_evolve(struct prospects *pool, struct rng *rng, struct err_ctx *ctx);
/* Recomputes x and sd of an entry from its prediction. */
void prospects_rescale(struct prospects *pool, size_t i);

#endif
