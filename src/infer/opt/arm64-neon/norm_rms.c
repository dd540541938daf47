#include "src/infer/opt/arm64-neon/vector.h"

static float mean_square(const float *x, uint32_t d)
{
	float32x4_t s0 = vdupq_n_f32(0), s1 = s0;
	float sum;

	for (uint32_t k = d / 8; k; k--, x += 8) {
		float32x4_t a = vld1q_f32(x), b = vld1q_f32(x + 4);

		s0 = vfmaq_f32(s0, a, a);
		s1 = vfmaq_f32(s1, b, b);
	}
	sum = reduce_add(vaddq_f32(s0, s1));
	for (uint32_t k = d % 8; k; k--, x++)
		sum += *x * *x;
	return sum / (float)d;
}

void norm_rms(uint32_t n, uint32_t d, const float *x, const float *gain, float *y)
{
	for (; n; n--) {
		float scale = reciprocal_root(mean_square(x, d) + 1e-5f);
		float32x4_t s = vdupq_n_f32(scale);
		const float *g = gain;

		for (uint32_t k = d / 4; k; k--, x += 4, y += 4, g += 4)
			vst1q_f32(y, vmulq_f32(vmulq_f32(vld1q_f32(x), s), vld1q_f32(g)));
		for (uint32_t k = d % 4; k; k--)
			*y++ = *x++ * scale * *g++;
	}
}
