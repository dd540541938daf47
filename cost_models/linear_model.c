#include "cost_models/linear_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/linear_algebra.h"
#include "cost_models/model_text.h"

#define LAMBDA_LO 1e-8
#define LAMBDA_STEP 3.1622776601683795 /* half a decade */
#define N_LAMBDAS 20

void linear_free(struct cost_model *m)
{
	if (!m)
		return;
	free(m->centre);
	free(m->scale);
	free(m->beta);
	free(m->chol);
	free(m);
}

static struct cost_model *new_linear(size_t p)
{
	struct cost_model *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->p = p;
	m->centre = calloc(p, sizeof(double));
	m->scale = calloc(p, sizeof(double));
	m->beta = calloc(p, sizeof(double));
	m->chol = calloc(p * p, sizeof(double));
	if (!m->centre || !m->scale || !m->beta || !m->chol) {
		linear_free(m);
		return NULL;
	}
	return m;
}

/* What one fit works with. */
struct work {
	const struct linear_data *d;
	double *z;    /* [n, p] standardised */
	double *v;    /* [n] normalised weights */
	double *gram; /* [p, p] lower */
	double *zy;   /* [p] */
	double *row;  /* [p] scratch */
	double sum_w, y_mean;
};

static void work_release(struct work *k)
{
	free(k->z);
	free(k->v);
	free(k->gram);
	free(k->zy);
	free(k->row);
}

static int work_init(struct work *k, const struct linear_data *d)
{
	memset(k, 0, sizeof(*k));
	k->d = d;
	k->z = malloc(d->n * d->p * sizeof(double));
	k->v = malloc(d->n * sizeof(double));
	k->gram = calloc(d->p * d->p, sizeof(double));
	k->zy = calloc(d->p, sizeof(double));
	k->row = malloc(d->p * sizeof(double));
	if (k->z && k->v && k->gram && k->zy && k->row)
		return 1;
	work_release(k);
	return 0;
}

static void standardise(struct work *k, struct cost_model *m)
{
	const struct linear_data *d = k->d;

	for (size_t i = 0; i < d->n; i++)
		k->sum_w += d->w[i];
	for (size_t i = 0; i < d->n; i++) {
		k->v[i] = d->w[i] / k->sum_w;
		k->y_mean += k->v[i] * d->y[i];
		for (size_t j = 0; j < d->p; j++)
			m->centre[j] += k->v[i] * d->x[i * d->p + j];
	}
	for (size_t j = 0; j < d->p; j++) {
		double ss = 0, sd, size = fabs(m->centre[j]);

		for (size_t i = 0; i < d->n; i++) {
			double c = d->x[i * d->p + j] - m->centre[j];

			ss += k->v[i] * c * c;
			size = fmax(size, fabs(d->x[i * d->p + j]));
		}
		sd = sqrt(ss);
		m->scale[j] = sd > 1e-10 * size && isfinite(1 / sd) ? 1 / sd : 0;
	}
	for (size_t i = 0; i < d->n; i++)
		for (size_t j = 0; j < d->p; j++)
			k->z[i * d->p + j] =
				(d->x[i * d->p + j] - m->centre[j]) * m->scale[j];
}

static void products(struct work *k)
{
	const struct linear_data *d = k->d;

	for (size_t i = 0; i < d->n; i++) {
		const double *z = k->z + i * d->p;
		double y = d->y[i] - k->y_mean;

		for (size_t a = 0; a < d->p; a++) {
			double s = k->v[i] * z[a];

			k->zy[a] += s * y;
			for (size_t b = 0; b <= a; b++)
				k->gram[a * d->p + b] += s * z[b];
		}
	}
}

