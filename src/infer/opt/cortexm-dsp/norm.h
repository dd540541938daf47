/* What the norms share: sums over a row, and the row normalised, four floats at a time. An
 * RMS norm has a mean of 0 and no bias.
 */
#ifndef HAWSER_INFER_OPT_CORTEXM_DSP_NORM_H
#define HAWSER_INFER_OPT_CORTEXM_DSP_NORM_H

#include "src/infer/opt/cortexm-dsp/rows.h"

struct norm {
	uint32_t d;
	float mean, scale;
	const float *gain, *bias; /* bias 0: none */
};

/* Of `text` on s0-s3 of every four floats; the last ones are the caller's. */
#define SUM4(text)                                                                       \
	__asm volatile("1:\n\t"                                                          \
		       "vldmia %[x]!, {s0-s3}\n\t" text "cmp %[x], %[end]\n\t"           \
		       "bne 1b"                                                          \
		       : [x] "+r"(x), [a] "+t"(a), [b] "+t"(b), [c] "+t"(c), [e] "+t"(e) \
		       : [end] "r"(end), [mean] "t"(mean)                                \
		       : "s0", "s1", "s2", "s3", "cc", "memory")

ALWAYS_INLINE float row_mean(const float *x, uint32_t d)
{
	const float *end = x + d / 4 * 4;
	float a = 0, b = 0, c = 0, e = 0, mean = 0;

	if (d >= 4)
		SUM4("vadd.f32 %[a], %[a], s0\n\t"
		     "vadd.f32 %[b], %[b], s1\n\t"
		     "vadd.f32 %[c], %[c], s2\n\t"
		     "vadd.f32 %[e], %[e], s3\n\t");
	for (uint32_t i = 0; i < d % 4; i++)
		a += x[i];
	return ((a + b) + (c + e)) / (float)d;
}

/* 1 / sqrt(mean of (x - mean)^2 + 1e-5) */
ALWAYS_INLINE float row_scale(const float *x, uint32_t d, float mean)
{
	const float *end = x + d / 4 * 4;
	float a = 0, b = 0, c = 0, e = 0;

	if (d >= 4)
		SUM4("vsub.f32 s0, s0, %[mean]\n\t"
		     "vsub.f32 s1, s1, %[mean]\n\t"
		     "vsub.f32 s2, s2, %[mean]\n\t"
		     "vsub.f32 s3, s3, %[mean]\n\t"
		     "vfma.f32 %[a], s0, s0\n\t"
		     "vfma.f32 %[b], s1, s1\n\t"
		     "vfma.f32 %[c], s2, s2\n\t"
		     "vfma.f32 %[e], s3, s3\n\t");
	for (uint32_t i = 0; i < d % 4; i++)
		a += (x[i] - mean) * (x[i] - mean);
	return fmath_rsqrt(((a + b) + (c + e)) / (float)d + 1e-5f);
}

#define NORM4                                                                            \
	"vldmia %[x]!, {s8-s11}\n\t"                                                     \
	"vldmia %[gain]!, {s4-s7}\n\t"                                                   \
	"vsub.f32 s8, s8, %[mean]\n\t"                                                   \
	"vsub.f32 s9, s9, %[mean]\n\t"                                                   \
	"vsub.f32 s10, s10, %[mean]\n\t"                                                 \
	"vsub.f32 s11, s11, %[mean]\n\t"                                                 \
	"vmul.f32 s8, s8, %[scale]\n\t"                                                  \
	"vmul.f32 s9, s9, %[scale]\n\t"                                                  \
	"vmul.f32 s10, s10, %[scale]\n\t"                                                \
	"vmul.f32 s11, s11, %[scale]\n\t"
#define WITH_BIAS                                                                        \
	"vldmia %[bias]!, {s0-s3}\n\t"                                                   \
	"vfma.f32 s0, s8, s4\n\t"                                                        \
	"vfma.f32 s1, s9, s5\n\t"                                                        \
	"vfma.f32 s2, s10, s6\n\t"                                                       \
	"vfma.f32 s3, s11, s7\n\t"
