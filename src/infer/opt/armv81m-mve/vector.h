/* Four floats at a time, and what their functions need: shared by the kernels with MVE.
 *
 *   vector_exp   relative error <= 2.5e-7 for -87 <= x <= 88, clipped outside as fmath_exp
 *   vector_gelu  absolute error <= 2e-7 * (1 + |x|)
 *   vector_silu  absolute error <= 2e-7 * (1 + |x|)
 *
 * The polynomials are those of src/infer/fmath.h. MVE has no division: reciprocals begin
 * with the exponent turned round and end after three steps of Newton.
 */
#ifndef HAWSER_INFER_OPT_ARMV81M_MVE_VECTOR_H
#define HAWSER_INFER_OPT_ARMV81M_MVE_VECTOR_H

#include <arm_mve.h>
#include <stdint.h>

#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE float reduce_add(float32x4_t v)
{
	return (vgetq_lane_f32(v, 0) + vgetq_lane_f32(v, 1)) +
	       (vgetq_lane_f32(v, 2) + vgetq_lane_f32(v, 3));
}

/* Four scales. */
ALWAYS_INLINE float32x4_t load_bf16(const uint16_t *p)
{
	return vreinterpretq_f32_u32(vshlq_n_u32(vldrhq_u32(p), 16));
}

ALWAYS_INLINE float32x4_t load_bf16_part(const uint16_t *p, mve_pred16_t which)
{
	return vreinterpretq_f32_u32(vshlq_n_u32(vldrhq_z_u32(p, which), 16));
}

/* Of 1 <= x <= 1e30; relative error <= 1.2e-7. */
ALWAYS_INLINE float32x4_t reciprocal(float32x4_t x)
{
	const float32x4_t two = vdupq_n_f32(2.0f);
	float32x4_t r = vreinterpretq_f32_s32(
		vsubq_s32(vdupq_n_s32(0x7ef311c7), vreinterpretq_s32_f32(x)));

	r = vmulq_f32(r, vfmsq_f32(two, x, r));
	r = vmulq_f32(r, vfmsq_f32(two, x, r));
	return vmulq_f32(r, vfmsq_f32(two, x, r));
}

/* For -87 <= x <= 88. What is added to each term comes from a general register: VFMAS. */
ALWAYS_INLINE float32x4_t exp_within(float32x4_t x)
{
	int32x4_t k = vcvtnq_s32_f32(vmulq_n_f32(x, 1.44269504f));
	float32x4_t n = vcvtq_f32_s32(k), p;

	x = vfmaq_n_f32(x, n, -0.693359375f);
	x = vfmaq_n_f32(x, n, 2.12194440e-4f);
	p = vaddq_n_f32(vmulq_n_f32(x, 1.394215971e-03f), 8.375967853e-03f);
	p = vfmasq_n_f32(p, x, 4.166634008e-02f);
	p = vfmasq_n_f32(p, x, 1.666640490e-01f);
	p = vfmasq_n_f32(p, x, 0.5f);
	p = vfmasq_n_f32(p, x, 1.0f);
	p = vfmasq_n_f32(p, x, 1.0f);
	return vreinterpretq_f32_s32(
		vaddq_s32(vreinterpretq_s32_f32(p), vshlq_n_s32(k, 23)));
}

ALWAYS_INLINE float32x4_t vector_exp(float32x4_t x)
{
	x = vmaxnmq_f32(x, vdupq_n_f32(-87.0f));
	return exp_within(vminnmq_f32(x, vdupq_n_f32(88.0f)));
}

ALWAYS_INLINE float32x4_t vector_gelu(float32x4_t x)
{
	const float32x4_t one = vdupq_n_f32(1.0f);
	float32x4_t a = vmulq_n_f32(vabsq_f32(x), 0.70710678f), t, p, e;

	t = reciprocal(vfmaq_n_f32(one, a, 0.3275911f));
	p = vaddq_n_f32(vmulq_n_f32(t, 1.061405429f), -1.453152027f);
	p = vfmasq_n_f32(p, t, 1.421413741f);
	p = vfmasq_n_f32(p, t, -0.284496736f);
	p = vfmasq_n_f32(p, t, 0.254829592f);
	p = vmulq_f32(p, t);
	a = vmaxnmq_f32(vnegq_f32(vmulq_f32(a, a)), vdupq_n_f32(-87.0f));
	e = vfmsq_f32(one, p, exp_within(a)); /* erf(a) */
	x = vmulq_n_f32(x, 0.5f);
	return vfmaq_f32(x, vabsq_f32(x), e);
}

ALWAYS_INLINE float32x4_t vector_silu(float32x4_t x)
{
	float32x4_t e = vector_exp(vnegq_f32(x));

	return vmulq_f32(x, reciprocal(vaddq_n_f32(e, 1.0f)));
}

ALWAYS_INLINE float32x4_t vector_act(float32x4_t x, int act)
{
	if (act == KERNEL_GELU)
		return vector_gelu(x);
	if (act == KERNEL_SILU)
		return vector_silu(x);
	return vmaxnmq_f32(x, vdupq_n_f32(0));
}

ALWAYS_INLINE void each_vector(uint32_t n, float *x, int act)
{
	for (uint32_t k = n / 4; k; k--, x += 4)
		vst1q_f32(x, vector_act(vld1q_f32(x), act));
	if (n % 4) {
		mve_pred16_t which = vctp32q(n % 4);

		vst1q_p_f32(x, vector_act(vld1q_z_f32(x, which), act), which);
	}
}

#endif
