#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/cost_model.h"
#include "cost_models/kinds.h"
#include "src/base/rng.h"
#include "src/base/stats.h"

#define CHOOSE_FOLDS 5

static void summarise(const struct cost_model_kind *kind, const double *predicted,
	const double *y, size_t n, struct cost_score *out)
{
	out->kind = kind;
	out->mape = stats_mape(predicted, y, n);
	out->tau = stats_kendall_tau(predicted, y, n);
	out->within_5 = stats_within(predicted, y, n, 0.05);
	out->within_10 = stats_within(predicted, y, n, 0.10);
	out->n = n;
}

enum err cost_draw_folds(
	size_t n, size_t k, unsigned long seed, uint32_t *fold, struct err_ctx *ctx)
{
	uint32_t *order = malloc(n * sizeof(*order));
	struct rng root, r;

	if (!order)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	rng_init(&root, seed);
	rng_split(&root, "folds", 0, &r);
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	rng_shuffle(&r, order, n);
	for (size_t i = 0; i < n; i++)
		fold[order[i]] = (uint32_t)(i % k);
	free(order);
	return ERR_OK;
}

/* Predicts the rows of one fold from the others; xt and yt are scratch. */
static enum err predict_fold(const struct cost_model_kind *kind, const double *x,
	const double *y, const uint32_t *fold, size_t n, size_t p, uint32_t which,
	double *predicted, struct err_ctx *ctx)
{
	double *xt = calloc(n * p, sizeof(*xt)), *yt = calloc(n, sizeof(*yt));
	struct cost_model *m;
	size_t n_train = 0;
	enum err e;

	if (!xt || !yt) {
		free(xt);
		free(yt);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < n; i++) {
		if (fold[i] == which)
			continue;
		memcpy(xt + n_train * p, x + i * p, p * sizeof(*xt));
		yt[n_train++] = y[i];
	}
	e = kind->fit(xt, yt, n_train, p, &m, ctx);
	free(xt);
	free(yt);
	if (e)
		return e;
	for (size_t i = 0; i < n; i++)
		if (fold[i] == which)
			kind->predict(m, x + i * p, &predicted[i], NULL);
	kind->free(m);
	return ERR_OK;
}

/* Out-of-fold predictions of all rows; n >= 2. */
static enum err cross_predict(const struct cost_model_kind *kind, const double *x,
	const double *y, size_t n, size_t p, const uint32_t *fold, size_t k,
	double *predicted, struct err_ctx *ctx)
{
	for (size_t f = 0; f < k; f++) {
		enum err e =
			predict_fold(kind, x, y, fold, n, p, (uint32_t)f, predicted, ctx);

		if (e)
			return e;
	}
	return ERR_OK;
}

size_t cost_n_folds(size_t n, size_t k)
{
	return n < 2 * k || k < 2 ? n : k;
}

static void no_score(const struct cost_model_kind *kind, size_t n, struct cost_score *out)
{
	*out = (struct cost_score){kind, NAN, NAN, NAN, NAN, n};
}

enum err cost_model_score(const struct cost_model_kind *kind, const double *x,
	const double *y, size_t n, size_t p, size_t k, unsigned long seed,
	struct cost_score *out, struct err_ctx *ctx)
{
	enum err e = cost_data_check(x, y, n, p, ctx);
	double *predicted;
	uint32_t *fold;

	if (e)
		return e;
	if (n < 2) {
		no_score(kind, n, out);
		return ERR_OK;
	}
	k = cost_n_folds(n, k);
	predicted = malloc(n * sizeof(*predicted));
	fold = malloc(n * sizeof(*fold));
	if (!predicted || !fold)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	if (!e)
		e = cost_draw_folds(n, k, seed, fold, ctx);
	if (!e)
		e = cross_predict(kind, x, y, n, p, fold, k, predicted, ctx);
	if (!e)
		summarise(kind, predicted, y, n, out);
	free(predicted);
	free(fold);
	return e;
}

enum err cost_model_score_split(const struct cost_model_kind *kind, const double *x,
	const double *y, size_t n, size_t p, const double *x_test, const double *y_test,
	size_t n_test, struct cost_score *out, struct err_ctx *ctx)
{
	enum err e = cost_data_check(x_test, y_test, n_test, p, ctx);
	struct cost_model *m;
	double *predicted;

	if (e)
		return e;
	predicted = malloc(n_test * sizeof(*predicted));
	if (!predicted)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	e = kind->fit(x, y, n, p, &m, ctx);
	if (!e) {
		for (size_t i = 0; i < n_test; i++)
			kind->predict(m, x_test + i * p, &predicted[i], NULL);
		kind->free(m);
		summarise(kind, predicted, y_test, n_test, out);
	}
	free(predicted);
	return e;
}

