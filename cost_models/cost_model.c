#include "cost_models/cost_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/kinds.h"
#include "cost_models/model_text.h"
#include "src/base/stats.h"

static const struct cost_model_kind *const kinds[] = {
	&cost_kind_mean,
	&cost_kind_macs,
	&cost_kind_depth,
	&cost_kind_ridge,
	&cost_kind_huber,
	&cost_kind_bayes,
	&cost_kind_gp,
	&cost_kind_trees,
};

size_t cost_model_count(void)
{
	return sizeof(kinds) / sizeof(kinds[0]);
}

const struct cost_model_kind *cost_model_at(size_t i)
{
	return i < cost_model_count() ? kinds[i] : NULL;
}

const struct cost_model_kind *cost_model_find(const char *name)
{
	for (size_t i = 0; i < cost_model_count(); i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

void fitted_release(struct fitted *f)
{
	if (f->kind)
		f->kind->free(f->model);
	f->kind = NULL;
	f->model = NULL;
}

double fitted_predict(const struct fitted *f, const double *x, double *sd)
{
	double mean = NAN;

	if (sd)
		*sd = NAN;
	if (f->kind)
		f->kind->predict(f->model, x, &mean, sd);
	return mean;
}

enum err fitted_save(const struct fitted *f, struct buf *out, struct err_ctx *ctx)
{
	struct model_writer w;

	if (!f->kind)
		return err_set(ctx, ERR_INVALID, "cost model: nothing is fitted yet");
	model_writer_begin(&w, out, f->kind->name);
	f->kind->save(f->model, &w);
	if (model_writer_end(&w))
		return err_set(ctx, ERR_NOMEM, "out of memory");
	return ERR_OK;
}

enum err fitted_load(const char *text, size_t p, struct fitted *out, struct err_ctx *ctx)
{
	const struct cost_model_kind *kind;
	struct model_reader r;
	struct cost_model *m;
	char name[32];
	size_t found;

	if (!model_text_kind(text, name, sizeof(name)))
		return err_set(ctx, ERR_CORRUPT,
			"cost model: line 1: not a cost model of this version");
	kind = cost_model_find(name);
	if (!kind)
		return err_set(ctx, ERR_CORRUPT, "cost model: unknown kind '%s'", name);
	model_reader_begin(&r, text, name, ctx);
	found = model_read_size(&r, "p", 1, COST_MAX_P);
	if (r.err)
		return r.err;
	if (found != p)
		return err_set(ctx, ERR_INVALID,
			"cost model: fitted on %zu features, %zu are in use; "
			"fit it again",
			found, p);
	m = kind->load(&r, p);
	if (!m && !r.err)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	if (model_reader_end(&r)) {
		if (m)
			kind->free(m);
		return r.err;
	}
	out->kind = kind;
	out->model = m;
	return ERR_OK;
}

enum err cost_data_check(
	const double *x, const double *y, size_t n, size_t p, struct err_ctx *ctx)
{
	if (n < 1 || n > COST_MAX_N)
		return err_set(ctx, ERR_INVALID,
			"cost model: %zu rows, 1..%d are allowed", n, COST_MAX_N);
	if (p < 1 || p > COST_MAX_P)
		return err_set(ctx, ERR_INVALID,
			"cost model: %zu features, 1..%d are allowed", p, COST_MAX_P);
	for (size_t i = 0; i < n; i++) {
		if (!(y[i] > 0) || !isfinite(y[i]))
			return err_set(ctx, ERR_INVALID,
				"cost model: row %zu: target %g is not positive and "
				"finite",
				i, y[i]);
		for (size_t j = 0; j < p; j++)
			if (!isfinite(x[i * p + j]))
				return err_set(ctx, ERR_INVALID,
					"cost model: row %zu: feature %zu is not finite",
					i, j);
	}
	return ERR_OK;
}

double cost_best_constant(const double *y, size_t n)
{
	double *copy = malloc(n * sizeof(*copy)), total = 0, sum = 0, result = NAN;

	if (!copy)
		return NAN;
	memcpy(copy, y, n * sizeof(*copy));
	stats_sort(copy, n);
	for (size_t i = 0; i < n; i++)
		total += 1 / copy[i];
	for (size_t i = 0; i < n; i++) {
		sum += 1 / copy[i];
		result = copy[i];
		if (sum >= total / 2)
			break;
	}
	free(copy);
	return result;
}

double cost_positive(double f, double y_lo, double y_hi)
{
	double knee = y_lo / 2;

	if (isnan(f) || f > 100 * y_hi)
		return 100 * y_hi;
	if (f < knee)
		return knee / (2 - f / knee);
	return f;
}

double cost_sigma_floor(size_t n)
{
	return n < 3 ? 0.5 : 1e-9;
}
