#include "src/infer/opt/armv81m-mve/vector.h"

static float row_scale(const float *x, uint32_t d)
{
	float32x4_t s = vdupq_n_f32(0);

	for (uint32_t k = d / 4; k; k--, x += 4)
		s = vfmaq_f32(s, vld1q_f32(x), vld1q_f32(x));
	if (d % 4) {
		float32x4_t v = vld1q_z_f32(x, vctp32q(d % 4));

		s = vfmaq_f32(s, v, v);
	}
	return fmath_rsqrt(reduce_add(s) / (float)d + 1e-5f);
}

static void norm_row(uint32_t d, const float *x, const float *g, float *y)
{
	float scale = row_scale(x, d);

	for (uint32_t k = d / 4; k; k--, x += 4, g += 4, y += 4)
		vst1q_f32(y, vmulq_f32(vmulq_n_f32(vld1q_f32(x), scale), vld1q_f32(g)));
	if (d % 4) {
		mve_pred16_t which = vctp32q(d % 4);
		float32x4_t v = vmulq_n_f32(vld1q_z_f32(x, which), scale);

		vst1q_p_f32(y, vmulq_f32(v, vld1q_z_f32(g, which)), which);
	}
}

void norm_rms(uint32_t n, uint32_t d, const float *x, const float *gain, float *y)
{
	for (; n; n--, x += d, y += d)
		norm_row(d, x, gain, y);
}
