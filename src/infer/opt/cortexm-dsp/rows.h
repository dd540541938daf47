/* Rows of floats to int8: the largest magnitude, and rounding, four floats at a time.
 *
 * Magnitudes are compared as integers without their signs. Half away from zero: sixteen
 * bits behind the point, truncated by the conversion; one less where negative, so that
 * SMMULR by 2^16, which rounds half up, is right for both signs.
 */
#ifndef HAWSER_INFER_OPT_CORTEXM_DSP_ROWS_H
#define HAWSER_INFER_OPT_CORTEXM_DSP_ROWS_H

#include <stdint.h>

#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* %[m]: twice the bits of the largest magnitude so far. It seldom changes. */
#define LARGER(r)                                                                        \
	"cmp %[m], " r ", lsl #1\n\t"                                                    \
	"bhs 2f\n\t"                                                                     \
	"lsl %[m], " r ", #1\n"                                                          \
	"2:\n\t"

ALWAYS_INLINE uint32_t twice_bits(float x)
{
	union fmath_bits b = {.f = x};

	return b.u << 1;
}

ALWAYS_INLINE float from_twice_bits(uint32_t m)
{
	union fmath_bits b = {.u = m >> 1};

	return b.f;
}

/* max|x| */
static inline float row_largest(const float *x, uint32_t d)
{
	const float *end = x + d / 8 * 8;
	uint32_t m = 0;

	if (d >= 8)
		__asm volatile("1:\n\t"
			       "ldmia %[x]!, {r4-r6, r8-r10}\n\t" LARGER("r4") LARGER(
				       "r5") LARGER("r6") LARGER("r8") LARGER("r9")
				       LARGER("r10") "ldmia %[x]!, {r4-r5}\n\t" LARGER(
					       "r4") LARGER("r5") "cmp %[x], %[end]\n\t"
								  "bne 1b"
			       : [x] "+r"(x), [m] "+r"(m)
			       : [end] "r"(end)
			       : "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");
	for (uint32_t i = 0; i < d % 8; i++)
		m = twice_bits(x[i]) > m ? twice_bits(x[i]) : m;
	return from_twice_bits(m);
}

ALWAYS_INLINE int8_t quantised(float x, float inverse)
{
	float v = x * inverse;
	int32_t whole = (int32_t)v;
	float rest = v - (float)whole;

	return (int8_t)(whole + (rest >= 0.5f) - (rest <= -0.5f));
}

/* s0-s3 times %[by] to four bytes at %[q]; %[one] is 2^16. */
#define QUANTISE4                                                                        \
	"vmul.f32 s0, s0, %[by]\n\t"                                                     \
	"vmul.f32 s1, s1, %[by]\n\t"                                                     \
	"vmul.f32 s2, s2, %[by]\n\t"                                                     \
	"vmul.f32 s3, s3, %[by]\n\t"                                                     \
	"vcvt.s32.f32 s0, s0, #16\n\t"                                                   \
	"vcvt.s32.f32 s1, s1, #16\n\t"                                                   \
	"vcvt.s32.f32 s2, s2, #16\n\t"                                                   \
	"vcvt.s32.f32 s3, s3, #16\n\t"                                                   \
	"vmov r4, r5, s0, s1\n\t"                                                        \
	"vmov r6, r8, s2, s3\n\t"                                                        \
	"add r4, r4, r4, asr #31\n\t"                                                    \
	"add r5, r5, r5, asr #31\n\t"                                                    \
	"add r6, r6, r6, asr #31\n\t"                                                    \
	"add r8, r8, r8, asr #31\n\t"                                                    \
	"smmulr r4, r4, %[one]\n\t"                                                      \
	"smmulr r5, r5, %[one]\n\t"                                                      \
	"smmulr r6, r6, %[one]\n\t"                                                      \
	"smmulr r8, r8, %[one]\n\t"                                                      \
	"bfi r4, r5, #8, #8\n\t"                                                         \
	"bfi r4, r6, #16, #8\n\t"                                                        \
	"bfi r4, r8, #24, #8\n\t"                                                        \
	"str r4, [%[q]], #4\n\t"

/* q may lie on x: four floats are read before four bytes are written, forward. */
ALWAYS_INLINE void quantise_row(const float *x, uint32_t d, float inverse, int8_t *q)
{
	const float *end = x + d / 4 * 4;

	if (d >= 4)
		__asm volatile(
			"1:\n\t"
			"vldmia %[x]!, {s0-s3}\n\t" QUANTISE4 "cmp %[x], %[end]\n\t"
			"bne 1b"
			: [x] "+r"(x), [q] "+r"(q)
			: [end] "r"(end), [by] "t"(inverse), [one] "r"(65536)
			: "r4", "r5", "r6", "r8", "s0", "s1", "s2", "s3", "cc", "memory");
	for (uint32_t i = 0; i < d % 4; i++)
		q[i] = quantised(x[i], inverse);
}

ALWAYS_INLINE float inverse_of(float largest)
{
	return largest < 1e-30f ? 0 : 127 / largest;
}

#endif