/* Factor and coefficients for one penalty; 0 when it is too small for these data. */
static int solve(const struct work *k, struct cost_model *m, double lambda)
{
	size_t p = m->p;

	memcpy(m->chol, k->gram, p * p * sizeof(double));
	for (size_t j = 0; j < p; j++)
		m->chol[j * p + j] += lambda;
	if (!la_cholesky(m->chol, p))
		return 0;
	memcpy(m->beta, k->zy, p * sizeof(double));
	la_solve_lower(m->chol, p, m->beta);
	la_solve_upper(m->chol, p, m->beta);
	m->lambda = lambda;
	m->intercept = k->y_mean;
	return 1;
}

/* 1 + z' A^-1 z: how far a row lies from the centre of what was seen. */
static double spread_at(const struct cost_model *m, const double *z, double *scratch)
{
	memcpy(scratch, z, m->p * sizeof(double));
	la_solve_lower(m->chol, m->p, scratch);
	return 1 + la_dot(scratch, scratch, m->p);
}

struct left_out {
	double squared;	 /* sum of w e^2 */
	double absolute; /* sum of sqrt(w) |e| */
	double variance; /* mean of w e r: left-out times fitted residual, unbiased */
	double rss;	 /* sum of w r^2 */
};

static void leave_out(
	const struct work *k, const struct cost_model *m, struct left_out *o)
{
	const struct linear_data *d = k->d;

	memset(o, 0, sizeof(*o));
	for (size_t i = 0; i < d->n; i++) {
		const double *z = k->z + i * d->p;
		double r = d->y[i] - m->intercept - la_dot(z, m->beta, d->p);
		double h = k->v[i] * spread_at(m, z, k->row);
		double e = r / fmax(1 - h, 1e-9);

		o->squared += d->w[i] * e * e;
		o->absolute += sqrt(d->w[i]) * fabs(e);
		o->variance += d->w[i] * r * e / (double)d->n;
		o->rss += d->w[i] * r * r;
	}
}

/* Twice the negative log marginal likelihood, noise variance profiled out. */
static double evidence(const struct work *k, const struct cost_model *m)
{
	struct left_out o;
	double n = (double)k->d->n, s;

	leave_out(k, m, &o);
	s = o.rss + m->lambda * k->sum_w * la_dot(m->beta, m->beta, m->p);
	return (n - 1) * log(fmax(s, 1e-300)) + la_log_det(m->chol, m->p) -
	       (double)m->p * log(m->lambda);
}

static double criterion(
	const struct work *k, const struct cost_model *m, enum linear_rule rule)
{
	struct left_out o;

	if (rule == LINEAR_EVIDENCE)
		return evidence(k, m);
	leave_out(k, m, &o);
	return rule == LINEAR_LOO ? o.squared : o.absolute;
}

static int choose_lambda(
	const struct work *k, struct cost_model *m, enum linear_rule rule)
{
	double best = INFINITY, best_lambda = 0, lambda = LAMBDA_LO;

	if (k->d->n < 3)
		return solve(k, m, 1);
	for (int i = 0; i < N_LAMBDAS; i++, lambda *= LAMBDA_STEP) {
		double c;

		if (!solve(k, m, lambda))
			continue;
		c = criterion(k, m, rule);
		if (c <= best) { /* ties go to the larger penalty */
			best = c;
			best_lambda = lambda;
		}
	}
	return best_lambda > 0 && solve(k, m, best_lambda);
}

static void finish(const struct work *k, struct cost_model *m)
{
	const struct linear_data *d = k->d;
	struct left_out o;

	leave_out(k, m, &o);
	m->sigma = fmax(sqrt(o.variance), cost_sigma_floor(d->n));
	m->var0 = m->sigma * m->sigma / k->sum_w;
	m->y_lo = m->y_hi = d->y[0];
	for (size_t i = 0; i < d->n; i++) {
		m->y_lo = fmin(m->y_lo, d->y[i]);
		m->y_hi = fmax(m->y_hi, d->y[i]);
	}
}

enum err linear_fit(const struct linear_data *d, enum linear_rule rule, double lambda,
	struct cost_model **out, struct err_ctx *ctx)
{
	struct cost_model *m = new_linear(d->p);
	struct work k = {0};
	int ok;

