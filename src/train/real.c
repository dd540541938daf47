#include "src/train/real.h"

#include <math.h>
#include <string.h>

#include <cblas.h>

#include "src/train/hot.h"

#ifdef TRAIN_DOUBLE
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

void real_from_floats(real *out, const float *in, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (real)in[i];
}

void real_to_floats(float *out, const real *in, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (float)in[i];
}

void linear_forward(size_t n, size_t in, size_t out, const real *x, const real *w,
	const real *b, real *y)
{
	if (!n)
		return;
	for (size_t i = 0; b && i < n; i++)
		memcpy(y + i * out, b, out * sizeof *y);
	GEMM(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)n, (blasint)out,
		(blasint)in, 1, x, (blasint)in, w, (blasint)in, b ? 1 : 0, y,
		(blasint)out);
}

static HOT void add_columns(size_t n, size_t out, const real *dy, real *db)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < out; j++)
			db[j] += dy[i * out + j];
}

void linear_backward(size_t n, size_t in, size_t out, const struct linear_grad *g)
{
	if (!n)
		return;
	if (g->dx)
		GEMM(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)n, (blasint)in,
			(blasint)out, 1, g->dy, (blasint)out, g->w, (blasint)in,
			g->add ? 1 : 0, g->dx, (blasint)in);
	if (g->dw)
		GEMM(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)out, (blasint)in,
			(blasint)n, 1, g->dy, (blasint)out, g->x, (blasint)in, 1, g->dw,
			(blasint)in);
	if (g->db)
		add_columns(n, out, g->dy, g->db);
}

real erf_of(real x)
{
#ifdef TRAIN_DOUBLE
	return erf(x);
#else
	/* Abramowitz and Stegun 7.1.26 */
	float a = fabsf(x), t = 1.0f / (1.0f + 0.3275911f * a);
	float p = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t -
			   0.284496736f) *
				  t +
			  0.254829592f) *
		  t;
	float e = 1.0f - p * expf(-a * a);

	return x < 0 ? -e : e;
#endif
}
