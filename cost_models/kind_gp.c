/* A small Gaussian process on log y over standardised, logged features: a linear kernel
 * carries the trend, a Matern 5/2 kernel the rest. Length scale, share of the linear part
 * and noise are the grid point with the largest marginal likelihood, the signal
 * variance is profiled out (Rasmussen and Williams 2006, 5.4).
 *
 * Beyond GP_MAX_ROWS the rows are thinned evenly: a challenger, not a workhorse.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/kinds.h"
#include "cost_models/linear_algebra.h"
#include "cost_models/model_text.h"

#define GP_MAX_ROWS 400
#define GP_GRID_ROWS 120

struct cost_model {
	size_t p, n;
	double *centre, *scale, *logged; /* [p]; logged: 1 where log1p is taken first */
	double *z;			 /* [n, p] */
	double *alpha;			 /* [n] K^-1 (log y - mean) */
	double *chol;			 /* [n, n] lower */
	double length, linear, noise;	 /* noise and linear relative to the signal */
	double mean, variance, lo, hi;	 /* of log y */
};

static void release(struct cost_model *m)
{
	if (!m)
		return;
	free(m->centre);
	free(m->scale);
	free(m->logged);
	free(m->z);
	free(m->alpha);
	free(m->chol);
	free(m);
}

static struct cost_model *new_gp(size_t p, size_t n)
{
	struct cost_model *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->p = p;
	m->n = n;
	m->centre = calloc(p, sizeof(double));
	m->scale = calloc(p, sizeof(double));
	m->logged = calloc(p, sizeof(double));
	m->z = calloc(n * p, sizeof(double));
	m->alpha = calloc(n, sizeof(double));
	m->chol = calloc(n * n, sizeof(double));
	if (m->centre && m->scale && m->logged && m->z && m->alpha && m->chol)
		return m;
	release(m);
	return NULL;
}

/* One feature, standardised; divided by sqrt(p), so that distances do not grow with p. */
static double standard(const struct cost_model *m, size_t j, double x)
{
	double t = m->logged[j] > 0 ? log1p(fmax(x, 0)) : x;

	return (t - m->centre[j]) * m->scale[j];
}

static double kernel(const struct cost_model *m, const double *a, const double *b)
{
	double dot = 0, d2 = 0, r;

	for (size_t j = 0; j < m->p; j++) {
		double d = a[j] - b[j];

		dot += a[j] * b[j];
		d2 += d * d;
	}
	r = sqrt(5 * d2) / m->length;
	return m->linear * dot + (1 + r + r * r / 3) * exp(-r);
}

/* Takes the model's n rows, evenly thinned, from the caller's. */
static void standardise(struct cost_model *m, const double *x, size_t n_all)
{
	for (size_t j = 0; j < m->p; j++) {
		double sum = 0, ss = 0, size = 0;

		m->logged[j] = 1;
		for (size_t i = 0; i < n_all; i++)
			if (x[i * m->p + j] < 0)
				m->logged[j] = 0;
		m->scale[j] = 1;
		for (size_t i = 0; i < m->n; i++) {
			double t = standard(m, j, x[(i * n_all / m->n) * m->p + j]);

			m->z[i * m->p + j] = t;
			sum += t;
			size = fmax(size, fabs(t));
		}
		m->centre[j] = sum / (double)m->n;
		for (size_t i = 0; i < m->n; i++)
			ss += pow(m->z[i * m->p + j] - m->centre[j], 2);
		ss = sqrt(ss / (double)m->n);
		m->scale[j] = ss > 1e-10 * size ? 1 / (ss * sqrt((double)m->p)) : 0;
		for (size_t i = 0; i < m->n; i++)
			m->z[i * m->p + j] =
				(m->z[i * m->p + j] - m->centre[j]) * m->scale[j];
	}
}

/* Factor, alpha and profiled variance on every `step`-th row (compacted); returns twice
 * the negative log marginal likelihood, INFINITY where the factor fails. */
static double condition(struct cost_model *m, const double *log_y, size_t step)
{
	size_t n = (m->n + step - 1) / step;
	double fit = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j <= i; j++)
			m->chol[i * n + j] =
				kernel(m, m->z + i * step * m->p, m->z + j * step * m->p);
		m->chol[i * n + i] += m->noise + 1e-10;
		m->alpha[i] = log_y[i * step] - m->mean;
	}
	if (!la_cholesky(m->chol, n))
		return INFINITY;
	la_solve_lower(m->chol, n, m->alpha);
	fit = la_dot(m->alpha, m->alpha, n);
	la_solve_upper(m->chol, n, m->alpha);
	m->variance = fmax(fit / (double)n, 1e-14);
	return (double)n * log(m->variance) + la_log_det(m->chol, n);
}

