/* Four floats at a time: what the Arm kernels share beside their tiles, for AArch64 and
 * for 32-bit Arm with NEON and VFPv4, whose missing instructions are made up here.
 *
 *   vector_exp   relative error <= 2.5e-7 for -87 <= x <= 88, clipped outside as fmath_exp
 *   vector_gelu  absolute error <= 2e-7 * (1 + |x|)
 *   vector_silu  absolute error <= 2e-7 * (1 + |x|)
 *   vector_near_gelu  absolute error <= 1.2e-5, on AArch64
 *
 * exp: Cody and Waite's reduction and a polynomial through the Chebyshev nodes. GELU: erf
 * by Abramowitz and Stegun 7.1.26. Near GELU's pieces are looked up by TBL.
 */
#ifndef HAWSER_INFER_OPT_ARM64_NEON_VECTOR_H
#define HAWSER_INFER_OPT_ARM64_NEON_VECTOR_H

#include <arm_neon.h>
#include <stdint.h>

#include "src/infer/fmath.h"
#include "src/infer/kernels.h"
#include "src/infer/opt/near_gelu.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE float reduce_add(float32x4_t v)
{
#ifdef __aarch64__
	return vaddvq_f32(v);
#else
	float32x2_t s = vadd_f32(vget_low_f32(v), vget_high_f32(v));

	return vget_lane_f32(vpadd_f32(s, s), 0);
#endif
}

ALWAYS_INLINE float reduce_max(float32x4_t v)
{
#ifdef __aarch64__
	return vmaxvq_f32(v);
#else
	float32x2_t s = vmax_f32(vget_low_f32(v), vget_high_f32(v));

	return vget_lane_f32(vpmax_f32(s, s), 0);
#endif
}

ALWAYS_INLINE float32x4_t divide(float32x4_t a, float32x4_t b)
{
#ifdef __aarch64__
	return vdivq_f32(a, b);
#else
	float32x4_t r = vrecpeq_f32(b);

	r = vmulq_f32(r, vrecpsq_f32(b, r));
	r = vmulq_f32(r, vrecpsq_f32(b, r));
	return vmulq_f32(a, r);
#endif
}

/* Four columns' sums, each spread over the lanes of a vector. */
ALWAYS_INLINE int32x4_t add_lanes(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d)
{
#ifdef __aarch64__
	return vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
#else
	int32x2_t e = vpadd_s32(vget_low_s32(a), vget_high_s32(a));
	int32x2_t f = vpadd_s32(vget_low_s32(b), vget_high_s32(b));
	int32x2_t g = vpadd_s32(vget_low_s32(c), vget_high_s32(c));
	int32x2_t h = vpadd_s32(vget_low_s32(d), vget_high_s32(d));

	return vcombine_s32(vpadd_s32(e, f), vpadd_s32(g, h));
#endif
}

/* The first n < 4 of four floats; zeros behind. */
ALWAYS_INLINE float32x4_t load_part(const float *x, uint32_t n)
{
	float part[4] = {0};

	for (uint32_t i = 0; i < n; i++)
		part[i] = x[i];
	return vld1q_f32(part);
}

ALWAYS_INLINE void store_part(float *x, float32x4_t v, uint32_t n)
{
	float part[4];

	vst1q_f32(part, v);
	for (uint32_t i = 0; i < n; i++)
		x[i] = part[i];
}

/* Relative error <= 3e-7 for 1e-30 <= x <= 1e30. */
ALWAYS_INLINE float reciprocal_root(float x)
{
#ifdef __aarch64__
	float r = vrsqrtes_f32(x);

	r *= vrsqrtss_f32(x * r, r);
	return r * vrsqrtss_f32(x * r, r);
#else
	return fmath_rsqrt(x);
#endif
}

ALWAYS_INLINE float32x4x4_t load16(const float *x)
{
#ifdef __aarch64__
	return vld1q_f32_x4(x);
#else
	return (float32x4x4_t){
		{vld1q_f32(x), vld1q_f32(x + 4), vld1q_f32(x + 8), vld1q_f32(x + 12)}};
#endif
}

/* The low bytes of sixteen. */
ALWAYS_INLINE int8x16_t narrow(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d)
{
#ifdef __aarch64__
	int16x8_t e = vuzp1q_s16(vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b));
	int16x8_t f = vuzp1q_s16(vreinterpretq_s16_s32(c), vreinterpretq_s16_s32(d));

	return vuzp1q_s8(vreinterpretq_s8_s16(e), vreinterpretq_s8_s16(f));
#else
	int16x8_t e = vcombine_s16(vmovn_s32(a), vmovn_s32(b));
	int16x8_t f = vcombine_s16(vmovn_s32(c), vmovn_s32(d));

	return vcombine_s8(vmovn_s16(e), vmovn_s16(f));
#endif
}

ALWAYS_INLINE float32x4_t load_bf16(const uint16_t *p)
{
	return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}

