/* Four columns down all rows, then the next: sums are added in the portable kernel's
 * order. */
#include "src/infer/opt/armv81m-mve/vector.h"

void pool_mean(uint32_t n, uint32_t d, const float *x, float *y)
{
	float inverse = 1 / (float)n;

	for (uint32_t c = 0; c < d; c += 4) {
		mve_pred16_t which = vctp32q(d - c);
		float32x4_t s = vdupq_n_f32(0);

		for (uint32_t t = 0; t < n; t++)
			s = vaddq_f32(s, vld1q_z_f32(x + (uintptr_t)t * d + c, which));
		vst1q_p_f32(y + c, vmulq_n_f32(s, inverse), which);
	}
}
