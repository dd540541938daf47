/* Attention over keys and values that are kept in fp16 or int8, a query at a time: scores of
 * four keys, whose columns a gathering load brings together; then four columns of the mix.
 */
#ifndef HAWSER_INFER_OPT_ARMV81M_MVE_KEPT_H
#define HAWSER_INFER_OPT_ARMV81M_MVE_KEPT_H

#include "src/infer/opt/armv81m-mve/scores.h"

/* One query of one head; bits: 16 or 8. */
struct kept_query {
	const struct attention *a;
	const struct attention_data *data;
	uint32_t head, kv, i, m; /* the query is token i and sees m */
	uintptr_t step;		 /* from token to token of what is kept */
};

/* In q0, the one register with which binutils 2.40 encodes VCVTB as it is written. */
ALWAYS_INLINE float32x4_t from_half(uint32x4_t h)
{
	register uint32x4_t in __asm("q0") = h;
	register float32x4_t out __asm("q0");

	__asm("vcvtb.f32.f16 q0, q0" : "=w"(out) : "0"(in));
	return out;
}

/* Products of the query with the keys at `from`, in elements. */
ALWAYS_INLINE float32x4_t kept_dot(
	const struct kept_query *b, const float *q, uint32x4_t from, const int bits)
{
	const void *k = b->data->kept_k;
	const uint16_t *half = (const uint16_t *)k + b->kv * b->a->d_head;
	const int8_t *byte = (const int8_t *)k + b->kv * b->a->d_head;
	float32x4_t s = vdupq_n_f32(0), v;

	for (uint32_t c = b->a->d_head; c; c--) {
		if (bits == 16)
			v = from_half(vldrhq_gather_shifted_offset_u32(half++, from));
		else
			v = vcvtq_f32_s32(vldrbq_gather_offset_s32(byte++, from));
		s = vfmaq_n_f32(s, v, *q++);
	}
	return s;
}

ALWAYS_INLINE void kept_scores(const struct kept_query *b, const float *q, const int bits)
{
	uint32_t heads = b->a->n_kv_heads;

	for (uint32_t j = 0; j < b->m; j += 4) {
		uint32x4_t at = vidupq_n_u32(j, 1);
		uint32x4_t from = vminq_u32(at, vdupq_n_u32(b->m - 1));
		float32x4_t s = kept_dot(b, q, vmulq_n_u32(from, b->step), bits);

		s = vmulq_n_f32(s, b->a->scale);
		if (bits == 8)
			s = vmulq_f32(s,
				vldrwq_gather_shifted_offset_f32(b->data->k_scale + b->kv,
					vmulq_n_u32(from, heads)));
		if (b->a->rel)
			s = vaddq_f32(s, biases(b->a, b->head, b->i, at));
		vst1q_f32(b->data->row + j, s);
	}
}

/* Weights with the scales of the values in them. */
static void scale_weights(const struct kept_query *b)
{
	uint32_t heads = b->a->n_kv_heads;
	float *row = b->data->row;

	for (uint32_t j = 0; j < b->m; j += 4, row += 4) {
		uint32x4_t from = vminq_u32(vidupq_n_u32(j, 1), vdupq_n_u32(b->m - 1));
		float32x4_t scales = vldrwq_gather_shifted_offset_f32(
			b->data->v_scale + b->kv, vmulq_n_u32(from, heads));

		vst1q_f32(row, vmulq_f32(vld1q_f32(row), scales));
	}
}

/* Four columns from c on, or the part of them that there is. */
ALWAYS_INLINE float32x4_t kept_mix(
	const struct kept_query *b, uint32_t c, mve_pred16_t which, const int bits)
{
	uintptr_t first = b->kv * b->a->d_head + c;
	const uint16_t *half = (const uint16_t *)b->data->kept_v + first;
	const int8_t *byte = (const int8_t *)b->data->kept_v + first;
	const float *row = b->data->row;
	float32x4_t s = vdupq_n_f32(0), v;

	for (uint32_t j = b->m; j; j--, half += b->step, byte += b->step) {
		if (bits == 16)
			v = from_half(vldrhq_z_u32(half, which));
		else
			v = vcvtq_f32_s32(vldrbq_z_s32(byte, which));
		s = vfmaq_n_f32(s, v, *row++);
	}
	return s;
}

/* A head's slice of q is read before the same slice of out is written: out may be q. */
ALWAYS_INLINE void kept_run(struct kept_query *b, uintptr_t at, const int bits)
{
	uint32_t d = b->a->d_head;
	float inverse;

	kept_scores(b, b->data->q + at, bits);
	inverse = 1 / weigh(b->data->row, b->m);
	if (bits == 8)
		scale_weights(b);
	for (uint32_t c = 0; c < d; c += 4) {
		mve_pred16_t which = vctp32q(d - c);

		vst1q_p_f32(b->data->out + at + c,
			vmulq_n_f32(kept_mix(b, c, which, bits), inverse), which);
	}
}

ALWAYS_INLINE void kept_attention(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data, const int bits)
{
	uint32_t per_kv = a->n_heads / a->n_kv_heads;
	struct kept_query b = {
		.a = a, .data = data, .step = (uintptr_t)a->n_kv_heads * a->d_head};

	for (uint32_t t = 0; t < n; t++) {
		b.i = n_past + t;
		b.m = a->causal ? b.i + 1 : n_past + n;
		for (b.head = 0; b.head < a->n_heads; b.head++) {
			b.kv = b.head / per_kv;
			kept_run(&b, ((uintptr_t)t * a->n_heads + b.head) * a->d_head,
				bits);
		}
	}
}

#endif
