/* What the tests of the portable kernels share: random numbers to feed them. */
#ifndef HAWSER_TESTS_UNIT_INFER_FIXTURE_H
#define HAWSER_TESTS_UNIT_INFER_FIXTURE_H

#include <stdlib.h>

#include "src/base/rng.h"

#define EPS 5.9604644775390625e-8 /* 2^-24 */

/* Seeded once for the program, by seed. */
static struct rng rng;

static inline void fill(float *x, size_t n, double scale)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (float)(scale * rng_normal(&rng));
}

static inline float *floats(size_t n, double scale)
{
	float *x = malloc((n + 1) * sizeof(*x));

	assert_non_null(x);
	fill(x, n, scale);
	return x;
}

static inline int seed(void **state)
{
	(void)state;
	rng_init(&rng, 2024);
	return 0;
}

#endif