/* For x between -87 and 88. */
ALWAYS_INLINE float32x4_t exp_within(float32x4_t x)
{
	/* Adding 1.5 * 2^23 leaves the nearest whole number in the low bits. */
	const float32x4_t magic = vdupq_n_f32(12582912.0f), one = vdupq_n_f32(1.0f);
	float32x4_t shifted, n, r, r2, low, middle, high;
	int32x4_t two_n;

	shifted = vfmaq_f32(magic, x, vdupq_n_f32(1.44269504f));
	two_n = vshlq_n_s32(vreinterpretq_s32_f32(shifted), 23);
	n = vsubq_f32(shifted, magic);
	r = vfmsq_f32(x, n, vdupq_n_f32(0.693359375f));
	r = vfmaq_f32(r, n, vdupq_n_f32(2.12194440e-4f));
	r2 = vmulq_f32(r, r);
	high = vfmaq_f32(vdupq_n_f32(4.166634008e-02f), r, vdupq_n_f32(8.375967853e-03f));
	high = vfmaq_f32(high, r2, vdupq_n_f32(1.394215971e-03f));
	middle = vfmaq_f32(vdupq_n_f32(0.5f), r, vdupq_n_f32(1.666640490e-01f));
	middle = vfmaq_f32(middle, r2, high);
	low = vfmaq_f32(vaddq_f32(r, one), r2, middle);
	return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(low), two_n));
}

ALWAYS_INLINE float32x4_t vector_exp(float32x4_t x)
{
	x = vmaxq_f32(x, vdupq_n_f32(-87.0f));
	return exp_within(vminq_f32(x, vdupq_n_f32(88.0f)));
}

ALWAYS_INLINE float32x4_t vector_gelu(float32x4_t x)
{
	const float32x4_t one = vdupq_n_f32(1.0f), half = vdupq_n_f32(0.5f);
	float32x4_t z = vmulq_n_f32(x, 0.70710678f), a = vabsq_f32(z), t, p, e;

	t = divide(one, vfmaq_f32(one, a, vdupq_n_f32(0.3275911f)));
	p = vfmaq_f32(vdupq_n_f32(-1.453152027f), t, vdupq_n_f32(1.061405429f));
	p = vfmaq_f32(vdupq_n_f32(1.421413741f), p, t);
	p = vfmaq_f32(vdupq_n_f32(-0.284496736f), p, t);
	p = vfmaq_f32(vdupq_n_f32(0.254829592f), p, t);
	p = vmulq_f32(p, t);
	e = vector_exp(vnegq_f32(vmulq_f32(a, a)));
	e = vfmsq_f32(one, p, e); /* erf(a) */
	/* x (1 + erf(z)) / 2, erf with x's sign */
	a = vmulq_f32(half, x);
	return vfmaq_f32(a, vabsq_f32(a), e);
}

#ifdef __aarch64__
/* Sixteen bytes of each of four registers: what near_pieces[degree] holds. */
ALWAYS_INLINE uint8x16x4_t near_table(int degree)
{
	return vld1q_u8_x4((const void *)near_pieces[degree]);
}

ALWAYS_INLINE float32x4_t near_coefficient(uint8x16x4_t table, uint8x16_t bytes)
{
	return vreinterpretq_f32_u8(vqtbl4q_u8(table, bytes));
}

/* c0.. are near_table(0)..: by value, or gcc keeps them in memory. */
ALWAYS_INLINE float32x4_t vector_near_gelu(
	float32x4_t x, uint8x16x4_t c0, uint8x16x4_t c1, uint8x16x4_t c2, uint8x16x4_t c3)
{
	/* Between 2 and 4 the unit in the last place is 2^-22, and what lies above the
	 * piece's number is 0x404040: times 0x04040404 the bytes 4 piece + 0, 1, 2, 3. */
	const float32x4_t magic = vdupq_n_f32(2 + 0x404040 / 4194304.0f);
	const float32x4_t steps = vdupq_n_f32(NEAR_STEPS / 4194304.0f);
	float32x4_t a = vabsq_f32(x), at, p;
	uint8x16_t bytes;

	at = vaddq_f32(vmulq_f32(vminq_f32(a, vdupq_n_f32(5.6f)), steps), magic);
	bytes = vreinterpretq_u8_u32(
		vmulq_u32(vreinterpretq_u32_f32(at), vdupq_n_u32(0x04040404)));
	p = near_coefficient(c3, bytes);
	p = vfmaq_f32(near_coefficient(c2, bytes), p, a);
	p = vfmaq_f32(near_coefficient(c1, bytes), p, a);
	p = vfmaq_f32(near_coefficient(c0, bytes), p, a);
	return vfmaq_f32(p, x, vdupq_n_f32(0.5f));
}
#endif

ALWAYS_INLINE float32x4_t vector_silu(float32x4_t x)
{
	float32x4_t e = vector_exp(vnegq_f32(x));

	return divide(x, vaddq_f32(e, vdupq_n_f32(1.0f)));
}

ALWAYS_INLINE float32x4_t vector_act(float32x4_t x, int act)
{
	if (act == KERNEL_GELU)
		return vector_gelu(x);
	if (act == KERNEL_SILU)
		return vector_silu(x);
	return vmaxq_f32(x, vdupq_n_f32(0));
}

#endif