	if (!m || !work_init(&k, d)) {
		linear_free(m);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	standardise(&k, m);
	products(&k);
	ok = lambda > 0 ? solve(&k, m, lambda) : choose_lambda(&k, m, rule);
	if (ok)
		finish(&k, m);
	work_release(&k);
	if (!ok || !isfinite(m->sigma) || !isfinite(m->intercept)) {
		linear_free(m);
		return err_set(ctx, ERR_INVALID,
			"cost model: numbers too large or too small for a linear fit");
	}
	*out = m;
	return ERR_OK;
}

enum err linear_fit_relative(const double *x, const double *y, size_t n, size_t p,
	enum linear_rule rule, struct cost_model **out, struct err_ctx *ctx)
{
	enum err e = cost_data_check(x, y, n, p, ctx);
	struct linear_data d = {.x = x, .y = y, .n = n, .p = p};
	double *w;

	if (e)
		return e;
	w = malloc(n * sizeof(*w));
	if (!w)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		w[i] = 1 / (y[i] * y[i]);
	d.w = w;
	e = linear_fit(&d, rule, 0, out, ctx);
	free(w);
	return e;
}

double linear_raw(const struct cost_model *m, const double *x)
{
	double f = m->intercept;

	for (size_t j = 0; j < m->p; j++)
		f += (x[j] - m->centre[j]) * m->scale[j] * m->beta[j];
	return f;
}

void linear_predict(const struct cost_model *m, const double *x, double *mean, double *sd)
{
	double buf[COST_MAX_P], f = 0;

	*mean = cost_positive(linear_raw(m, x), m->y_lo, m->y_hi);
	if (!sd)
		return;
	for (size_t j = 0; j < m->p; j++)
		buf[j] = (x[j] - m->centre[j]) * m->scale[j];
	la_solve_lower(m->chol, m->p, buf);
	f = 1 + la_dot(buf, buf, m->p);
	*sd = sqrt(m->sigma * m->sigma * *mean * *mean + m->var0 * f);
	if (!isfinite(*sd))
		*sd = 100 * m->y_hi;
}

void linear_save(const struct cost_model *m, struct model_writer *w)
{
	const double numbers[] = {
		m->intercept, m->lambda, m->sigma, m->var0, m->y_lo, m->y_hi};

	model_write_size(w, "p", m->p);
	model_write_doubles(w, "intercept,lambda,sigma,var0,lo,hi", numbers, 6);
	model_write_doubles(w, "centre", m->centre, m->p);
	model_write_doubles(w, "scale", m->scale, m->p);
	model_write_doubles(w, "beta", m->beta, m->p);
	for (size_t i = 0; i < m->p; i++)
		model_write_doubles(w, "factor", m->chol + i * m->p, i + 1);
}

struct cost_model *linear_load(struct model_reader *r, size_t p)
{
	struct cost_model *m = new_linear(p);
	double numbers[6] = {0};

	if (!m)
		return NULL;
	model_read_doubles(r, "intercept,lambda,sigma,var0,lo,hi", numbers, 6);
	model_read_doubles(r, "centre", m->centre, m->p);
	model_read_doubles(r, "scale", m->scale, m->p);
	model_read_doubles(r, "beta", m->beta, m->p);
	for (size_t i = 0; i < m->p && !r->err; i++) {
		model_read_doubles(r, "factor", m->chol + i * m->p, i + 1);
		if (!r->err && m->chol[i * m->p + i] <= 0)
			model_reader_fail(r, "a positive diagonal is expected");
	}
	m->intercept = numbers[0];
	m->lambda = numbers[1];
	m->sigma = numbers[2];
	m->var0 = numbers[3];
	m->y_lo = numbers[4];
	m->y_hi = numbers[5];
	if (!r->err && (m->y_lo <= 0 || m->y_hi < m->y_lo || m->sigma < 0 || m->var0 < 0))
		model_reader_fail(r, "a positive range is expected");
	return m;
}
