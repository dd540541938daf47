#include "cost_models/transfer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/kinds.h"
#include "src/base/stats.h"

#define SD_A 2.3     /* log of a factor of ten: how devices differ */
#define SD_B 0.3     /* of the exponent from 1 */
#define SIGMA 0.1    /* relative noise until rows tell */
#define SIGMA_ROWS 4 /* rows that this belief is worth; more than 2 */
#define FOLDS 5

static double log_prior(const struct transfer *t, const double *x)
{
	return log(fitted_predict(t->prior, x, NULL));
}

/* The log of y over the prior, and the log prior, of each row. */
static enum err take_logs(struct transfer *t, const double *x, const double *y, size_t p,
	double *z, double *r, struct err_ctx *ctx)
{
	for (size_t i = 0; i < t->n; i++) {
		z[i] = log_prior(t, x + i * p);
		if (!isfinite(z[i]))
			return err_set(ctx, ERR_INVALID,
				"cost model: the prior has no value for row %zu", i);
		r[i] = log(y[i]) - z[i];
		t->centre += z[i] / (double)t->n;
	}
	for (size_t i = 0; i < t->n; i++)
		z[i] -= t->centre;
	return ERR_OK;
}

/* Posterior of a and b for this sigma. z sums to zero, so the two do not mix. */
static void fit_line(struct transfer *t, const double *z, const double *r)
{
	double v = t->sigma * t->sigma, zz = 0, zr = 0, sum = 0;

	for (size_t i = 0; i < t->n; i++) {
		zz += z[i] * z[i];
		zr += z[i] * r[i];
		sum += r[i];
	}
	t->var_a = 1 / (1 / (SD_A * SD_A) + (double)t->n / v);
	t->var_b = 1 / (1 / (SD_B * SD_B) + zz / v);
	t->a = t->var_a * sum / v;
	t->b = t->var_b * zr / v;
}

static void fit_sigma(struct transfer *t, const double *z, const double *r)
{
	double ss = SIGMA_ROWS * SIGMA * SIGMA;

	for (size_t i = 0; i < t->n; i++) {
		double d = r[i] - t->a - t->b * z[i];

		ss += d * d;
	}
	t->sigma = sqrt(ss / (SIGMA_ROWS - 2 + (double)t->n)); /* inverse gamma's mean */
}

static double line(const struct transfer *t, const double *x, double *var)
{
	double z = log_prior(t, x), d = t->n ? z - t->centre : 0;

	*var = t->sigma * t->sigma + t->var_a + d * d * t->var_b;
	return exp(fmin(fmax(z + t->a + t->b * d, -600), 600));
}

static enum err fit_ratio(struct transfer *t, const double *x, const double *y, size_t p,
	struct err_ctx *ctx)
{
	const struct cost_model_kind *kind = cost_model_find("bayes");
	double *ratio = malloc(t->n * sizeof(*ratio)), var;
	enum err e;

	if (!ratio)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < t->n; i++)
		ratio[i] = y[i] / line(t, x + i * p, &var);
	e = kind->fit(x, ratio, t->n, p, &t->ratio.model, ctx);
	if (!e)
		t->ratio.kind = kind;
	free(ratio);
	return e;
}

static enum err fit_rows(struct transfer *t, const double *x, const double *y, size_t p,
	struct err_ctx *ctx)
{
	double *z = malloc(t->n * sizeof(*z)), *r = malloc(t->n * sizeof(*r));
	enum err e = z && r ? take_logs(t, x, y, p, z, r, ctx)
			    : err_set(ctx, ERR_NOMEM, "out of memory");

	for (int round = 0; round < 2 && !e; round++) {
		fit_line(t, z, r);
		fit_sigma(t, z, r);
	}
	if (!e)
		fit_line(t, z, r);
	free(z);
	free(r);
	return e;
}

enum err transfer_fit(const struct fitted *prior, const double *x, const double *y,
	size_t n, size_t p, int with_ratio, struct transfer *out, struct err_ctx *ctx)
{
	struct transfer t = {.prior = prior, .n = n, .sigma = SIGMA};
	enum err e = n ? cost_data_check(x, y, n, p, ctx) : ERR_OK;

	if (e)
		return e;
	if (!prior->kind || (with_ratio && !n))
		return err_set(ctx, ERR_INVALID, "cost model: nothing to correct");
	t.var_a = SD_A * SD_A;
	t.var_b = SD_B * SD_B;
	if (n)
		e = fit_rows(&t, x, y, p, ctx);
	if (!e && with_ratio)
		e = fit_ratio(&t, x, y, p, ctx);
	if (!e)
		*out = t;
	return e;
}

void transfer_release(struct transfer *t)
{
	fitted_release(&t->ratio);
	memset(t, 0, sizeof(*t));
}

double transfer_predict(const struct transfer *t, const double *x, double *sd)
{
	double var, prior_sd, mean = line(t, x, &var), ratio_sd = 0, ratio = 1;

	if (t->ratio.kind)
		ratio = fitted_predict(&t->ratio, x, &ratio_sd);
	if (sd && !t->n) { /* what rows would have put into sigma */
		double prior = fitted_predict(t->prior, x, &prior_sd);

		if (isfinite(prior_sd))
			var += prior_sd / prior * (prior_sd / prior);
	}
	if (sd && t->ratio.kind) /* the ratio's model has the noise in its own sd */
		var += ratio_sd / ratio * (ratio_sd / ratio) - t->sigma * t->sigma;
	mean *= ratio;
	if (sd)
		*sd = mean * sqrt(var);
	return mean;
}

/* ---- choosing */