int cost_beats(const double *a, const double *b, const double *y, size_t n)
{
	double *gain = calloc(n, sizeof(*gain)), mean, se;

	if (!gain)
		return 0;
	for (size_t i = 0; i < n; i++)
		gain[i] = (fabs(b[i] - y[i]) - fabs(a[i] - y[i])) / y[i];
	mean = stats_mean(gain, n);
	se = n > 1 ? stats_sd(gain, n) / sqrt((double)n) : INFINITY;
	free(gain);
	return mean > 0 && mean > 2 * se;
}

/* Ties keep the table's order, as in pick. */
static size_t position(const struct cost_model_kind *kind)
{
	size_t i = 0;

	while (cost_model_at(i) && cost_model_at(i) != kind)
		i++;
	return i;
}

static int compare_scores(const void *a, const void *b)
{
	const struct cost_score *x = a, *y = b;

	if (x->kind->baseline != y->kind->baseline)
		return x->kind->baseline - y->kind->baseline;
	if (x->mape != y->mape)
		return x->mape < y->mape ? -1 : 1;
	return position(x->kind) < position(y->kind) ? -1 : 1;
}

/* Which kind the out-of-fold predictions (one row a kind) speak for. */
static const struct cost_model_kind *pick(const struct cost_score *scores,
	const double *predicted, const double *y, size_t n)
{
	size_t best = SIZE_MAX, mean = 0, macs = 0;

	for (size_t i = 0; i < cost_model_count(); i++) {
		if (scores[i].kind == &cost_kind_mean)
			mean = i;
		else if (scores[i].kind == &cost_kind_macs)
			macs = i;
		else if (!scores[i].kind->baseline &&
			 (best == SIZE_MAX || scores[i].mape < scores[best].mape))
			best = i;
	}
	if (best != SIZE_MAX &&
		cost_beats(predicted + best * n, predicted + mean * n, y, n) &&
		cost_beats(predicted + best * n, predicted + macs * n, y, n))
		return scores[best].kind;
	return scores[macs].mape < scores[mean].mape ? &cost_kind_macs : &cost_kind_mean;
}

/* Scores in the table's order, and the pick. */
static enum err score_all(const double *x, const double *y, size_t n, size_t p,
	unsigned long seed, struct cost_score *scores,
	const struct cost_model_kind **picked, struct err_ctx *ctx)
{
	size_t count = cost_model_count(), k = cost_n_folds(n, CHOOSE_FOLDS);
	double *predicted = malloc(count * n * sizeof(*predicted));
	uint32_t *fold = malloc(n * sizeof(*fold));
	enum err e = ERR_OK;

	if (!predicted || !fold)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	else
		e = cost_draw_folds(n, k, seed, fold, ctx);
	for (size_t i = 0; i < count && !e; i++) {
		const struct cost_model_kind *kind = cost_model_at(i);

		e = cross_predict(kind, x, y, n, p, fold, k, predicted + i * n, ctx);
		if (!e)
			summarise(kind, predicted + i * n, y, n, &scores[i]);
	}
	if (!e)
		*picked = pick(scores, predicted, y, n);
	free(predicted);
	free(fold);
	return e;
}

enum err cost_model_choose(const double *x, const double *y, size_t n, size_t p,
	unsigned long seed, struct fitted *out, struct cost_score *scores,
	struct err_ctx *ctx)
{
	enum err e = cost_data_check(x, y, n, p, ctx);
	const struct cost_model_kind *picked = &cost_kind_mean;
	size_t count = cost_model_count();
	struct cost_score *all;
	struct cost_model *m;

	if (e)
		return e;
	all = calloc(count, sizeof(*all));
	if (!all)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		no_score(cost_model_at(i), n, &all[i]);
	if (n >= 2)
		e = score_all(x, y, n, p, seed, all, &picked, ctx);
	if (!e)
		e = picked->fit(x, y, n, p, &m, ctx);
	if (!e) {
		out->kind = picked;
		out->model = m;
		qsort(all, count, sizeof(*all), compare_scores);
		if (scores)
			memcpy(scores, all, count * sizeof(*all));
	}
	free(all);
	return e;
}
