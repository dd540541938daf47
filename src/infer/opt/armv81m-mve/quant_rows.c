/* Forward only, as q may lie on x: four floats are read before the four bytes below them
 * are written. VCVTA rounds half away from zero by itself. */
#include "src/infer/opt/armv81m-mve/vector.h"

static float row_largest(const float *x, uint32_t d)
{
	float32x4_t m = vdupq_n_f32(0);

	for (uint32_t k = d / 4; k; k--, x += 4)
		m = vmaxnmaq_f32(m, vld1q_f32(x));
	if (d % 4)
		m = vmaxnmaq_f32(m, vld1q_z_f32(x, vctp32q(d % 4)));
	return vmaxnmvq_f32(0, m);
}

void quant_rows(uint32_t n, uint32_t d, const float *x, int8_t *q, float *scale)
{
	for (uint32_t t = 0; t < n; t++) {
		float largest = row_largest(x, d);
		float inverse = largest < 1e-30f ? 0 : 127 / largest;

		for (uint32_t k = d / 4; k; k--, x += 4, q += 4)
			vstrbq_s32(q, vcvtaq_s32_f32(vmulq_n_f32(vld1q_f32(x), inverse)));
		if (d % 4) {
			mve_pred16_t which = vctp32q(d % 4);
			float32x4_t v = vld1q_z_f32(x, which);

			vstrbq_p_s32(q, vcvtaq_s32_f32(vmulq_n_f32(v, inverse)), which);
			x += d % 4;
			q += d % 4;
		}
		scale[t] = largest / 127;
	}
}
