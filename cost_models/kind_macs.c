/* MACs only: the baseline that most published searches rely on. Either y = a + b macs
 * with a, b >= 0, or y = c macs^q with q >= 0: whichever has the lower mean relative
 * error when each row is left out (folds of one; at most 200 rows are left out).
 */
#include <math.h>
#include <stdlib.h>

#include "cost_models/kinds.h"
#include "cost_models/model_text.h"

struct cost_model {
	size_t p;
	size_t power;	 /* 0: affine, 1: power law */
	double value[5]; /* a b (or log c, q), relative spread, smallest and largest y */
};

struct sums {
	double n, s, ss, t, st; /* weights, x, x^2, y, x y */
};

static void add(struct sums *a, double w, double x, double y)
{
	a->n += w;
	a->s += w * x;
	a->ss += w * x * x;
	a->t += w * y;
	a->st += w * x * y;
}

/* Slope and intercept, both kept >= 0 where `positive`; slope >= 0 always. */
static void solve(const struct sums *a, int positive, double *c0, double *c1)
{
	double sxx = a->ss - a->s * a->s / a->n, sxy = a->st - a->s * a->t / a->n;

	*c1 = sxx > 1e-12 * a->ss ? fmax(sxy / sxx, 0) : 0;
	*c0 = (a->t - *c1 * a->s) / a->n;
	if (positive && *c0 < 0) {
		*c0 = 0;
		*c1 = fmax(a->st / a->ss, 0);
	}
}

static double evaluate(const struct cost_model *m, double macs)
{
	const double *v = m->value;
	double f =
		m->power ? exp(v[0] + v[1] * log(fmax(macs, 1e-9))) : v[0] + v[1] * macs;

	return cost_positive(f, v[3], v[4]);
}

/* Sums over all rows, and the sums' share of one row. */
static void row_sums(struct sums *s, int power, double macs, double y, double sign)
{
	if (power)
		add(s, sign, log(macs), log(y));
	else
		add(s, sign / (y * y), macs, y);
}

/* Mean relative error with each row left out in turn; leaves the fit on all in m. */
static double left_out_error(
	struct cost_model *m, const double *x, const double *y, size_t n, size_t p)
{
	size_t step = n / 200 + 1, count = 0;
	struct sums all = {0};
	double error = 0;

	for (size_t i = 0; i < n; i++)
		row_sums(&all, m->power != 0, x[i * p], y[i], 1);
	for (size_t i = 0; i < n && n > 2; i += step, count++) {
		struct sums rest = all;

		row_sums(&rest, m->power != 0, x[i * p], y[i], -1);
		solve(&rest, !m->power, &m->value[0], &m->value[1]);
		error += fabs(evaluate(m, x[i * p]) - y[i]) / y[i];
	}
	solve(&all, !m->power, &m->value[0], &m->value[1]);
	return count ? error / (double)count : 0;
}

static enum err fit(const double *x, const double *y, size_t n, size_t p,
	struct cost_model **out, struct err_ctx *ctx)
{
	enum err e = cost_data_check(x, y, n, p, ctx);
	struct cost_model *m, law = {0};
	int can_power = n > 2;
	double ss = 0, error;

	if (e)
		return e;
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	m->p = p;
	m->value[3] = INFINITY;
	for (size_t i = 0; i < n; i++) {
		m->value[3] = fmin(m->value[3], y[i]);
		m->value[4] = fmax(m->value[4], y[i]);
		can_power = can_power && x[i * p] > 0;
	}
	law = *m;
	law.power = 1;
	error = left_out_error(m, x, y, n, p);
	if (can_power && left_out_error(&law, x, y, n, p) < error)
		*m = law;
	for (size_t i = 0; i < n; i++)
		ss += pow(y[i] / evaluate(m, x[i * p]) - 1, 2);
	m->value[2] = fmax(sqrt(ss / (double)(n > 2 ? n - 2 : 1)), cost_sigma_floor(n));
	*out = m;
	return ERR_OK;
}

static void predict(const struct cost_model *m, const double *x, double *mean, double *sd)
{
	*mean = evaluate(m, x[0]);
	if (sd)
		*sd = *mean * m->value[2];
}

static void save(const struct cost_model *m, struct model_writer *w)
{
	model_write_size(w, "p", m->p);
	model_write_size(w, "power", m->power);
	model_write_doubles(w, "value", m->value, 5);
}

static struct cost_model *load(struct model_reader *r, size_t p)
{
	struct cost_model *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->p = p;
	m->power = model_read_size(r, "power", 0, 1);
	model_read_doubles(r, "value", m->value, 5);
	if (!r->err && (m->value[2] < 0 || m->value[3] <= 0 || m->value[4] < m->value[3]))
		model_reader_fail(r, "a positive range is expected");
	return m;
}

static void release(struct cost_model *m)
{
	free(m);
}

const struct cost_model_kind cost_kind_macs = {
	.name = "macs",
	.summary = "affine or power law of the MACs alone",
	.baseline = 1,
	.fit = fit,
	.predict = predict,
	.save = save,
	.load = load,
	.free = release,
};
