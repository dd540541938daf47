#include "src/train/optimiser.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/train/hot.h"

#define BETA1 0.9
#define BETA2 0.98
#define EPSILON 1e-8
#define WARM_UP 0.1

enum err optimiser_init(struct optimiser *o, size_t n, struct err_ctx *ctx)
{
	o->n = n;
	o->step = 0;
	o->m = calloc(n, sizeof(*o->m));
	o->v = calloc(n, sizeof(*o->v));
	if (o->m && o->v)
		return ERR_OK;
	optimiser_release(o);
	return err_set(ctx, ERR_NOMEM, "out of memory for the moments of %zu weights", n);
}

void optimiser_release(struct optimiser *o)
{
	free(o->m);
	free(o->v);
	o->m = o->v = NULL;
}

HOT static double sum_of_squares(size_t n, const real *x)
{
	double total = 0;

	for (size_t at = 0; at < n; at += 4096) {
		size_t end = at + 4096 < n ? at + 4096 : n;
		real part = 0;

		for (size_t i = at; i < end; i++)
			part += x[i] * x[i];
		total += (double)part;
	}
	return total;
}

struct rates {
	real scale;	/* of the gradient */
	real lr, decay; /* lr with the first moment's correction; lr * weight decay */
	real inv_root;	/* 1 / sqrt of the second moment's correction */
};

HOT static void adam(
	size_t n, const struct rates *r, const real *g, real *m, real *v, real *w)
{
	const real b1 = (real)BETA1, b2 = (real)BETA2, eps = (real)EPSILON;
	real scale = r->scale, lr = r->lr, decay = r->decay, inv = r->inv_root;

	for (size_t i = 0; i < n; i++) {
		real x = g[i] * scale;

		m[i] = b1 * m[i] + (1 - b1) * x;
		v[i] = b2 * v[i] + (1 - b2) * x * x;
		w[i] -= decay * w[i] + lr * m[i] / ((real)sqrtf((float)v[i]) * inv + eps);
	}
}

static int is_matrix(const struct tensor *t)
{
	return t->cols > 1 && t->kind != T_CONV && t->kind != T_REL && t->kind != T_POS;
}

double optimiser_step(struct optimiser *o, const struct update *u)
{
	double norm = sqrt(sum_of_squares(o->n, u->grad));
	double t = (double)o->step + 1;
	struct rates r;

	if (!isfinite(norm))
		return NAN;
	r.scale = (real)(u->clip > 0 && norm > u->clip ? u->clip / norm : 1);
	r.lr = (real)(u->lr / (1 - pow(BETA1, t)));
	r.inv_root = (real)(1 / sqrt(1 - pow(BETA2, t)));
	for (size_t i = 0; i < u->layout->n_tensors; i++) {
		const struct tensor *x = &u->layout->t[i];
		size_t at = x->offset;

		r.decay = is_matrix(x) ? (real)(u->lr * u->weight_decay) : 0;
		adam((size_t)x->rows * x->cols, &r, u->grad + at, o->m + at, o->v + at,
			u->w + at);
	}
	o->step++;
	return norm;
}

double schedule_rate(double peak, uint64_t step, uint64_t n_steps)
{
	double warm = WARM_UP * (double)n_steps, at = (double)step;

	if (at + 1 < warm)
		return peak * (at + 1) / warm;
	return peak * 0.5 * (1 + cos(M_PI * (at - warm) / ((double)n_steps - warm)));
}