/* Scratch of one cross-validation. */
struct folds {
	const struct fitted *prior;
	const double *x, *y;
	size_t n, p;
	uint32_t *fold;
	double *xt, *yt; /* the rows of the other folds */
	double *predicted[3];
};

static void folds_release(struct folds *f)
{
	free(f->fold);
	free(f->xt);
	free(f->yt);
	for (int i = 0; i < 3; i++)
		free(f->predicted[i]);
}

static enum err folds_init(struct folds *f, struct err_ctx *ctx)
{
	int ok;

	f->fold = calloc(f->n, sizeof(*f->fold));
	f->xt = calloc(f->n * f->p, sizeof(double));
	f->yt = calloc(f->n, sizeof(double));
	ok = f->fold && f->xt && f->yt;
	for (int i = 0; i < 3; i++) {
		f->predicted[i] = calloc(f->n, sizeof(double));
		ok = ok && f->predicted[i];
	}
	return ok ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory");
}

/* Fits the three on the first n_train rows of xt, yt and predicts those of one fold. */
static enum err predict_fold(struct folds *f, const struct cost_model_kind *kind,
	size_t n_train, size_t which, struct err_ctx *ctx)
{
	struct transfer t[2] = {{.prior = NULL}, {.prior = NULL}};
	struct fitted own = {NULL, NULL};
	enum err e = kind->fit(f->xt, f->yt, n_train, f->p, &own.model, ctx);

	if (!e)
		own.kind = kind;
	for (int i = 0; i < 2 && !e; i++)
		e = transfer_fit(f->prior, f->xt, f->yt, n_train, f->p, i, &t[i], ctx);
	for (size_t i = 0; i < f->n && !e; i++) {
		const double *x = f->x + i * f->p;

		if (f->fold[i] != which)
			continue;
		f->predicted[TRANSFER_OWN][i] = fitted_predict(&own, x, NULL);
		f->predicted[TRANSFER_LINE][i] = transfer_predict(&t[0], x, NULL);
		f->predicted[TRANSFER_RATIO][i] = transfer_predict(&t[1], x, NULL);
	}
	fitted_release(&own);
	transfer_release(&t[0]);
	transfer_release(&t[1]);
	return e;
}

static enum err cross_predict(struct folds *f, const struct cost_model_kind *kind,
	unsigned long seed, struct err_ctx *ctx)
{
	size_t k = cost_n_folds(f->n, FOLDS);
	enum err e = cost_draw_folds(f->n, k, seed, f->fold, ctx);

	for (size_t which = 0; which < k && !e; which++) {
		size_t at = 0;

		for (size_t i = 0; i < f->n; i++) {
			if (f->fold[i] == which)
				continue;
			memcpy(f->xt + at * f->p, f->x + i * f->p, f->p * sizeof(double));
			f->yt[at++] = f->y[i];
		}
		e = predict_fold(f, kind, at, which, ctx);
	}
	return e;
}

/* By the rule in the header. */
static enum err choose(struct folds *f, unsigned long seed, struct transfer_choice *c,
	struct err_ctx *ctx)
{
	enum transfer_use best;
	enum err e = folds_init(f, ctx);

	if (!e)
		e = cost_model_choose(f->x, f->y, f->n, f->p, seed, &c->own, NULL, ctx);
	if (!e)
		e = cross_predict(f, c->own.kind, seed, ctx);
	if (e)
		return e;
	for (int i = 0; i < 3; i++)
		c->mape[i] = stats_mape(f->predicted[i], f->y, f->n);
	best = cost_beats(f->predicted[TRANSFER_RATIO], f->predicted[TRANSFER_LINE], f->y,
		       f->n)
		       ? TRANSFER_RATIO
		       : TRANSFER_LINE;
	if (cost_beats(f->predicted[best], f->predicted[TRANSFER_OWN], f->y, f->n))
		c->use = best;
	else
		c->use = TRANSFER_OWN;
	return ERR_OK;
}

enum err transfer_choose(const struct fitted *prior, const double *x, const double *y,
	size_t n, size_t p, unsigned long seed, struct transfer_choice *out,
	struct err_ctx *ctx)
{
	struct transfer_choice c = {.use = TRANSFER_LINE, .mape = {NAN, NAN, NAN}};
	struct folds f = {.prior = prior, .x = x, .y = y, .n = n, .p = p};
	enum err e = n ? cost_data_check(x, y, n, p, ctx) : ERR_OK;

	if (e)
		return e;
	if (n >= TRANSFER_MIN_ROWS)
		e = choose(&f, seed, &c, ctx);
	if (!e)
		e = transfer_fit(
			prior, x, y, n, p, c.use == TRANSFER_RATIO, &c.corrected, ctx);
	folds_release(&f);
	if (e)
		transfer_choice_release(&c);
	else
		*out = c;
	return e;
}

void transfer_choice_release(struct transfer_choice *c)
{
	fitted_release(&c->own);
	transfer_release(&c->corrected);
}

double transfer_choice_predict(
	const struct transfer_choice *c, const double *x, double *sd)
{
	if (c->use == TRANSFER_OWN)
		return fitted_predict(&c->own, x, sd);
	return transfer_predict(&c->corrected, x, sd);
}

void transfer_label(
	const struct transfer_choice *c, const char *name, char *out, size_t cap)
{
	size_t n = c->corrected.n;

	if (c->use == TRANSFER_OWN)
		snprintf(out, cap, "own %s, %zu rows", c->own.kind->name, n);
	else if (!n)
		snprintf(out, cap, "prior of %s", name);
	else
		snprintf(out, cap, "prior of %s, %zu row%s%s", name, n, n == 1 ? "" : "s",
			c->use == TRANSFER_RATIO ? ", ratio" : "");
}
