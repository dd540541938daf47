/* Pointers count down, which gcc turns into the fewest instructions. */
#include "src/infer/opt/arm64-neon/vector.h"
#include "src/infer/opt/arm64-neon/written.h"

static float row_mean(const float *x, uint32_t d)
{
	float32x4_t s0 = vdupq_n_f32(0), s1 = s0;
	float sum;

	for (uint32_t k = d / 16; k; k--, x += 16) {
		float32x4x4_t v = load16(x);

		s0 = vaddq_f32(s0, v.val[0]);
		s1 = vaddq_f32(s1, v.val[1]);
		s0 = vaddq_f32(s0, v.val[2]);
		s1 = vaddq_f32(s1, v.val[3]);
	}
	for (uint32_t k = d % 16 / 4; k; k--, x += 4)
		s0 = vaddq_f32(s0, vld1q_f32(x));
	sum = reduce_add(vaddq_f32(s0, s1));
	for (uint32_t k = d % 4; k; k--)
		sum += *x++;
	return sum / (float)d;
}

static float row_variance(const float *x, uint32_t d, float mean)
{
	float32x4_t m = vdupq_n_f32(mean), s0 = vdupq_n_f32(0), s1 = s0;
	float sum;

	for (uint32_t k = d / 16; k; k--, x += 16) {
		float32x4x4_t v = load16(x);
		float32x4_t a0 = vsubq_f32(v.val[0], m), a1 = vsubq_f32(v.val[1], m);
		float32x4_t a2 = vsubq_f32(v.val[2], m), a3 = vsubq_f32(v.val[3], m);

		s0 = vfmaq_f32(s0, a0, a0);
		s1 = vfmaq_f32(s1, a1, a1);
		s0 = vfmaq_f32(s0, a2, a2);
		s1 = vfmaq_f32(s1, a3, a3);
	}
	for (uint32_t k = d % 16 / 4; k; k--, x += 4) {
		float32x4_t a = vsubq_f32(vld1q_f32(x), m);

		s0 = vfmaq_f32(s0, a, a);
	}
	sum = reduce_add(vaddq_f32(s0, s1));
	for (uint32_t k = d % 4; k; k--, x++)
		sum += (*x - mean) * (*x - mean);
	return sum / (float)d;
}

ALWAYS_INLINE float32x4_t norm4(float32x4_t x, float32x4_t gain, float32x4_t bias,
	float32x4_t mean, float32x4_t scale)
{
	return vfmaq_f32(bias, vmulq_f32(vsubq_f32(x, mean), scale), gain);
}

void norm_ln(uint32_t n, uint32_t d, const float *x, const float *gain, const float *bias,
	float *y)
{
	for (; n; n--) {
		float mean = row_mean(x, d);
		float scale = reciprocal_root(row_variance(x, d, mean) + 1e-5f);
		float32x4_t m = vdupq_n_f32(mean), s = vdupq_n_f32(scale);
		const float *g = gain, *b = bias;

		for (uint32_t k = d / 16; k; k--, x += 16, g += 16, b += 16) {
			float32x4x4_t xv = load16(x), gv = load16(g), bv = load16(b);
			float32x4_t v0 = norm4(xv.val[0], gv.val[0], bv.val[0], m, s);
			float32x4_t v1 = norm4(xv.val[1], gv.val[1], bv.val[1], m, s);
			float32x4_t v2 = norm4(xv.val[2], gv.val[2], bv.val[2], m, s);
			float32x4_t v3 = norm4(xv.val[3], gv.val[3], bv.val[3], m, s);

			STORE_PAIR(y, v0, v1);
			STORE_PAIR(y, v2, v3);
		}
		for (uint32_t k = d % 16 / 4; k; k--, x += 4, y += 4, g += 4, b += 4)
			vst1q_f32(
				y, norm4(vld1q_f32(x), vld1q_f32(g), vld1q_f32(b), m, s));
		for (uint32_t k = d % 4; k; k--)
			*y++ = (*x++ - mean) * scale * *g++ + *b++;
	}
}
