/* A model fitted on another device as a prior for this one, corrected by few rows.
 *
 * Devices differ by a factor more than by their order: log y = log prior(x) + a + b z, z the
 * log prior less its mean over the rows, with a and b drawn towards 0 (a factor of ten, a
 * third) and the noise towards 10 % until rows say otherwise. From TRANSFER_MIN_ROWS rows on
 * a ridge on the remaining ratio joins in where cross-validation wants it, and a model of
 * the rows alone is preferred unless the prior beats it.
 *
 * Source: shrinkage of two parameters as in Bayesian linear regression (Bishop 2006, 3.3),
 * the variance by two rounds of its posterior mean instead of by integration.
 *
 * Rows are [n, p] row-major, borrowed, y > 0. A correction borrows its prior, which must
 * live longer. Everything is deterministic. Threads: none are started, nothing is shared.
 */
#ifndef HAWSER_COST_MODELS_TRANSFER_H
#define HAWSER_COST_MODELS_TRANSFER_H

#include "cost_models/cost_model.h"

#define TRANSFER_MIN_ROWS 6 /* fewer do not carry a model of their own */

/* Zeroed: nothing fitted. */
struct transfer {
	const struct fitted *prior; /* borrowed */
	size_t n;		    /* rows that corrected it; 0: the prior as it is */
	double centre;		    /* mean log prior of the rows */
	double a, b;
	double var_a, var_b; /* posterior */
	double sigma;	     /* of log y about the line */
	struct fitted ratio; /* owned; of y over the line, or nothing */
};

/* n may be 0, then x and y may be NULL. `with_ratio` needs n >= 1. */
enum err transfer_fit(const struct fitted *prior, const double *x, const double *y,
	size_t n, size_t p, int with_ratio, struct transfer *out, struct err_ctx *ctx);
void transfer_release(struct transfer *t);
/* Positive. *sd (may be NULL): mean times the standard deviation of its log; without rows
 * more than twice the mean, because nothing says yet how fast this device is. */
double transfer_predict(const struct transfer *t, const double *x, double *sd);

enum transfer_use { TRANSFER_OWN, TRANSFER_LINE, TRANSFER_RATIO };

/* What to predict with, given a prior and the device's own rows. Release it. */
struct transfer_choice {
	enum transfer_use use;
	struct fitted own;	   /* nothing below TRANSFER_MIN_ROWS rows */
	struct transfer corrected; /* of `use`; the line when own is used */
	double mape[3];		   /* cross-validated, by use; NAN where not known */
};

/* Below TRANSFER_MIN_ROWS rows the line. From then on the own model, as cost_model_choose
 * picks it, unless the better correction has a lower mean relative error in
 * cross-validation by more than two standard errors of the paired difference. The own
 * kind is picked on all rows, so what noise is left favours it. */
enum err transfer_choose(const struct fitted *prior, const double *x, const double *y,
	size_t n, size_t p, unsigned long seed, struct transfer_choice *out,
	struct err_ctx *ctx);
void transfer_choice_release(struct transfer_choice *c);
double transfer_choice_predict(
	const struct transfer_choice *c, const double *x, double *sd);
/* "own gp, 12 rows", "prior of NAME" or "prior of NAME, 4 rows" (", ratio" where that is
 * used): what a prediction is to be labelled with. */
void transfer_label(
	const struct transfer_choice *c, const char *name, char *out, size_t cap);

#endif
