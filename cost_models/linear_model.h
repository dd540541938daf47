/* Weighted ridge regression with an intercept, on standardised features: the core of the
 * kinds ridge, huber and bayes, which differ in weights and in how the penalty is chosen.
 *
 *   minimise  sum_i v_i (y_i - b0 - z_i . beta)^2 + lambda |beta|^2
 *
 * v: weights divided by their sum; z: features centred and scaled by their weighted mean
 * and sd. Constant features get scale 0 and drop out. Weights 1 / y^2 make it relative
 * least squares. Predictions go through cost_positive, since a line may cross zero below
 * the smallest row; features themselves are not clamped: collinear ones leave the seen
 * range together, and clamping one alone would break the sum that they form.
 */
#ifndef HAWSER_COST_MODELS_LINEAR_MODEL_H
#define HAWSER_COST_MODELS_LINEAR_MODEL_H

#include "cost_models/kinds.h"

struct cost_model {
	size_t p;
	double *centre; /* [p] */
	double *scale;	/* [p]; 1 / sd, or 0 */
	double *beta;	/* [p], of the standardised features */
	double *chol;	/* [p, p] lower: factor of Z' V Z + lambda I */
	double intercept;
	double lambda;
	double sigma; /* relative noise sd of one observation */
	double var0;  /* variance of the fitted mean at the centre */
	double y_lo, y_hi;
};

/* How the penalty is chosen. */
enum linear_rule {
	LINEAR_LOO,	/* least left-out squared error, weighted */
	LINEAR_LOO_ABS, /* least left-out absolute error, weighted by sqrt(w w0) */
	LINEAR_EVIDENCE /* largest marginal likelihood */
};

struct linear_data {
	const double *x, *y, *w; /* [n, p], [n], [n]; w >= 0, borrowed */
	size_t n, p;
};

/* `lambda` > 0 fixes the penalty, else `rule` chooses it. sigma is from the left-out
 * residuals times sqrt(w), so relative where w = 1 / y^2. */
enum err linear_fit(const struct linear_data *d, enum linear_rule rule, double lambda,
	struct cost_model **out, struct err_ctx *ctx);
/* The same with weights 1 / y^2, after cost_data_check. */
enum err linear_fit_relative(const double *x, const double *y, size_t n, size_t p,
	enum linear_rule rule, struct cost_model **out, struct err_ctx *ctx);
/* The line itself, before cost_positive. */
double linear_raw(const struct cost_model *m, const double *x);

/* Members of the vtables. */
void linear_predict(
	const struct cost_model *m, const double *x, double *mean, double *sd);
void linear_save(const struct cost_model *m, struct model_writer *w);
struct cost_model *linear_load(struct model_reader *r, size_t p);
void linear_free(struct cost_model *m); /* NULL is allowed */

#endif
