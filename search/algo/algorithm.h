/* The ways to search: one row each in one static table (algorithm.c).
 *
 * An algorithm proposes (ask) what search.c then evaluates, and may learn from it (tell).
 * It keeps nothing between generations: what it needs it derives from the members, so
 * that a replayed search asks the same. Random numbers come from a generator split by the
 * number of the generation.
 */
#ifndef HAWSER_SEARCH_ALGO_ALGORITHM_H
#define HAWSER_SEARCH_ALGO_ALGORITHM_H

#include "search/search_state.h"

/* Genomes to evaluate next, all different and none evaluated before. */
struct proposal {
	struct genome *g; /* room for `want`; the caller's */
	size_t want;
	size_t n;	      /* fewer than wanted: no more were found */
	struct genome_set in; /* of g, so that none is proposed twice */
	const char *origin;   /* recorded with the evaluations */
};
/* Adds a genome unless it is known or proposed already, or the proposal is full. */
enum err proposal_add(const struct search_state *st, struct proposal *p,
	const struct genome *g, struct err_ctx *ctx);
/* Fills up with mutations of the front (its share is one half), then random genomes. */
enum err proposal_fill(const struct search_state *st, struct rng *rng, struct proposal *p,
	int mutate, struct err_ctx *ctx);

struct algorithm {
	const char *name;
	const char *summary;
	enum err (*ask)(struct search_state *st, struct proposal *p, struct err_ctx *ctx);
	/* After the generation's evaluations; NULL: nothing to learn. */
	enum err (*tell)(struct search_state *st, struct err_ctx *ctx);
};

const struct algorithm *algorithm_find(const char *name, struct err_ctx *ctx);

enum err model_ask(struct search_state *st, struct proposal *p, struct err_ctx *ctx);
enum err model_tell(struct search_state *st, struct err_ctx *ctx);
enum err nsga2_ask(struct search_state *st, struct proposal *p, struct err_ctx *ctx);
enum err random_ask(struct search_state *st, struct proposal *p, struct err_ctx *ctx);

#endif
