/* NSGA-II's selection, on any set of scaled points with constraint violations.
 *
 * Constraint domination (Deb et al. 2002): feasible before infeasible, less violation
 * before more, then fronts, then crowding. Ties go to the earlier point, so that the
 * outcome depends on nothing but the input.
 */
#ifndef HAWSER_SEARCH_ALGO_SELECT_H
#define HAWSER_SEARCH_ALGO_SELECT_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/err.h"
#include "src/base/rng.h"

struct fitness {
	unsigned rank;
	double crowding;
};

/* order[0..n): indices of the points, best first; fit[i] belongs to point i. */
enum err select_order(const double *x, const double *violation, size_t n, size_t m,
	struct fitness *fit, uint32_t *order, struct err_ctx *ctx);
/* The better of two drawn from the n first of `order`. */
uint32_t select_tournament(
	const struct fitness *fit, const uint32_t *order, size_t n, struct rng *rng);
/* Adds up to k points to `picked`, by greedy gain of hypervolume over the front, on
 * points in box coordinates; stops when nothing gains more than `least`. Returns how
 * many. Points with taken[i] != 0 are left out; those picked become 1. */
size_t select_by_gain(const double *front, size_t n_front, const double *x, size_t n,
	size_t m, double ref, double least, unsigned char *taken, size_t k,
	uint32_t *picked);

#endif
