/* Forward only, as quant_rows. Whole numbers are cut to 127 either way before they are
 * bytes. */
#include "src/infer/opt/armv81m-mve/vector.h"

ALWAYS_INLINE int32x4_t quantise_4(float32x4_t x, float inverse)
{
	float32x4_t v = vminnmq_f32(vmulq_n_f32(x, inverse), vdupq_n_f32(127.0f));

	return vcvtaq_s32_f32(vmaxnmq_f32(v, vdupq_n_f32(-127.0f)));
}

void quant_rows_static(uint32_t n, uint32_t d, float inverse, const float *x, int8_t *q)
{
	uint32_t size = n * d;

	for (uint32_t k = size / 4; k; k--, x += 4, q += 4)
		vstrbq_s32(q, quantise_4(vld1q_f32(x), inverse));
	if (size % 4) {
		mve_pred16_t which = vctp32q(size % 4);

		vstrbq_p_s32(q, quantise_4(vld1q_z_f32(x, which), inverse), which);
	}
}
