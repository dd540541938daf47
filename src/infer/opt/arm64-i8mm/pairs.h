/* What the SMMLA kernels share: two rows' eight columns in a vector, times two output
 * columns' eight in another, are the four sums of a 2 x 2 block.
 */
#ifndef HAWSER_INFER_OPT_ARM64_I8MM_PAIRS_H
#define HAWSER_INFER_OPT_ARM64_I8MM_PAIRS_H

#include <arm_neon.h>

/* Sixteen columns of rows x and y as two vectors of eight columns of both. */
static inline __attribute__((always_inline)) void pair_rows(
	const int8_t *x, const int8_t *y, int8x16_t *out)
{
	int64x2_t a = vreinterpretq_s64_s8(vld1q_s8(x));
	int64x2_t b = vreinterpretq_s64_s8(vld1q_s8(y));

	out[0] = vreinterpretq_s8_s64(vzip1q_s64(a, b));
	out[1] = vreinterpretq_s8_s64(vzip2q_s64(a, b));
}

/* Row `which` of two neighbouring blocks: four output columns. */
#define PAIR_ROW(which, a, b)                                                            \
	((which) ? vzip2q_s64(vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b))        \
		 : vzip1q_s64(vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b)))

#endif
