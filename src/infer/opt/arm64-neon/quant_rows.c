/* AArch64 rounds half away from zero by itself. 32-bit Arm truncates after adding the
 * largest float below a half with the value's sign: exact for |v| < 2^22. Forward only, as
 * q may lie on x: four floats are read before the four bytes below them are written. */
#include "src/infer/fmath.h"
#include "src/infer/opt/arm64-neon/vector.h"

static float row_largest(const float *x, uint32_t d)
{
	float32x4_t m0 = vdupq_n_f32(0), m1 = m0;
	float largest;

	for (uint32_t k = d / 16; k; k--, x += 16) {
		float32x4x4_t v = load16(x);

		m0 = vmaxq_f32(m0, vabsq_f32(v.val[0]));
		m1 = vmaxq_f32(m1, vabsq_f32(v.val[1]));
		m0 = vmaxq_f32(m0, vabsq_f32(v.val[2]));
		m1 = vmaxq_f32(m1, vabsq_f32(v.val[3]));
	}
	largest = reduce_max(vmaxq_f32(m0, m1));
	for (uint32_t k = d % 16; k; k--, x++)
		largest = fmath_abs(*x) > largest ? fmath_abs(*x) : largest;
	return largest;
}

/* Whole numbers in 32 bits; they fit in eight. */
ALWAYS_INLINE int32x4_t quantise4(float32x4_t x, float32x4_t inverse)
{
	float32x4_t v = vmulq_f32(x, inverse);

#ifdef __aarch64__
	return vcvtaq_s32_f32(v);
#else
	uint32x4_t sign = vandq_u32(vreinterpretq_u32_f32(v), vdupq_n_u32(0x80000000u));
	uint32x4_t half = vreinterpretq_u32_f32(vdupq_n_f32(0.49999997f));

	return vcvtq_s32_f32(vaddq_f32(v, vreinterpretq_f32_u32(vorrq_u32(sign, half))));
#endif
}

static int8_t quantise1(float x, float inverse)
{
	float v = x * inverse;

	return (int8_t)(int32_t)(v + (v < 0 ? -0.49999997f : 0.49999997f));
}

void quant_rows(uint32_t n, uint32_t d, const float *x, int8_t *q, float *scale)
{
	for (uint32_t t = 0; t < n; t++) {
		float largest = row_largest(x, d);
		float inverse = largest < 1e-30f ? 0 : 127 / largest;
		float32x4_t times = vdupq_n_f32(inverse);

		for (uint32_t k = d / 16; k; k--, x += 16, q += 16) {
			float32x4x4_t v = load16(x);

			vst1q_s8(q, narrow(quantise4(v.val[0], times),
					    quantise4(v.val[1], times),
					    quantise4(v.val[2], times),
					    quantise4(v.val[3], times)));
		}
		for (uint32_t k = d % 16; k; k--)
			*q++ = quantise1(*x++, inverse);
		scale[t] = largest / 127;
	}
}
