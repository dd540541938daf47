/* Dot products and sums of the portable kernels: eight partial sums, so that a compiler
 * may use vectors without being allowed to reorder floating-point sums, and so that the
 * rounding error grows with n / 8. The order is fixed: every target gives the same bits.
 */
#ifndef HAWSER_INFER_REF_REDUCE_H
#define HAWSER_INFER_REF_REDUCE_H

#include <stdint.h>

#define REDUCE_LANES 8

static inline float reduce_lanes(const float *s)
{
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static inline float reduce_dot(const float *a, const float *b, uint32_t n)
{
	float s[REDUCE_LANES] = {0};
	uint32_t i = 0;

	for (; i + REDUCE_LANES <= n; i += REDUCE_LANES)
		for (uint32_t j = 0; j < REDUCE_LANES; j++)
			s[j] += a[i + j] * b[i + j];
	for (uint32_t j = 0; i < n; i++, j++)
		s[j] += a[i] * b[i];
	return reduce_lanes(s);
}

static inline float reduce_sum(const float *a, uint32_t n)
{
	float s[REDUCE_LANES] = {0};
	uint32_t i = 0;

	for (; i + REDUCE_LANES <= n; i += REDUCE_LANES)
		for (uint32_t j = 0; j < REDUCE_LANES; j++)
			s[j] += a[i + j];
	for (uint32_t j = 0; i < n; i++, j++)
		s[j] += a[i];
	return reduce_lanes(s);
}

#endif
