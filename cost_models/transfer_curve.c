#include "cost_models/transfer_curve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/kinds.h"
#include "src/base/rng.h"

#define ORDERS 5

static const size_t sizes[TRANSFER_CURVE_MAX] = {0, 2, 5, 10, 20};

/* One order of the rows: fitted are the first, scored those from `held`. */
struct order {
	double *x, *y;
	size_t n, p, held;
};

static enum err draw_order(struct order *o, const double *x, const double *y,
	struct rng *rng, struct err_ctx *ctx)
{
	uint32_t *at = malloc(o->n * sizeof(*at));

	if (!at)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < o->n; i++)
		at[i] = (uint32_t)i;
	rng_shuffle(rng, at, o->n);
	for (size_t i = 0; i < o->n; i++) {
		memcpy(o->x + i * o->p, x + at[i] * o->p, o->p * sizeof(double));
		o->y[i] = y[at[i]];
	}
	free(at);
	return ERR_OK;
}

static double error_of(const struct order *o, const struct fitted *f)
{
	double sum = 0;

	for (size_t i = o->held; i < o->n; i++)
		sum += fabs(fitted_predict(f, o->x + i * o->p, NULL) / o->y[i] - 1);
	return sum / (double)(o->n - o->held);
}

static enum err error_of_kind(const struct order *o, const struct cost_model_kind *kind,
	size_t n, double *out, struct err_ctx *ctx)
{
	struct fitted f = {kind, NULL};
	enum err e = kind->fit(o->x, o->y, n, o->p, &f.model, ctx);

	if (e)
		return e;
	*out += error_of(o, &f) / ORDERS;
	fitted_release(&f);
	return ERR_OK;
}

static enum err add_own(const struct order *o, struct transfer_point *pt,
	unsigned long seed, struct err_ctx *ctx)
{
	struct fitted f = {NULL, NULL};
	enum err e = error_of_kind(o, &cost_kind_mean, pt->n, &pt->mean, ctx);

	if (!e)
		e = error_of_kind(o, &cost_kind_macs, pt->n, &pt->macs, ctx);
	if (!e)
		e = cost_model_choose(o->x, o->y, pt->n, o->p, seed, &f, NULL, ctx);
	if (!e)
		pt->own += error_of(o, &f) / ORDERS;
	fitted_release(&f);
	return e;
}

static enum err add_prior(const struct order *o, const struct fitted *prior,
	struct transfer_point *pt, unsigned long seed, struct err_ctx *ctx)
{
	double share = 1.0 / ORDERS / (double)(o->n - o->held);
	struct transfer_choice c;
	struct transfer line;
	enum err e = transfer_choose(prior, o->x, o->y, pt->n, o->p, seed, &c, ctx);

	if (e)
		return e;
	e = transfer_fit(prior, o->x, o->y, pt->n, o->p, 0, &line, ctx);
	for (size_t i = o->held; i < o->n && !e; i++) {
		const double *x = o->x + i * o->p;
		double sd, v = transfer_choice_predict(&c, x, &sd);

		pt->chosen += share * fabs(v / o->y[i] - 1);
		pt->sd += share * sd / v;
		pt->line += share * fabs(transfer_predict(&line, x, NULL) / o->y[i] - 1);
	}
	pt->prior_used +=
		c.use == TRANSFER_OWN ? 0 : (1 - c.corrected.macs_share) / ORDERS;
	if (!e)
		transfer_release(&line);
	transfer_choice_release(&c);
	return e;
}

static enum err add_order(const struct order *o, const struct fitted *prior,
	struct transfer_point *pt, unsigned long seed, struct err_ctx *ctx)
{
	enum err e = ERR_OK;

	if (pt->n)
		e = add_own(o, pt, seed, ctx);
	else
		pt->mean = pt->macs = pt->own = NAN;
	return e ? e : add_prior(o, prior, pt, seed, ctx);
}

enum err transfer_curve(const struct fitted *prior, const double *x, const double *y,
	size_t n, size_t p, unsigned long seed, struct transfer_point *out,
	size_t *n_points, struct err_ctx *ctx)
{
	enum err e = cost_data_check(x, y, n, p, ctx);
	struct order o = {.n = n, .p = p};
	struct rng root, rng;
	size_t count = 0;

	if (e)
		return e;
	if (n < 4)
		return err_set(ctx, ERR_INVALID, "cost model: %zu rows, 4 are needed", n);
	while (count < TRANSFER_CURVE_MAX && 2 * sizes[count] <= n)
		count++;
	o.held = sizes[count - 1];
	memset(out, 0, count * sizeof(*out));
	o.x = malloc(n * p * sizeof(double));
	o.y = malloc(n * sizeof(double));
	if (!o.x || !o.y)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	rng_init(&root, seed);
	for (uint32_t i = 0; i < ORDERS && !e; i++) {
		rng_split(&root, "curve", i, &rng);
		e = draw_order(&o, x, y, &rng, ctx);
		for (size_t k = 0; k < count && !e; k++) {
			out[k].n = sizes[k];
			e = add_order(&o, prior, &out[k], seed, ctx);
		}
	}
	free(o.x);
	free(o.y);
	if (!e)
		*n_points = count;
	return e;
}
