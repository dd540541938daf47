/* Sixteen columns down all rows, then the next: sums stay in registers, added in the
 * portable kernel's order. */
#include "src/infer/opt/arm64-neon/vector.h"
#include "src/infer/opt/arm64-neon/written.h"

void pool_mean(uint32_t n, uint32_t d, const float *x, float *y)
{
	float inverse = 1 / (float)n;
	float32x4_t times = vdupq_n_f32(inverse);

	for (uint32_t c = d / 16; c; c--, x += 16) {
		float32x4_t s0 = vdupq_n_f32(0), s1 = s0, s2 = s0, s3 = s0;
		const float *row = x;

		for (uint32_t k = n; k; k--, row += d) {
			float32x4x4_t v = load16(row);

			s0 = vaddq_f32(s0, v.val[0]);
			s1 = vaddq_f32(s1, v.val[1]);
			s2 = vaddq_f32(s2, v.val[2]);
			s3 = vaddq_f32(s3, v.val[3]);
		}
		STORE_PAIR(y, vmulq_f32(s0, times), vmulq_f32(s1, times));
		STORE_PAIR(y, vmulq_f32(s2, times), vmulq_f32(s3, times));
	}
	for (uint32_t c = d % 16; c; c--, x++) {
		const float *row = x;
		float sum = 0;

		for (uint32_t k = n; k; k--, row += d)
			sum += *row;
		*y++ = sum * inverse;
	}
}
