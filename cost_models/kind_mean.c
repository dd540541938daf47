/* One constant for all: the baseline that uses no feature. It is the constant with the
 * least mean relative error (a weighted median), since the arithmetic mean would be an
 * easier opponent.
 */
#include <math.h>
#include <stdlib.h>

#include "cost_models/kinds.h"
#include "cost_models/model_text.h"

struct cost_model {
	size_t p;
	double value[2]; /* constant, relative spread */
};

static enum err fit(const double *x, const double *y, size_t n, size_t p,
	struct cost_model **out, struct err_ctx *ctx)
{
	enum err e = cost_data_check(x, y, n, p, ctx);
	struct cost_model *m;
	double ss = 0;

	if (e)
		return e;
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	m->p = p;
	m->value[0] = cost_best_constant(y, n);
	if (isnan(m->value[0])) {
		free(m);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < n; i++)
		ss += pow((y[i] - m->value[0]) / m->value[0], 2);
	m->value[1] = fmax(sqrt(ss / (double)n), cost_sigma_floor(n));
	*out = m;
	return ERR_OK;
}

static void predict(const struct cost_model *m, const double *x, double *mean, double *sd)
{
	(void)x;
	*mean = m->value[0];
	if (sd)
		*sd = m->value[0] * m->value[1];
}

static void save(const struct cost_model *m, struct model_writer *w)
{
	model_write_size(w, "p", m->p);
	model_write_doubles(w, "value", m->value, 2);
}

static struct cost_model *load(struct model_reader *r, size_t p)
{
	struct cost_model *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->p = p;
	model_read_doubles(r, "value", m->value, 2);
	if (!r->err && (m->value[0] <= 0 || m->value[1] < 0))
		model_reader_fail(r, "a positive value is expected");
	return m;
}

static void release(struct cost_model *m)
{
	free(m);
}

const struct cost_model_kind cost_kind_mean = {
	.name = "mean",
	.summary = "one constant for all",
	.baseline = 1,
	.fit = fit,
	.predict = predict,
	.save = save,
	.load = load,
	.free = release,
};
