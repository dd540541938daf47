/* From the sums of a product, [2, FINISH_COLUMNS], to its outputs: scales, bias, what is
 * added, activation; of one or two tokens from t on and `cols` columns from `first` on.
 */
#ifndef HAWSER_INFER_OPT_ARMV81M_MVE_FINISH_H
#define HAWSER_INFER_OPT_ARMV81M_MVE_FINISH_H

#include "src/infer/opt/armv81m-mve/vector.h"

#define FINISH_COLUMNS 64 /* of output, at once */

struct product {
	const struct linear *l;
	const float *x_scale, *add;
	float *y;
};

/* One row's part that is being made: of sums in whole numbers, or (of int4) in floats. */
struct finish_row {
	const void *sums;
	const float *add;
	float *y, scale;
};

/* Which parts there are, known where it is compiled. */
struct form {
	int rows, is_i4, bias, add;
};

/* Four columns, or `which` of them where `part`. */
ALWAYS_INLINE void finish_4(struct finish_row *row, const uint16_t *scales,
	const float *bias, const struct form f, const int part, mve_pred16_t which)
{
	float32x4_t s = vdupq_n_f32(0), c = s;

	if (!f.is_i4)
		s = part ? load_bf16_part(scales, which) : load_bf16(scales);
	if (f.bias)
		c = part ? vld1q_z_f32(bias, which) : vld1q_f32(bias);
#pragma GCC unroll 2
	for (int r = 0; r < f.rows; r++) {
		float32x4_t v;

		if (f.is_i4)
			v = vfmaq_n_f32(c, vld1q_f32(row[r].sums), row[r].scale);
		else
			v = vfmaq_f32(c, vcvtq_f32_s32(vld1q_s32(row[r].sums)),
				vmulq_n_f32(s, row[r].scale));
		if (f.add)
			v = vaddq_f32(v, part ? vld1q_z_f32(row[r].add, which)
					      : vld1q_f32(row[r].add));
		if (part)
			vst1q_p_f32(row[r].y, v, which);
		else
			vst1q_f32(row[r].y, v);
		row[r].sums = (const int32_t *)row[r].sums + 4;
		row[r].add += f.add ? 4 : 0;
		row[r].y += 4;
	}
}

ALWAYS_INLINE void finish_form(struct finish_row *row, const uint16_t *scales,
	const float *bias, uint32_t cols, const struct form f)
{
	for (uint32_t k = cols / 4; k; k--) {
		finish_4(row, scales, bias, f, 0, 0);
		scales += f.is_i4 ? 0 : 4;
		bias += f.bias ? 4 : 0;
	}
	if (cols % 4)
		finish_4(row, scales, bias, f, 1, vctp32q(cols % 4));
}

ALWAYS_INLINE void finish_rows(struct finish_row *row, const uint16_t *scales,
	const float *bias, uint32_t cols, const int rows, const int is_i4)
{
	if (bias && !row->add)
		finish_form(row, scales, bias, cols, (struct form){rows, is_i4, 1, 0});
	else if (bias)
		finish_form(row, scales, bias, cols, (struct form){rows, is_i4, 1, 1});
	else if (!row->add)
		finish_form(row, scales, bias, cols, (struct form){rows, is_i4, 0, 0});
	else
		finish_form(row, scales, bias, cols, (struct form){rows, is_i4, 0, 1});
}

ALWAYS_INLINE void activate(uint8_t act, uint32_t n, float *x)
{
	if (act == KERNEL_GELU)
		each_vector(n, x, KERNEL_GELU);
	else if (act == KERNEL_SILU)
		each_vector(n, x, KERNEL_SILU);
	else if (act == KERNEL_RELU)
		each_vector(n, x, KERNEL_RELU);
}

ALWAYS_INLINE void finish(const struct product *b, const void *sums, uint32_t t,
	uint32_t rows, uint32_t first, uint32_t cols, const int is_i4)
{
	const struct linear *l = b->l;
	const float *bias = l->bias ? l->bias + first : 0;
	struct finish_row row[2];

	for (uint32_t r = 0; r < rows; r++) {
		uintptr_t at = (uintptr_t)(t + r) * l->out + first;

		row[r] = (struct finish_row){
			(const int32_t *)sums + (uintptr_t)r * FINISH_COLUMNS,
			b->add ? b->add + at : 0, b->y + at,
			is_i4 ? b->x_scale[t + r] / 16 : b->x_scale[t + r]};
	}
	if (rows == 2)
		finish_rows(row, l->scales + first, bias, cols, 2, is_i4);
	else
		finish_rows(row, l->scales + first, bias, cols, 1, is_i4);
	for (uint32_t r = 0; r < rows && l->act; r++)
		activate(l->act, cols, b->y + (uintptr_t)(t + r) * l->out + first);
}

#endif
