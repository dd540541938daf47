/* Both products are those of src/infer/opt/armv81m-mve/sums_i8.h, two queries at a time:
 * with the keys as panels of four tokens, with the values as panels of four columns. Weights
 * are 128 less than they are, to be signed: 128 times a column's sum is added. */
#include "src/infer/opt/armv81m-mve/scores.h"
#include "src/infer/opt/armv81m-mve/sums_i8.h"

/* One head, and where its parts lie in the scratch. */
struct head {
	const struct attention *a;
	uint32_t h, n, d16, m16;
	uintptr_t q_step, kv_step, out_step;
	const float *q, *k, *v;
	float *out;
	float scale, k_scale, v_scale, q_inverse;
	int8_t *keys, *values;	   /* panels */
	int8_t *queries, *weights; /* [2, d16] and [2, m16] */
	int32_t *sums, *of_columns;
	float *row; /* [2, m16] */
};

static float largest_of(const float *x, uintptr_t step, uint32_t n, uint32_t d)
{
	float32x4_t m = vdupq_n_f32(0);

	for (; n; n--, x += step - d / 4 * 4) {
		for (uint32_t k = d / 4; k; k--, x += 4)
			m = vmaxnmaq_f32(m, vld1q_f32(x));
		if (d % 4)
			m = vmaxnmaq_f32(m, vld1q_z_f32(x, vctp32q(d % 4)));
	}
	return vmaxnmvq_f32(0, m);
}

/* As int8: scale, and what to multiply by. */
static float scale_of(
	const float *x, uintptr_t step, uint32_t n, uint32_t d, float *inverse)
{
	float largest = largest_of(x, step, n, d);

	*inverse = largest < 1e-30f ? 0 : 127 / largest;
	return largest / 127;
}

ALWAYS_INLINE int32x4_t quantise_4(float32x4_t x, float inverse)
{
	return vcvtnq_s32_f32(vmulq_n_f32(x, inverse));
}

/* A row of d columns, cells of sixteen `cell` bytes apart. */
static void quantise(const float *x, uint32_t d, float inverse, int8_t *to, uint32_t cell)
{
	for (; d >= 16; d -= 16, to += cell, x += 16) {
		vstrbq_s32(to, quantise_4(vld1q_f32(x), inverse));
		vstrbq_s32(to + 4, quantise_4(vld1q_f32(x + 4), inverse));
		vstrbq_s32(to + 8, quantise_4(vld1q_f32(x + 8), inverse));
		vstrbq_s32(to + 12, quantise_4(vld1q_f32(x + 12), inverse));
	}
	for (; d >= 4; d -= 4, to += 4, x += 4)
		vstrbq_s32(to, quantise_4(vld1q_f32(x), inverse));
	if (d)
		vstrbq_s32(to, quantise_4(vld1q_z_f32(x, vctp32q(d)), inverse));
}

static void store_keys(struct head *b)
{
	uint32_t d = b->a->d_head;
	float inverse;

	b->k_scale = scale_of(b->k, b->kv_step, b->n, d, &inverse);
	for (uint32_t j = 0; j < b->n; j++)
		quantise(b->k + j * b->kv_step, d, inverse,
			b->keys + j / 4 * 4 * b->d16 + j % 4 * 16, 64);
}

/* Four columns of all tokens; `part` of them where it is not 0. */
ALWAYS_INLINE int32x4_t store_columns(
	const struct head *b, const float *v, float inverse, int8_t *to, uint32_t part)
{
	const uint32x4_t apart = vmulq_n_u32(vidupq_n_u32(0, 1), 16);
	int32x4_t sum = vdupq_n_s32(0);

	for (uint32_t j = 0; j < b->n; j += 16, to += 48)
		for (uint32_t k = b->n - j < 16 ? b->n - j : 16; k;
			k--, to++, v += b->kv_step) {
			int32x4_t q = quantise_4(
				part ? vld1q_z_f32(v, vctp32q(part)) : vld1q_f32(v),
				inverse);

			vstrbq_scatter_offset_s32(to, apart, q);
			sum = vaddq_s32(sum, q);
		}
	return vshlq_n_s32(sum, 7);
}

static void store_values(struct head *b)
{
	uint32_t d = b->a->d_head, c;
	float inverse;

	b->v_scale = scale_of(b->v, b->kv_step, b->n, d, &inverse);
	for (c = 0; c + 4 <= d; c += 4)
		vst1q_s32(b->of_columns + c,
			store_columns(b, b->v + c, inverse, b->values + c * b->m16, 0));
	if (c < d)
		vst1q_s32(b->of_columns + c, store_columns(b, b->v + c, inverse,
						     b->values + c * b->m16, d - c));
}

ALWAYS_INLINE float32x4_t score_4(
	const struct head *b, const int32_t *sums, uint32_t i, uint32_t j)
{
	float32x4_t s = vmulq_n_f32(vcvtq_f32_s32(vld1q_s32(sums)), b->scale);

	if (b->a->rel)
		s = vaddq_f32(s, biases(b->a, b->h, i, vidupq_n_u32(j, 1)));
	return s;
}

