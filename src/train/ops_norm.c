#include <math.h>

#include "src/train/ops.h"

#include "src/train/hot.h"

HOT void norm_forward(size_t n, size_t d, int rms, const real *x, const real *g,
	const real *b, real *y, real *xhat, real *rstd)
{
	for (size_t i = 0; i < n; i++) {
		const real *in = x + i * d;
		real *hat = xhat + i * d, *out = y + i * d;
		real mean = 0, var = 0, r;

		if (!rms) {
			for (size_t j = 0; j < d; j++)
				mean += in[j];
			mean /= (real)d;
		}
		for (size_t j = 0; j < d; j++)
			var += (in[j] - mean) * (in[j] - mean);
		r = 1 / (real)sqrt((double)(var / (real)d) + NORM_EPS);
		rstd[i] = r;
		for (size_t j = 0; j < d; j++)
			hat[j] = (in[j] - mean) * r;
		if (b)
			for (size_t j = 0; j < d; j++)
				out[j] = hat[j] * g[j] + b[j];
		else
			for (size_t j = 0; j < d; j++)
				out[j] = hat[j] * g[j];
	}
}

HOT void norm_backward(size_t n, size_t d, int rms, const struct norm_grad *g)
{
	const real *gain = g->g;
	real *dg = g->dg, *db = g->db;

	for (size_t i = 0; i < n; i++) {
		const real *dy = g->dy + i * d, *hat = g->xhat + i * d;
		real *dx = g->dx + i * d;
		real m = 0, mh = 0, r = g->rstd[i];

		for (size_t j = 0; j < d; j++) {
			real t = dy[j] * gain[j];

			m += t;
			mh += t * hat[j];
			dg[j] += dy[j] * hat[j];
		}
		if (db)
			for (size_t j = 0; j < d; j++)
				db[j] += dy[j];
		m = rms ? 0 : m / (real)d;
		mh /= (real)d;
		if (g->add)
			for (size_t j = 0; j < d; j++)
				dx[j] += r * (dy[j] * gain[j] - m - hat[j] * mh);
		else
			for (size_t j = 0; j < d; j++)
				dx[j] = r * (dy[j] * gain[j] - m - hat[j] * mh);
	}
}

static real logistic(real x)
{
	return 1 / (1 + (real)exp(-(double)x));
}

HOT void act_forward(enum act act, size_t n, const real *a, real *h)
{
	switch (act) {
	case ACT_RELU:
		for (size_t i = 0; i < n; i++)
			h[i] = a[i] > 0 ? a[i] : 0;
		break;
	case ACT_GELU:
		for (size_t i = 0; i < n; i++)
			h[i] = (real)0.5 * a[i] * (1 + erf_of(a[i] * (real)M_SQRT1_2));
		break;
	default:
		for (size_t i = 0; i < n; i++)
			h[i] = a[i] * logistic(a[i]);
	}
}

/* d/da of a Phi(a) = Phi(a) + a phi(a) */
static real gelu_slope(real a)
{
	real cdf = (real)0.5 * (1 + erf_of(a * (real)M_SQRT1_2));
	real pdf = (real)0.3989422804014327 * (real)exp(-0.5 * (double)(a * a));

	return cdf + a * pdf;
}

HOT void act_backward(enum act act, size_t n, const real *a, const real *dh, real *da)
{
	switch (act) {
	case ACT_RELU:
		for (size_t i = 0; i < n; i++)
			da[i] = a[i] > 0 ? dh[i] : 0;
		break;
	case ACT_GELU:
		for (size_t i = 0; i < n; i++)
			da[i] = dh[i] * gelu_slope(a[i]);
		break;
	default:
		for (size_t i = 0; i < n; i++) {
			real s = logistic(a[i]);

			da[i] = dh[i] * s * (1 + a[i] * (1 - s));
		}
	}
}
