/* What the attention kernels share: the bias of a distance, and parts of softmax.
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

#endif
