/* What a running search knows: its members, which of them form the front, and the scale
 * on which objectives are compared. Inside search/ only.
 *
 * Scaled objectives are minimised; costs are logarithmic (a tenth less is a tenth less,
 * for small and large networks alike), qualities are linear.
 */
#ifndef HAWSER_SEARCH_SEARCH_STATE_H
#define HAWSER_SEARCH_SEARCH_STATE_H

#include "search/search.h"

/* 128 bits of a canonical genome: told apart within one run, not an identity to store.
 * (The SHA-256 of the text costs more than everything else that a search does.) */
struct genome_key {
	uint64_t a, b;
};
struct genome_set {
	struct genome_key *slot; /* open addressing; all zero: free */
	size_t n, cap;
};
void genome_set_release(struct genome_set *s);
int genome_set_has(const struct genome_set *s, const struct genome *g);
/* *added = 0 when it was there already. */
enum err genome_set_add(
	struct genome_set *s, const struct genome *g, int *added, struct err_ctx *ctx);

/* The box of the objectives' observed values: 0 is the best seen, 1 the worst. */
struct scale_box {
	int valid; /* two different feasible evaluations were seen */
	double lo[OBJECTIVES_MAX], hi[OBJECTIVES_MAX];
};
#define SCALE_REFERENCE 1.1 /* hypervolume's reference point, in box coordinates */

struct search_state {
	const struct space *space;
	const struct task_shape *task;
	const struct search_options *o;
	const struct evaluator *ev;
	size_t m;	/* objectives */
	struct rng rng; /* never advanced, only split */
	int generation;
	struct search_member *members;
	int *looks; /* per member */
	size_t n, cap;
	size_t n_looks; /* all together */
	struct genome_set known;
	struct scale_box box; /* frozen: hypervolumes of all generations compare */
};

/* One objective's value, minimised, costs as logarithms. */
double scale_value(const struct search_state *st, size_t k, double value);
/* Values of one evaluation, NAN where it has none (failed); [m]. */
void scale_evaluation(
	const struct search_state *st, const struct evaluation *e, double *x);
/* Constraint violation: 0 feasible, 1 a limit is broken, INFINITY failed. */
double evaluation_violation(const struct evaluation *e);
/* The box of the members' believed values so far: of the feasible ones, or of all that
 * have values. */
void scale_box_observe(
	const struct search_state *st, int feasible_only, struct scale_box *box);
void scale_to_box(const struct search_state *st, const struct scale_box *box, double *x);

enum err search_state_add(struct search_state *st, const struct genome *g,
	const struct evaluation *first, struct err_ctx *ctx);
/* Recomputes on_front of all members from their last looks; freezes the box if it can. */
enum err search_state_update(struct search_state *st, struct err_ctx *ctx);
/* Share of the reference box that is dominated: by the first looks, or by the last looks
 * of those members that had two. NAN before the box is known (or nobody had two). */
double search_state_hypervolume(const struct search_state *st, int remeasured);
void search_state_release(struct search_state *st);

#endif
