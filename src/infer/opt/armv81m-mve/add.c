#include "src/infer/opt/armv81m-mve/vector.h"

void add(uint32_t n, const float *x, float *y)
{
	for (uint32_t k = n / 4; k; k--, x += 4, y += 4)
		vst1q_f32(y, vaddq_f32(vld1q_f32(y), vld1q_f32(x)));
	if (n % 4) {
		mve_pred16_t which = vctp32q(n % 4);

		vst1q_p_f32(y, vaddq_f32(vld1q_z_f32(y, which), vld1q_z_f32(x, which)),
			which);
	}
}
