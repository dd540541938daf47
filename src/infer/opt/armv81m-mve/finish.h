/* From the sums of a product, [FINISH_COLUMNS / 4][2][4], to its outputs: scales, bias, what
 * is added, activation; of one or two tokens from t on and `cols` columns from `first` on.
 */
#ifndef HAWSER_INFER_OPT_ARMV81M_MVE_FINISH_H
#define HAWSER_INFER_OPT_ARMV81M_MVE_FINISH_H

#include "src/infer/opt/armv81m-mve/vector.h"
#include "src/infer/opt/near_gelu.h"

#define FINISH_COLUMNS 128 /* of output, at once */

struct product {
	const struct linear *l;
	const float *x_scale, *add;
	float *y;
};

/* Pointers that are about to move on by four columns. */
struct finish_at {
	const int32_t *sums;
	const uint16_t *scales;
	const float *bias, *a0, *a1;
	float *y0, *y1, scale0, scale1;
};

/* Which parts there are, known where it is compiled. Sums of int4 are floats. */
struct form {
	int rows, is_i4, add, part;
};

ALWAYS_INLINE float32x4_t load_4(const float *p, int part, mve_pred16_t which)
{
	return part ? vld1q_z_f32(p, which) : vld1q_f32(p);
}

ALWAYS_INLINE void finish_4(const void *sums, float32x4_t scales, float32x4_t c,
	float scale, const float *add, float *y, const struct form f, mve_pred16_t which)
{
	float32x4_t v;

	if (f.is_i4)
		v = vfmaq_n_f32(c, vld1q_f32(sums), scale);
	else
		v = vfmaq_f32(
			c, vcvtq_f32_s32(vld1q_s32(sums)), vmulq_n_f32(scales, scale));
	if (f.add)
		v = vaddq_f32(v, load_4(add, f.part, which));
	if (f.part)
		vst1q_p_f32(y, v, which);
	else
		vst1q_f32(y, v);
}

/* Whole vectors of columns, or the part of one that is left: which of it. */
ALWAYS_INLINE struct finish_at finish_form(
	struct finish_at p, uint32_t n, const struct form f, mve_pred16_t which)
{
	float32x4_t scales = vdupq_n_f32(0);

	for (; n; n--) {
		float32x4_t c = load_4(p.bias, f.part, which);

		if (!f.is_i4)
			scales = f.part ? load_bf16_part(p.scales, which)
					: load_bf16(p.scales);
		finish_4(p.sums, scales, c, p.scale0, p.a0, p.y0, f, which);
		if (f.rows > 1)
			finish_4(p.sums + 4, scales, c, p.scale1, p.a1, p.y1, f, which);
		p.sums += 8;
		p.scales += f.is_i4 ? 0 : 4;
		p.bias += 4;
		p.a0 += f.add ? 4 : 0;
		p.a1 += f.add ? 4 : 0;
		p.y0 += 4;
		p.y1 += 4;
	}
	return p;
}

ALWAYS_INLINE void finish_rows(
	struct finish_at p, uint32_t cols, const int rows, const int is_i4, const int add)
{
	p = finish_form(p, cols / 4, (struct form){rows, is_i4, add, 0}, 0);
	if (cols % 4)
		finish_form(p, 1, (struct form){rows, is_i4, add, 1}, vctp32q(cols % 4));
}

/* Absolute error <= 1.2e-5. */
ALWAYS_INLINE float32x4_t vector_near_gelu(float32x4_t x)
{
	float32x4_t a = vabsq_f32(x), p;
	uint32x4_t at = vcvtnq_u32_f32(
		vmulq_n_f32(vminnmq_f32(a, vdupq_n_f32(5.6f)), NEAR_STEPS));

	p = vldrwq_gather_shifted_offset_f32(near_pieces[3], at);
	p = vfmaq_f32(vldrwq_gather_shifted_offset_f32(near_pieces[2], at), p, a);
	p = vfmaq_f32(vldrwq_gather_shifted_offset_f32(near_pieces[1], at), p, a);
	p = vfmaq_f32(vldrwq_gather_shifted_offset_f32(near_pieces[0], at), p, a);
	return vfmaq_n_f32(p, x, 0.5f);
}

__attribute__((noinline)) static void near_gelu(uint32_t n, float *x)
{
	for (uint32_t k = n / 4; k; k--, x += 4)
		vst1q_f32(x, vector_near_gelu(vld1q_f32(x)));
	if (n % 4) {
		mve_pred16_t which = vctp32q(n % 4);

		vst1q_p_f32(x, vector_near_gelu(vld1q_z_f32(x, which)), which);
	}
}

__attribute__((noinline)) static void activate(uint8_t act, uint32_t n, float *x)
{
	if (act == KERNEL_GELU)
		near_gelu(n, x);
	else if (act == KERNEL_SILU)
		each_vector(n, x, KERNEL_SILU);
	else
		each_vector(n, x, KERNEL_RELU);
}

static const float no_bias[FINISH_COLUMNS];

ALWAYS_INLINE void finish(const struct product *b, const int32_t *sums, uint32_t t,
	uint32_t rows, uint32_t first, uint32_t cols, const int is_i4)
{
	const struct linear *l = b->l;
	uintptr_t at = (uintptr_t)t * l->out + first, next = at + (rows > 1 ? l->out : 0);
	float part = is_i4 ? 0.0625f : 1;
	struct finish_at p = {.sums = sums,
		.scales = l->scales + first,
		.bias = l->bias ? l->bias + first : no_bias,
		.a0 = b->add ? b->add + at : 0,
		.a1 = b->add ? b->add + next : 0,
		.y0 = b->y + at,
		.y1 = b->y + next,
		.scale0 = b->x_scale[t] * part,
		.scale1 = b->x_scale[t + rows - 1] * part};

	if (rows > 1 && b->add)
		finish_rows(p, cols, 2, is_i4, 1);
	else if (rows > 1)
		finish_rows(p, cols, 2, is_i4, 0);
	else if (b->add)
		finish_rows(p, cols, 1, is_i4, 1);
	else
		finish_rows(p, cols, 1, is_i4, 0);
	if (l->act)
		activate(l->act, cols, b->y + at);
	if (l->act && rows > 1)
		activate(l->act, cols, b->y + next);
}

#endif
