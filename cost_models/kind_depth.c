/* A table of one constant per depth (feature 1): the baseline that rough searches use,
 * and hard to beat where an engine hardly looks at the widths. Unseen depths are
 * interpolated; beyond the ends the end's value holds.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/kinds.h"
#include "cost_models/model_text.h"

struct cost_model {
	size_t p;
	size_t n;      /* rows of the table */
	double spread; /* relative */
	double *depth; /* [n] ascending */
	double *value; /* [n] */
};

struct pair {
	double depth, y;
};

static int compare(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return (x->y > y->y) - (x->y < y->y);
}

static void release(struct cost_model *m)
{
	free(m->depth);
	free(m->value);
	free(m);
}

static struct cost_model *new_table(size_t p, size_t n)
{
	struct cost_model *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->p = p;
	m->n = n;
	m->depth = calloc(n, sizeof(*m->depth));
	m->value = calloc(n, sizeof(*m->value));
	if (!m->depth || !m->value) {
		release(m);
		return NULL;
	}
	return m;
}

static double look_up(const struct cost_model *m, double depth)
{
	size_t i = 0;
	double share;

	while (i < m->n && m->depth[i] < depth)
		i++;
	if (i == m->n)
		return m->value[m->n - 1];
	if (i == 0 || m->depth[i] <= depth)
		return m->value[i];
	share = (depth - m->depth[i - 1]) / (m->depth[i] - m->depth[i - 1]);
	return m->value[i - 1] + share * (m->value[i] - m->value[i - 1]);
}

/* Turns the sorted pairs into table rows; y is scratch for one depth's values. */
static int fill(struct cost_model *m, const struct pair *pairs, size_t n, double *y)
{
	double ss = 0;

	m->n = 0;
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i; end < n && pairs[end].depth == pairs[i].depth; end++)
			y[end - i] = pairs[end].y;
		m->depth[m->n] = pairs[i].depth;
		m->value[m->n] = cost_best_constant(y, end - i);
		if (isnan(m->value[m->n]))
			return 0;
		m->n++;
	}
	for (size_t i = 0; i < n; i++)
		ss += pow(pairs[i].y / look_up(m, pairs[i].depth) - 1, 2);
	m->spread =
		fmax(sqrt(ss / (double)(n > m->n ? n - m->n : 1)), cost_sigma_floor(n));
	return 1;
}

static enum err fit(const double *x, const double *y, size_t n, size_t p,
	struct cost_model **out, struct err_ctx *ctx)
{
	enum err e = cost_data_check(x, y, n, p, ctx);
	struct pair *pairs;
	struct cost_model *m;
	double *scratch;

	if (e)
		return e;
	pairs = calloc(n, sizeof(*pairs));
	scratch = calloc(n, sizeof(*scratch));
	m = new_table(p, n);
	if (pairs && scratch && m) {
		for (size_t i = 0; i < n; i++)
			pairs[i] = (struct pair){p > 1 ? x[i * p + 1] : 0, y[i]};
		qsort(pairs, n, sizeof(*pairs), compare);
	}
	if (!pairs || !scratch || !m || !fill(m, pairs, n, scratch)) {
		e = err_set(ctx, ERR_NOMEM, "out of memory");
		if (m)
			release(m);
	} else {
		*out = m;
	}
	free(pairs);
	free(scratch);
	return e;
}

static void predict(const struct cost_model *m, const double *x, double *mean, double *sd)
{
	*mean = look_up(m, m->p > 1 ? x[1] : 0);
	if (sd)
		*sd = *mean * m->spread;
}

static void save(const struct cost_model *m, struct model_writer *w)
{
	model_write_size(w, "p", m->p);
	model_write_size(w, "n", m->n);
	model_write_doubles(w, "spread", &m->spread, 1);
	model_write_doubles(w, "depth", m->depth, m->n);
	model_write_doubles(w, "value", m->value, m->n);
}

static struct cost_model *load(struct model_reader *r, size_t p)
{
	size_t n = model_read_size(r, "n", 1, COST_MAX_N);
	struct cost_model *m = r->err ? NULL : new_table(p, n);

	if (!m)
		return NULL;
	model_read_doubles(r, "spread", &m->spread, 1);
	model_read_doubles(r, "depth", m->depth, n);
	model_read_doubles(r, "value", m->value, n);
	for (size_t i = 0; i < n && !r->err; i++)
		if (m->value[i] <= 0 || (i && m->depth[i] <= m->depth[i - 1]))
			model_reader_fail(r, "depths must rise and values be positive");
	return m;
}

const struct cost_model_kind cost_kind_depth = {
	.name = "depth",
	.summary = "table of one constant per depth",
	.baseline = 1,
	.fit = fit,
	.predict = predict,
	.save = save,
	.load = load,
	.free = release,
};
