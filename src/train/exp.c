/* The exponential, apart from the other hot loops: its argument reduction must not be
 * reordered. */
#include <math.h>

#include "src/train/clones.h"
#include "src/train/real.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math", "no-signed-zeros",       \
	"fp-contract=fast")
#endif

#ifndef TRAIN_DOUBLE
/* Cephes' expf polynomial after reduction by ln 2 in two parts; relative error 2e-7. */
static inline float exp_one(float x)
{
	union {
		int32_t i;
		float f;
	} u;
	float p, r, whole;
	int32_t n;

	x = x > -87.0f ? x : -87.0f; /* also for NAN, which must not become an integer */
	x = x < 88.0f ? x : 88.0f;
	/* Adding 1.5 * 2^23 rounds to a whole number. */
	whole = x * 1.44269504f + 12582912.0f - 12582912.0f;
	n = (int32_t)whole;
	r = x - whole * 0.693359375f;
	r -= whole * -2.12194440e-4f;
	p = 1.9875691500e-4f;
	p = p * r + 1.3981999507e-3f;
	p = p * r + 8.3334519073e-3f;
	p = p * r + 4.1665795894e-2f;
	p = p * r + 1.6666665459e-1f;
	p = p * r + 5.0000001201e-1f;
	p = p * r * r + r + 1.0f;
	u.i = (n + 127) * (1 << 23);
	return p * u.f;
}
#else
static inline double exp_one(double x)
{
	return exp(x);
}
#endif

CLONES void exp_shifted(real *x, size_t n, real shift)
{
	for (size_t i = 0; i < n; i++)
		x[i] = exp_one(x[i] - shift);
}