/* Scores of query i from its sums; returns the largest of those it sees. */
static float score(
	const struct head *b, const int32_t *sums, uint32_t i, uint32_t sees, float *row)
{
	float32x4_t large = score_4(b, sums, i, 0), s;
	uint32_t j = 0;

	large = vdupq_n_f32(vgetq_lane_f32(large, 0));
	for (; j + 4 <= sees; j += 4, sums += 8) {
		s = score_4(b, sums, i, j);
		vst1q_f32(row + j, s);
		large = vmaxnmq_f32(large, s);
	}
	if (j < sees) {
		s = score_4(b, sums, i, j);
		vst1q_f32(row + j, s);
		large = vmaxnmq_m_f32(large, large, s, vctp32q(sees - j));
	}
	return vmaxnmvq_f32(vgetq_lane_f32(large, 0), large);
}

ALWAYS_INLINE int32x4_t weights_4(const float *row, float32x4_t large)
{
	return vcvtnq_s32_f32(vmulq_n_f32(weight(vld1q_f32(row), large), 255));
}

/* Weights of a row, those of tokens that are not seen zero; returns their sum. */
static int32_t weigh_255(
	const struct head *b, const float *row, uint32_t sees, float largest, int8_t *to)
{
	const int32x4_t none = vdupq_n_s32(-128);
	float32x4_t large = vdupq_n_f32(largest);
	int32_t sum = 0;
	uint32_t j = 0;

	for (; j + 4 <= sees; j += 4) {
		int32x4_t u = weights_4(row + j, large);

		sum = vaddvaq_s32(sum, u);
		vstrbq_s32(to + j, vaddq_n_s32(u, -128));
	}
	if (j < sees) {
		mve_pred16_t which = vctp32q(sees - j);
		int32x4_t u = weights_4(row + j, large);

		sum = vaddvaq_p_s32(sum, u, which);
		vstrbq_s32(to + j, vaddq_m_s32(none, none, u, which));
		j += 4;
	}
	for (; j < b->n; j += 4)
		vstrbq_s32(to + j, none);
	return sum;
}

static void finish(const struct head *b, const int32_t *sums, float scale, float *out)
{
	uint32_t d = b->a->d_head, c;

	for (c = 0; c < d; c += 4, sums += 8) {
		int32x4_t s = vaddq_s32(vld1q_s32(sums), vld1q_s32(b->of_columns + c));
		float32x4_t v = vmulq_n_f32(vcvtq_f32_s32(s), scale);

		if (d - c >= 4)
			vst1q_f32(out + c, v);
		else
			vst1q_p_f32(out + c, v, vctp32q(d - c));
	}
}

/* Queries i and i + 1, or the last one alone. */
static void run_queries(const struct head *b, uint32_t i)
{
	uint32_t rows = b->n - i < 2 ? 1 : 2, d = b->a->d_head;
	void (*sums_of)(const struct sums_call *) = rows > 1 ? sums_of_2 : sums_of_1;
	float scale[2];

	for (uint32_t r = 0; r < rows; r++)
		quantise(b->q + (i + r) * b->q_step, d, b->q_inverse,
			b->queries + r * b->d16, 16);
	sums_of(&(struct sums_call){b->keys, b->queries,
		b->queries + (rows > 1 ? b->d16 : 0), b->sums,
		d + ((b->n + 3) / 4 - 1) * 65536});
	for (uint32_t r = 0; r < rows; r++) {
		uint32_t sees = b->a->causal ? i + r + 1 : b->n;
		float largest = score(b, b->sums + 4 * r, i + r, sees, b->row);

		scale[r] = b->v_scale / (float)weigh_255(b, b->row, sees, largest,
						b->weights + r * b->m16);
	}
	sums_of(&(struct sums_call){b->values, b->weights,
		b->weights + (rows > 1 ? b->m16 : 0), b->sums,
		b->n + ((d + 3) / 4 - 1) * 65536});
	for (uint32_t r = 0; r < rows; r++)
		finish(b, b->sums + 4 * r, scale[r], b->out + (i + r) * b->out_step);
}

static void place(struct head *b, float *scratch)
{
	uint32_t longest = b->m16 > b->d16 ? b->m16 : b->d16;

	b->row = scratch;
	b->sums = (int32_t *)(b->row + b->m16);
	b->of_columns = b->sums + 2 * longest;
	b->keys = (int8_t *)(b->of_columns + b->d16);
	b->values = b->keys + b->m16 * b->d16;
	b->queries = b->values + b->m16 * b->d16;
	b->weights = b->queries + 2 * b->d16;
}

void attention_dot8(
	const struct attention *a, uint32_t n, const struct attention_data *data)
{
	uint32_t d = a->d_head, per_kv = a->n_heads / a->n_kv_heads;
	struct head b = {.a = a,
		.n = n,
		.d16 = (d + 15) / 16 * 16,
		.m16 = (n + 15) / 16 * 16,
		.q_step = data->stride ? data->stride : a->n_heads * d,
		.kv_step = data->stride ? data->stride : a->n_kv_heads * d,
		.out_step = a->n_heads * d};

	place(&b, data->row);
	for (; b.h < a->n_heads; b.h++) {
		b.q = data->q + b.h * d;
		b.k = data->k + b.h / per_kv * d;
		b.v = data->v + b.h / per_kv * d;
		b.out = data->out + b.h * d;
		if (b.h % per_kv == 0) {
			store_keys(&b);
			store_values(&b);
		}
		b.scale = scale_of(b.q, b.q_step, n, d, &b.q_inverse);
		b.scale *= b.k_scale * a->scale;
		for (uint32_t i = 0; i < n; i += 2)
			run_queries(&b, i);
	}
}
