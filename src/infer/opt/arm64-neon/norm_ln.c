#include "src/infer/fmath.h"
#include "src/infer/opt/arm64-neon/vector.h"

static float row_mean(const float *x, uint32_t d)
{
	float32x4_t s0 = vdupq_n_f32(0), s1 = s0;
	uint32_t i = 0;
	float sum;

	for (; i + 8 <= d; i += 8) {
		s0 = vaddq_f32(s0, vld1q_f32(x + i));
		s1 = vaddq_f32(s1, vld1q_f32(x + i + 4));
	}
	sum = reduce_add(vaddq_f32(s0, s1));
	for (; i < d; i++)
		sum += x[i];
	return sum / (float)d;
}

static float row_variance(const float *x, uint32_t d, float mean)
{
	float32x4_t m = vdupq_n_f32(mean), s0 = vdupq_n_f32(0), s1 = s0;
	uint32_t i = 0;
	float sum;

	for (; i + 8 <= d; i += 8) {
		float32x4_t a = vsubq_f32(vld1q_f32(x + i), m);
		float32x4_t b = vsubq_f32(vld1q_f32(x + i + 4), m);

		s0 = vfmaq_f32(s0, a, a);
		s1 = vfmaq_f32(s1, b, b);
	}
	sum = reduce_add(vaddq_f32(s0, s1));
	for (; i < d; i++)
		sum += (x[i] - mean) * (x[i] - mean);
	return sum / (float)d;
}

void norm_ln(uint32_t n, uint32_t d, const float *x, const float *gain, const float *bias,
	float *y)
{
	for (; n; n--, x += d, y += d) {
		float mean = row_mean(x, d);
		float scale = fmath_rsqrt(row_variance(x, d, mean) + 1e-5f);
		float32x4_t m = vdupq_n_f32(mean);
		uint32_t i = 0;

		for (; i + 4 <= d; i += 4) {
			float32x4_t v =
				vmulq_n_f32(vsubq_f32(vld1q_f32(x + i), m), scale);

			vst1q_f32(y + i,
				vfmaq_f32(vld1q_f32(bias + i), v, vld1q_f32(gain + i)));
		}
		for (; i < d; i++)
			y[i] = (x[i] - mean) * scale * gain[i] + bias[i];
	}
}
