/* Cost models: arrays in, numbers out. One vtable, one file per kind, one static table.
 *
 * A model predicts one positive quantity (latency, bytes, joules) from a row of features
 * (cost_models/features.h). Rows are [n, p] row-major, borrowed. Every fit is
 * deterministic. Saved models are text that any version can read back or refuse.
 */
#ifndef HAWSER_COST_MODELS_COST_MODEL_H
#define HAWSER_COST_MODELS_COST_MODEL_H

#include <stddef.h>

#include "src/base/buf.h"
#include "src/base/err.h"

struct cost_model; /* a fitted model */
struct model_reader;
struct model_writer;

struct cost_model_kind {
	const char *name; /* "mean" "macs" "depth" "ridge" "huber" "bayes" "gp" "trees" */
	const char *summary;
	int baseline; /* 1: printed for comparison, never chosen */
	/* n >= 1 rows; y > 0 and finite. */
	enum err (*fit)(const double *x, const double *y, size_t n, size_t p,
		struct cost_model **out, struct err_ctx *ctx);
	/* sd: standard deviation of the prediction; may be NULL. Predictions are > 0. */
	void (*predict)(
		const struct cost_model *m, const double *x, double *mean, double *sd);
	/* The lines between head and sum (cost_models/model_text.h), "p" first. */
	void (*save)(const struct cost_model *m, struct model_writer *w);
	/* The lines after "p". What is wrong with them stays in r, whatever is returned;
	 * NULL without a fault in r: out of memory. */
	struct cost_model *(*load)(struct model_reader *r, size_t p);
	void (*free)(struct cost_model *m);
};

const struct cost_model_kind *cost_model_find(const char *name);
const struct cost_model_kind *cost_model_at(size_t i); /* NULL past the end */

/* A model with its kind: what callers keep. */
struct fitted {
	const struct cost_model_kind *kind; /* NULL: nothing fitted */
	struct cost_model *model;
};
void fitted_release(struct fitted *f);
double fitted_predict(const struct fitted *f, const double *x, double *sd);
/* Text with the kind in its first line. Loading refuses damaged text (ERR_CORRUPT) and a
 * model of another number of features than p (ERR_INVALID). */
enum err fitted_save(const struct fitted *f, struct buf *out, struct err_ctx *ctx);
enum err fitted_load(const char *text, size_t p, struct fitted *out, struct err_ctx *ctx);

/* Cross-validated score of one kind on one data set. */
struct cost_score {
	const struct cost_model_kind *kind;
	double mape;	 /* fraction */
	double tau;	 /* Kendall's tau-b of prediction and truth; NAN if undefined */
	double within_5; /* share with an error of at most 5 % */
	double within_10;
	size_t n;
};
/* k-fold cross-validation, folds drawn by `seed`; leave-one-out when n < 2 k. */
enum err cost_model_score(const struct cost_model_kind *kind, const double *x,
	const double *y, size_t n, size_t p, size_t k, unsigned long seed,
	struct cost_score *out, struct err_ctx *ctx);
/* The same on a given split: fitted on the first rows, scored on n_test others. */
enum err cost_model_score_split(const struct cost_model_kind *kind, const double *x,
	const double *y, size_t n, size_t p, const double *x_test, const double *y_test,
	size_t n_test, struct cost_score *out, struct err_ctx *ctx);
/* Scores every kind (`scores` holds cost_model_count() entries, or is NULL: non-baselines
 * by MAPE, best first, then the baselines likewise) and fits the best non-baseline on
 * everything. Unless that one beats both baselines "mean" and "macs", the better of the
 * two is fitted: never rely on a model that does not beat them. To beat: a lower mean
 * relative error by more than two standard errors of the paired difference, so that noise
 * does not pass for skill. One row: "mean", and scores of NAN. */
size_t cost_model_count(void);
enum err cost_model_choose(const double *x, const double *y, size_t n, size_t p,
	unsigned long seed, struct fitted *out, struct cost_score *scores,
	struct err_ctx *ctx);

#endif