static int choose(struct cost_model *m, const double *log_y)
{
	static const double lengths[] = {0.25, 0.5, 1, 2, 4};
	static const double linears[] = {0.01, 1, 100};
	static const double noises[] = {1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1};
	size_t step = m->n / GP_GRID_ROWS + 1;
	double best = INFINITY, at[3] = {1, 1, 1};

	for (size_t a = 0; a < sizeof(lengths) / sizeof(*lengths); a++)
		for (size_t b = 0; b < sizeof(linears) / sizeof(*linears); b++)
			for (size_t c = 0; c < sizeof(noises) / sizeof(*noises); c++) {
				double v;

				m->length = lengths[a];
				m->linear = linears[b];
				m->noise = noises[c];
				v = condition(m, log_y, step);
				if (v < best) {
					best = v;
					at[0] = m->length;
					at[1] = m->linear;
					at[2] = m->noise;
				}
			}
	m->length = at[0];
	m->linear = at[1];
	m->noise = at[2];
	while (!isfinite(condition(m, log_y, 1))) {
		if (m->noise > 1e3)
			return 0;
		m->noise = m->noise * 10 + 1e-6;
	}
	return 1;
}

static enum err fit(const double *x, const double *y, size_t n, size_t p,
	struct cost_model **out, struct err_ctx *ctx)
{
	enum err e = cost_data_check(x, y, n, p, ctx);
	struct cost_model *m;
	double *log_y;

	if (e)
		return e;
	m = new_gp(p, n < GP_MAX_ROWS ? n : GP_MAX_ROWS);
	log_y = malloc(n * sizeof(*log_y));
	if (!m || !log_y) {
		release(m);
		free(log_y);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	standardise(m, x, n);
	m->lo = INFINITY;
	m->hi = -INFINITY;
	for (size_t i = 0; i < m->n; i++) {
		log_y[i] = log(y[i * n / m->n]);
		m->mean += log_y[i] / (double)m->n;
		m->lo = fmin(m->lo, log_y[i]);
		m->hi = fmax(m->hi, log_y[i]);
	}
	if (!choose(m, log_y)) {
		e = err_set(ctx, ERR_INVALID, "cost model: features too large for 'gp'");
		release(m);
	} else {
		if (n < 3)
			m->variance = fmax(m->variance, 0.25);
		*out = m;
	}
	free(log_y);
	return e;
}

static void predict(const struct cost_model *m, const double *x, double *mean, double *sd)
{
	double z[COST_MAX_P], k[GP_MAX_ROWS], f = m->mean, v;

	for (size_t j = 0; j < m->p; j++)
		z[j] = standard(m, j, x[j]);
	for (size_t i = 0; i < m->n; i++) {
		k[i] = kernel(m, z, m->z + i * m->p);
		f += k[i] * m->alpha[i];
	}
	/* a log-linear trend explodes far outside: one decade beyond what was seen */
	f = fmin(fmax(f, m->lo - log(10)), m->hi + log(10));
	*mean = exp(f);
	if (!sd)
		return;
	v = kernel(m, z, z) + m->noise;
	la_solve_lower(m->chol, m->n, k);
	v = fmax(v - la_dot(k, k, m->n), m->noise) * m->variance;
	*sd = *mean * fmin(sqrt(expm1(fmin(v, 4))), 10);
}

static void save(const struct cost_model *m, struct model_writer *w)
{
	const double numbers[] = {
		m->length, m->linear, m->noise, m->mean, m->variance, m->lo, m->hi};

	model_write_size(w, "p", m->p);
	model_write_size(w, "n", m->n);
	model_write_doubles(w, "length,linear,noise,mean,variance,lo,hi", numbers, 7);
	model_write_doubles(w, "centre", m->centre, m->p);
	model_write_doubles(w, "scale", m->scale, m->p);
	model_write_doubles(w, "logged", m->logged, m->p);
	model_write_doubles(w, "alpha", m->alpha, m->n);
	for (size_t i = 0; i < m->n; i++)
		model_write_doubles(w, "row", m->z + i * m->p, m->p);
	for (size_t i = 0; i < m->n; i++)
		model_write_doubles(w, "factor", m->chol + i * m->n, i + 1);
}

static struct cost_model *load(struct model_reader *r, size_t p)
{
	size_t n = model_read_size(r, "n", 1, GP_MAX_ROWS);
	struct cost_model *m = r->err ? NULL : new_gp(p, n);
	double v[7] = {0};

	if (!m)
		return NULL;
	model_read_doubles(r, "length,linear,noise,mean,variance,lo,hi", v, 7);
	model_read_doubles(r, "centre", m->centre, m->p);
	model_read_doubles(r, "scale", m->scale, m->p);
	model_read_doubles(r, "logged", m->logged, m->p);
	model_read_doubles(r, "alpha", m->alpha, m->n);
	for (size_t i = 0; i < m->n && !r->err; i++)
		model_read_doubles(r, "row", m->z + i * m->p, m->p);
	for (size_t i = 0; i < m->n && !r->err; i++) {
		model_read_doubles(r, "factor", m->chol + i * m->n, i + 1);
		if (!r->err && m->chol[i * m->n + i] <= 0)
			model_reader_fail(r, "a positive diagonal is expected");
	}
	m->length = v[0];
	m->linear = v[1];
	m->noise = v[2];
	m->mean = v[3];
	m->variance = v[4];
	m->lo = v[5];
	m->hi = v[6];
	if (!r->err && (v[0] <= 0 || v[1] < 0 || v[2] < 0 || v[4] <= 0 || v[6] < v[5]))
		model_reader_fail(r, "a positive scale is expected");
	return m;
}

const struct cost_model_kind cost_kind_gp = {
	.name = "gp",
	.summary = "Gaussian process on logged features",
	.fit = fit,
	.predict = predict,
	.save = save,
	.load = load,
	.free = release,
};