#define WITHOUT_BIAS                                                                     \
	"vmul.f32 s0, s8, s4\n\t"                                                        \
	"vmul.f32 s1, s9, s5\n\t"                                                        \
	"vmul.f32 s2, s10, s6\n\t"                                                       \
	"vmul.f32 s3, s11, s7\n\t"
#define LARGEST4                                                                         \
	"vmov r4, r5, s0, s1\n\t"                                                        \
	"vmov r6, r8, s2, s3\n\t" LARGER("r4") LARGER("r5") LARGER("r6") LARGER("r8")

#define NORM_ROW(text)                                                                   \
	__asm volatile("1:\n\t" NORM4 text "cmp %[x], %[end]\n\t"                        \
		       "bne 1b"                                                          \
		       : [x] "+r"(x), [gain] "+r"(gain), [bias] "+r"(bias), [y] "+r"(y), \
		       [m] "+r"(m)                                                       \
		       : [end] "r"(end), [mean] "t"(o->mean), [scale] "t"(o->scale)      \
		       : "r4", "r5", "r6", "r8", "s0", "s1", "s2", "s3", "s4", "s5",     \
		       "s6", "s7", "s8", "s9", "s10", "s11", "cc", "memory")

ALWAYS_INLINE float normed(const struct norm *o, float x, float gain, const float *bias)
{
	float v = (x - o->mean) * o->scale;

	return bias ? __builtin_fmaf(v, gain, *bias) : v * gain;
}

/* The row's floats, to y unless that is 0; returns the largest magnitude. */
static inline float norm_row(const struct norm *o, const float *x, float *y)
{
	const float *end = x + o->d / 4 * 4, *gain = o->gain, *bias = o->bias;
	uint32_t m = 0;

	if (o->d >= 4) {
		if (bias && y)
			NORM_ROW(WITH_BIAS "vstmia %[y]!, {s0-s3}\n\t" LARGEST4);
		else if (bias)
			NORM_ROW(WITH_BIAS LARGEST4);
		else if (y)
			NORM_ROW(WITHOUT_BIAS "vstmia %[y]!, {s0-s3}\n\t" LARGEST4);
		else
			NORM_ROW(WITHOUT_BIAS LARGEST4);
	}
	for (uint32_t i = 0; i < o->d % 4; i++) {
		float v = normed(o, x[i], gain[i], bias ? bias + i : 0);

		if (y)
			y[i] = v;
		m = twice_bits(v) > m ? twice_bits(v) : m;
	}
	return from_twice_bits(m);
}

#define NORM_QUANT(text)                                                                 \
	__asm volatile("1:\n\t" NORM4 text QUANTISE4 "cmp %[x], %[end]\n\t"              \
		       "bne 1b"                                                          \
		       : [x] "+r"(x), [gain] "+r"(gain), [bias] "+r"(bias), [q] "+r"(q)  \
		       : [end] "r"(end), [mean] "t"(o->mean), [scale] "t"(o->scale),     \
		       [by] "t"(inverse), [one] "r"(65536)                               \
		       : "r4", "r5", "r6", "r8", "s0", "s1", "s2", "s3", "s4", "s5",     \
		       "s6", "s7", "s8", "s9", "s10", "s11", "cc", "memory")

/* The same floats to integers. */
static inline void norm_row_quant(
	const struct norm *o, const float *x, float inverse, int8_t *q)
{
	const float *end = x + o->d / 4 * 4, *gain = o->gain, *bias = o->bias;

	if (o->d >= 4) {
		if (bias)
			NORM_QUANT(WITH_BIAS);
		else
			NORM_QUANT(WITHOUT_BIAS);
	}
	for (uint32_t i = 0; i < o->d % 4; i++)
		q[i] = quantised(normed(o, x[i], gain[i], bias ? bias + i : 0), inverse);
}

/* Floats go to y, or nowhere; returns the row's scale. */
ALWAYS_INLINE float norm_and_quantise(
	const struct norm *o, const float *x, float *y, int8_t *q)
{
	float largest = norm_row(o, x, y), inverse = inverse_of(largest);

	if (y)
		quantise_row(y, o->d, inverse, q);
	else
		norm_row_quant(o, x, inverse, q);
	return largest / 127;
}

#endif
