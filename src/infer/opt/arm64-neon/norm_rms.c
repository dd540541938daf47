#include "src/infer/fmath.h"
#include "src/infer/opt/arm64-neon/vector.h"

static float mean_square(const float *x, uint32_t d)
{
	float32x4_t s0 = vdupq_n_f32(0), s1 = s0;
	uint32_t i = 0;
	float sum;

	for (; i + 8 <= d; i += 8) {
		float32x4_t a = vld1q_f32(x + i), b = vld1q_f32(x + i + 4);

		s0 = vfmaq_f32(s0, a, a);
		s1 = vfmaq_f32(s1, b, b);
	}
	sum = reduce_add(vaddq_f32(s0, s1));
	for (; i < d; i++)
		sum += x[i] * x[i];
	return sum / (float)d;
}

void norm_rms(uint32_t n, uint32_t d, const float *x, const float *gain, float *y)
{
	for (; n; n--, x += d, y += d) {
		float scale = fmath_rsqrt(mean_square(x, d) + 1e-5f);
		uint32_t i = 0;

		for (; i + 4 <= d; i += 4)
			vst1q_f32(y + i, vmulq_f32(vmulq_n_f32(vld1q_f32(x + i), scale),
						 vld1q_f32(gain + i)));
		for (; i < d; i++)
			y[i] = x[i] * scale * gain[i];
	}
}
