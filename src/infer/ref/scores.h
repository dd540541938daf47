/* What the portable attention kernels share: the bias of a distance, and softmax. */
#ifndef HAWSER_INFER_REF_SCORES_H
#define HAWSER_INFER_REF_SCORES_H

#include "src/infer/fmath.h"
#include "src/infer/kernels.h"
#include "src/infer/ref/reduce.h"

/* Bias of seeing token j from token i. */
static inline float rel_bias(
	const struct attention *a, uint32_t head, uint32_t i, uint32_t j)
{
	uint32_t r = a->rel_radius, at;

	if (!a->rel)
		return 0;
	if (j >= i)
		at = r + (j - i < r ? j - i : r);
	else
		at = r - (i - j < r ? i - j : r);
	return a->rel[head * (2 * r + 1) + at];
}

/* Leaves unnormalised weights in row[0..m); returns 1 / their sum. */
static inline float softmax(float *row, uint32_t m)
{
	float largest = row[0];

	for (uint32_t j = 1; j < m; j++)
		largest = row[j] > largest ? row[j] : largest;
	for (uint32_t j = 0; j < m; j++)
		row[j] = fmath_exp(row[j] - largest);
	return 1 / reduce_sum(row, m);
}

#endif
