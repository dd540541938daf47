/* How much a prior helps: errors on held-out rows by the number of own rows.
 *
 * The mean over a few drawn orders of the rows; in each the first rows are fitted and the
 * same later ones are held out for every number. Errors are mean relative ones, fractions;
 * NAN where nothing can be fitted. Deterministic by `seed`.
 */
#ifndef HAWSER_COST_MODELS_TRANSFER_CURVE_H
#define HAWSER_COST_MODELS_TRANSFER_CURVE_H

#include "cost_models/transfer.h"

#define TRANSFER_CURVE_MAX 5 /* numbers of own rows: 0, 2, 5, 10, 20 */

struct transfer_point {
	size_t n;	   /* own rows */
	double mean, macs; /* the baselines */
	double own;	   /* what cost_model_choose fits to the own rows alone */
	double line;	   /* the prior and MACs, corrected */
	double chosen;	   /* what transfer_choose uses */
	double sd;	   /* its stated sd over its prediction, mean */
	double prior_used; /* the prior's weight in it, mean over the orders */
};

/* Points for as many own rows as leave at least as many to score; n >= 4. Writes *n_points
 * of them. */
enum err transfer_curve(const struct fitted *prior, const double *x, const double *y,
	size_t n, size_t p, unsigned long seed, struct transfer_point *out,
	size_t *n_points, struct err_ctx *ctx);

#endif
