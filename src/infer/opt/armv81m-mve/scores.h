/* What the attention kernels share: the bias of a distance, and softmax.
 */
#ifndef HAWSER_INFER_OPT_ARMV81M_MVE_SCORES_H
#define HAWSER_INFER_OPT_ARMV81M_MVE_SCORES_H

#include "src/infer/opt/armv81m-mve/vector.h"

/* Biases of four keys, at j, seen from token i. */
ALWAYS_INLINE float32x4_t biases(
	const struct attention *a, uint32_t head, uint32_t i, uint32x4_t j)
{
	int32_t r = (int32_t)a->rel_radius;
	int32x4_t far = vsubq_n_s32(vreinterpretq_s32_u32(j), (int32_t)i);

	far = vmaxq_s32(vminq_s32(far, vdupq_n_s32(r)), vdupq_n_s32(-r));
	return vldrwq_gather_shifted_offset_f32(a->rel + head * (2 * a->rel_radius + 1),
		vreinterpretq_u32_s32(vaddq_n_s32(far, r)));
}

/* Of a score that is none of the largest; lanes that are not used may be anything. */
ALWAYS_INLINE float32x4_t weight(float32x4_t score, float32x4_t large)
{
	return exp_within(vmaxnmq_f32(vsubq_f32(score, large), vdupq_n_f32(-87.0f)));
}

ALWAYS_INLINE float largest_score(const float *row, uint32_t m)
{
	float32x4_t large = vdupq_n_f32(row[0]);

	for (uint32_t k = m / 4; k; k--, row += 4)
		large = vmaxnmq_f32(large, vld1q_f32(row));
	if (m % 4) {
		mve_pred16_t rest = vctp32q(m % 4);

		large = vmaxnmq_m_f32(large, large, vld1q_z_f32(row, rest), rest);
	}
	return vmaxnmvq_f32(vgetq_lane_f32(large, 0), large);
}

/* Leaves weights that are to be divided by what it returns. */
ALWAYS_INLINE float weigh(float *row, uint32_t m)
{
	float32x4_t large = vdupq_n_f32(largest_score(row, m)), sum = vdupq_n_f32(0), v;

	for (uint32_t k = m / 4; k; k--, row += 4) {
		v = weight(vld1q_f32(row), large);
		vst1q_f32(row, v);
		sum = vaddq_f32(sum, v);
	}
	if (m % 4) {
		mve_pred16_t rest = vctp32q(m % 4);

		v = weight(vld1q_z_f32(row, rest), large);
		vst1q_p_f32(row, v, rest);
		sum = vaddq_m_f32(sum, sum, v, rest);
	}
	return reduce_add(sum);
}

#endif
