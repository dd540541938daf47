#include "cost_models/transfer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/kinds.h"
#include "src/base/stats.h"

#define SD_A 2.3 /* log of a factor of ten: how devices differ */
#define FOLDS 5

/* What is believed of a line before there are rows: each of these noises (of log y) with
 * each of these spreads of the exponent; MACs with each of these constants beside them, in
 * multiples of the rows' mean. */
static const double sigmas[TRANSFER_SIGMAS] = {
	0.02, 0.035, 0.06, 0.1, 0.18, 0.3, 0.5, 0.85, 1.4};
static const double slopes[TRANSFER_SLOPES] = {0.1, 0.5};
static const double offsets[TRANSFER_OFFSETS] = {0, 0.3, 1, 4};
#define LEAN                                                                             \
	2 /* predictions lean to prior or MACs by this power of how well they foretold */

/* ---- lines */

static double base(const struct transfer *t, size_t which, const double *x)
{
	if (which == TRANSFER_PRIOR)
		return log(fitted_predict(t->prior, x, NULL));
	return log(fmax(x[0], 1e-9) + offsets[which - 1] * t->macs);
}

static size_t n_lines(const struct transfer *t)
{
	return t->n ? TRANSFER_LINES : 1;
}

/* In all lines on MACs: one row tells nothing about how y grows with them. */
static double macs_belief(const struct transfer *t)
{
	return t->n > 1 ? 0.5 : t->n ? 0.3 : 0;
}

/* Sums over the rows of z, the base less its mean, and r, log y over the base likewise. */
struct moments {
	double zz, zr, rr;
};

static enum err take_moments(struct transfer *t, size_t which, const double *x,
	const double *y, size_t p, struct moments *m, struct err_ctx *ctx)
{
	struct transfer_line *l = &t->line[which];

	l->centre = l->a = 0;
	for (size_t i = 0; i < t->n; i++) {
		double z = base(t, which, x + i * p);

		if (!isfinite(z))
			return err_set(ctx, ERR_INVALID,
				"cost model: the prior has no value for row %zu", i);
		l->centre += z / (double)t->n;
		l->a += (log(y[i]) - z) / (double)t->n;
	}
	*m = (struct moments){0, 0, 0};
	for (size_t i = 0; i < t->n; i++) {
		double z = base(t, which, x + i * p), r = log(y[i]) - z - l->a;

		z -= l->centre;
		m->zz += z * z;
		m->zr += z * r;
		m->rr += r * r;
	}
	return ERR_OK;
}

/* The exponent's posterior for one noise and spread, and the log of how well the rows were
 * foretold, the offset integrated out. */
static double fit_state(struct transfer_state *s, const struct moments *m, size_t n,
	double sigma, double spread)
{
	double v = sigma * sigma, precision = 1 / (spread * spread) + m->zz / v;

	s->var_b = 1 / precision;
	s->b = m->zr / v / precision;
	return -(n ? (double)n - 1 : 0) * log(sigma) - 0.5 * m->rr / v +
	       0.5 * m->zr / v * s->b - 0.5 * log(spread * spread * precision);
}

static void fit_line(struct transfer *t, size_t which, const struct moments *m)
{
	struct transfer_state *s = t->line[which].state;
	double macs = macs_belief(t);
	double belief = which == TRANSFER_PRIOR ? 1 - macs : macs / TRANSFER_OFFSETS;

	for (size_t k = 0; k < TRANSFER_SIGMAS; k++)
		for (size_t j = 0; j < TRANSFER_SLOPES; j++, s++)
			s->weight =
				fit_state(s, m, t->n, sigmas[k], slopes[j]) + log(belief);
}

/* Weights from their logs. */
static void weigh(struct transfer *t)
{
	double most = -INFINITY, sum = 0, v = 0, share[2] = {0, 0}, odds[2];

	for (size_t which = 0; which < n_lines(t); which++)
		for (size_t k = 0; k < TRANSFER_STATES; k++)
			most = fmax(most, t->line[which].state[k].weight);
	for (size_t which = 0; which < n_lines(t); which++)
		for (size_t k = 0; k < TRANSFER_STATES; k++) {
			struct transfer_state *s = &t->line[which].state[k];
			double sigma = sigmas[k / TRANSFER_SLOPES];

			s->weight = exp(s->weight - most);
			share[which != TRANSFER_PRIOR] += s->weight;
			v += s->weight * sigma * sigma;
		}
	sum = share[0] + share[1];
	for (size_t which = 0; which < n_lines(t); which++)
		for (size_t k = 0; k < TRANSFER_STATES; k++)
			t->line[which].state[k].weight /= sum;
	t->sigma = sqrt(v / sum);
	odds[0] = (1 - macs_belief(t)) * pow(share[0] / sum / (1 - macs_belief(t)), LEAN);
	odds[1] = t->n ? macs_belief(t) * pow(share[1] / sum / macs_belief(t), LEAN) : 0;
	t->macs_share = odds[1] / (odds[0] + odds[1]);
	t->lean[0] = share[0] > 0 ? (1 - t->macs_share) * sum / share[0] : 0;
	t->lean[1] = share[1] > 0 ? t->macs_share * sum / share[1] : 0;
}

/* Mean of log y, leaning, and the variance about it over lines, noises and spreads. */
static double mix(const struct transfer *t, const double *x, double *var)
{
	double mean = 0, middle = 0, square = 0, inner = 0;
	double away = t->n ? 1 / (double)t->n : 0;

	for (size_t which = 0; which < n_lines(t); which++) {
		const struct transfer_line *l = &t->line[which];
		double z = base(t, which, x), d = t->n ? z - l->centre : 0;
		double lean = t->lean[which != TRANSFER_PRIOR];

		for (size_t k = 0; k < TRANSFER_STATES; k++) {
			const struct transfer_state *s = &l->state[k];
			double sigma = sigmas[k / TRANSFER_SLOPES];
			double at = z + l->a + s->b * d;

			mean += s->weight * lean * at;
			middle += s->weight * at;
			square += s->weight * at * at;
			inner += s->weight *
				 (sigma * sigma * (1 + away) + d * d * s->var_b);
		}
	}
	if (!t->n)
		inner += SD_A * SD_A;
	*var = inner + fmax(square - 2 * mean * middle + mean * mean, 0);
	return mean;
}

static double line(const struct transfer *t, const double *x, double *var)
{
	return exp(fmin(fmax(mix(t, x, var), -600), 600));
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

enum err transfer_fit(const struct fitted *prior, const double *x, const double *y,
	size_t n, size_t p, int with_ratio, struct transfer *out, struct err_ctx *ctx)
{
	struct transfer t = {.prior = prior, .n = n};
	enum err e = n ? cost_data_check(x, y, n, p, ctx) : ERR_OK;

	if (e)
		return e;
	if (!prior->kind || (with_ratio && !n))
		return err_set(ctx, ERR_INVALID, "cost model: nothing to correct");
	for (size_t i = 0; i < n; i++)
		t.macs += log(fmax(x[i * p], 1e-9)) / (double)n;
	t.macs = exp(t.macs);
	for (size_t which = 0; which < n_lines(&t) && !e; which++) {
		struct moments m = {0, 0, 0};

		e = take_moments(&t, which, x, y, p, &m, ctx);
		if (!e)
			fit_line(&t, which, &m);
	}
	weigh(&t);
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
		snprintf(out, cap, "%sprior of %s, %zu row%s%s",
			c->corrected.macs_share > 0.5 ? "macs and " : "", name, n,
			n == 1 ? "" : "s", c->use == TRANSFER_RATIO ? ", ratio" : "");
}
