/* A model fitted on another device as a prior for this one, corrected by few rows.
 *
 * Devices differ by a factor more than by their order: log y = log prior(x) + a + b z, z the
 * log prior less its mean over the rows. Whether two devices are related is not known before
 * there are rows, so the line stands for several: the noise about it is between 2 and 140 %,
 * the exponent near that of the prior or far from it. Beside them stand the same lines on the
 * multiply-adds (feature 0) and a constant. Each counts by how well it foretold the rows, so
 * that an unrelated prior fades out as rows come; predictions lean to the likelier of prior
 * and MACs, and the sd is that of all together: what is not known yet is in it. From
 * TRANSFER_MIN_ROWS rows on a ridge on the remaining ratio joins in where cross-validation
 * wants it, and a model of the rows alone is preferred unless the prior beats it.
 *
 * Source: Bayesian linear regression (Bishop 2006, 3.3) and averaging over models by
 * evidence (3.4), the noise on a grid instead of by its conjugate prior, the offset flat.
 * Noises, spreads and weights were set on simulated devices (tests/unit/test_cost_devices.c).
 *
 * Rows are [n, p] row-major, borrowed, y > 0. A correction borrows its prior, which must
 * live longer. Everything is deterministic. Threads: none are started, nothing is shared.
 */
#ifndef HAWSER_COST_MODELS_TRANSFER_H
#define HAWSER_COST_MODELS_TRANSFER_H

#include "cost_models/cost_model.h"

#define TRANSFER_MIN_ROWS 6 /* fewer do not carry a model of their own */

/* A line on a base (the log prior, or the log of MACs and a constant): log y = base + a +
 * b (base - centre), for each noise and spread of b that is thought possible. */
#define TRANSFER_OFFSETS 4
#define TRANSFER_PRIOR 0 /* the line; the others are on MACs */
#define TRANSFER_LINES (1 + TRANSFER_OFFSETS)
#define TRANSFER_SIGMAS 9
#define TRANSFER_SLOPES 2
#define TRANSFER_STATES (TRANSFER_SIGMAS * TRANSFER_SLOPES)
struct transfer_state {
	double weight; /* of all states of all lines: sum 1 */
	double b, var_b;
};
struct transfer_line {
	double centre; /* mean base of the rows */
	double a;
	struct transfer_state state[TRANSFER_STATES];
};

/* Zeroed: nothing fitted. */
struct transfer {
	const struct fitted *prior; /* borrowed */
	size_t n;		    /* rows that corrected it; 0: the prior as it is */
	double macs;		    /* geometric mean of the rows' MACs */
	struct transfer_line line[TRANSFER_LINES];
	double lean[2];	   /* of the prior and of MACs: factors of weights in the mean */
	double macs_share; /* of MACs in the mean */
	double sigma;	   /* of log y about the lines */
	struct fitted ratio; /* owned; of y over the lines, or nothing */
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
 * used, "macs and prior" where MACs have the more weight): what a prediction is to be
 * labelled with. */
void transfer_label(
	const struct transfer_choice *c, const char *name, char *out, size_t cap);

#endif
