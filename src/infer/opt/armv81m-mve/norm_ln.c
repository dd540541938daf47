#include "src/infer/opt/armv81m-mve/vector.h"

static float row_mean(const float *x, uint32_t d)
{
	float32x4_t s = vdupq_n_f32(0);

	for (uint32_t k = d / 4; k; k--, x += 4)
		s = vaddq_f32(s, vld1q_f32(x));
	if (d % 4)
		s = vaddq_f32(s, vld1q_z_f32(x, vctp32q(d % 4)));
	return reduce_add(s) / (float)d;
}

static float row_variance(const float *x, uint32_t d, float mean)
{
	float32x4_t s = vdupq_n_f32(0);

	for (uint32_t k = d / 4; k; k--, x += 4) {
		float32x4_t v = vsubq_n_f32(vld1q_f32(x), mean);

		s = vfmaq_f32(s, v, v);
	}
	if (d % 4) {
		mve_pred16_t which = vctp32q(d % 4);
		float32x4_t v = vsubq_n_f32(vld1q_z_f32(x, which), mean);

		s = vfmaq_m_f32(s, v, v, which);
	}
	return reduce_add(s) / (float)d;
}

ALWAYS_INLINE float32x4_t norm_4(
	float32x4_t x, float32x4_t gain, float32x4_t bias, float mean, float scale)
{
	return vfmaq_f32(bias, vmulq_n_f32(vsubq_n_f32(x, mean), scale), gain);
}

static void norm_row(uint32_t d, const float *x, const float *g, const float *b, float *y)
{
	float mean = row_mean(x, d);
	float scale = fmath_rsqrt(row_variance(x, d, mean) + 1e-5f);

	for (uint32_t k = d / 4; k; k--, x += 4, g += 4, b += 4, y += 4)
		vst1q_f32(
			y, norm_4(vld1q_f32(x), vld1q_f32(g), vld1q_f32(b), mean, scale));
	if (d % 4) {
		mve_pred16_t which = vctp32q(d % 4);

		vst1q_p_f32(y,
			norm_4(vld1q_z_f32(x, which), vld1q_z_f32(g, which),
				vld1q_z_f32(b, which), mean, scale),
			which);
	}
}

void norm_ln(uint32_t n, uint32_t d, const float *x, const float *gain, const float *bias,
	float *y)
{
	for (; n; n--, x += d, y += d)
		norm_row(d, x, gain, bias, y);
}
