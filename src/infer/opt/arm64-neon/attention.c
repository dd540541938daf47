/* A head at a time: its keys transposed once, then four queries together. Scratch: four
 * rows of scores, then d_head rows of keys; rows are the tokens seen, rounded up to
 * sixteen. */
#include "src/infer/opt/arm64-neon/vector.h"
#include "src/infer/opt/arm64-neon/written.h"

#define ROWS 4
#ifdef __aarch64__
#define VECTORS 4 /* of keys or columns in a tile */
#else
#define VECTORS 2
#endif

struct head {
	const struct attention *a;
	const struct attention_data *data;
	uint32_t h, n_past, n; /* query head, tokens */
	uint32_t seen, stride; /* n_past + n, and rounded up */
	float *scores, *keys;  /* [ROWS, stride], [d_head, stride] */
	const float *v;	       /* of the head's first token */
	uint32_t q_stride, kv_stride, out_stride;
};

/* Four rows of four, transposed. */
ALWAYS_INLINE void transpose4(const float *x, uint32_t stride, float *y, uint32_t to)
{
	float32x4x2_t a = vtrnq_f32(vld1q_f32(x), vld1q_f32(x + stride));
	float32x4x2_t b = vtrnq_f32(vld1q_f32(x + (uintptr_t)2 * stride),
		vld1q_f32(x + (uintptr_t)3 * stride));

	for (int i = 0; i < 2; i++) {
		vst1q_f32(y + (uintptr_t)(uint32_t)i * to,
			vcombine_f32(vget_low_f32(a.val[i]), vget_low_f32(b.val[i])));
		vst1q_f32(y + (uintptr_t)(uint32_t)(i + 2) * to,
			vcombine_f32(vget_high_f32(a.val[i]), vget_high_f32(b.val[i])));
	}
}

static void transpose_keys(const struct head *hd, const float *k)
{
	uint32_t d = hd->a->d_head, j = 0;

	for (; j + 4 <= hd->seen; j += 4) {
		const float *kj = k + (uintptr_t)j * hd->kv_stride;
		uint32_t c = 0;

		for (; c + 4 <= d; c += 4)
			transpose4(kj + c, hd->kv_stride,
				hd->keys + (uintptr_t)c * hd->stride + j, hd->stride);
		for (; c < d; c++)
			for (uint32_t i = 0; i < 4; i++)
				hd->keys[(uintptr_t)c * hd->stride + j + i] =
					kj[(uintptr_t)i * hd->kv_stride + c];
	}
	for (; j < hd->stride; j++)
		for (uint32_t c = 0; c < d; c++)
			hd->keys[(uintptr_t)c * hd->stride + j] =
				j < hd->seen ? k[(uintptr_t)j * hd->kv_stride + c] : 0;
}

/* sum += column `lane` of four that a holds for each row, times a row of vectors. */
#define STEP(lane)                                                                       \
	{                                                                                \
		float32x4_t bv[VECTORS];                                                 \
		_Pragma("GCC unroll 4") for (int v = 0; v < V; v++) bv[v] =              \
			vld1q_f32(b + 4 * v);                                            \
		b += b_stride;                                                           \
		_Pragma("GCC unroll 4") for (int r = 0; r < R; r++)                      \
			_Pragma("GCC unroll 4") for (int v = 0; v < V; v++)              \
				MLA_LANE(sum[r * V + v], bv[v], av[r], lane);            \
	}

/* sum [R, 4 V] = a [R, n] b [n, 4 V] */
ALWAYS_INLINE void product(float32x4_t *sum, const float *a, uint32_t a_stride,
	const float *b, uint32_t b_stride, uint32_t n, const int R, const int V)
{
	float32x4_t av[ROWS];
	uint32_t i = 0;

#pragma GCC unroll 16
	for (int j = 0; j < R * V; j++)
		sum[j] = vdupq_n_f32(0);
	for (; i + 4 <= n; i += 4) {
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			av[r] = vld1q_f32(a + (uintptr_t)(uint32_t)r * a_stride + i);
		STEP(0)
		STEP(1)
		STEP(2)
		STEP(3)
	}
	for (; i < n; i++) {
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			av[r] = vld1q_dup_f32(a + (uintptr_t)(uint32_t)r * a_stride + i);
		STEP(0)
	}
}

/* Scores of queries t.. with the 4 VECTORS keys j.. */
ALWAYS_INLINE void score_tile(const struct head *hd, uint32_t t, uint32_t j, const int R)
{
	const float *q = hd->data->q + (uintptr_t)t * hd->q_stride +
			 (uintptr_t)hd->h * hd->a->d_head;
	float32x4_t sum[ROWS * VECTORS];

	product(sum, q, hd->q_stride, hd->keys + j, hd->stride, hd->a->d_head, R,
		VECTORS);
#pragma GCC unroll 4
	for (int r = 0; r < R; r++)
#pragma GCC unroll 4
		for (int v = 0; v < VECTORS; v++)
			vst1q_f32(hd->scores + (uintptr_t)(uint32_t)r * hd->stride + j +
					  4 * v,
				vmulq_n_f32(sum[r * VECTORS + v], hd->a->scale));
}

static void add_rel_bias(const struct head *hd, float *row, uint32_t i, uint32_t m)
{
	int32_t r = (int32_t)hd->a->rel_radius;
	const float *rel = hd->a->rel + (uintptr_t)hd->h * (2 * (uint32_t)r + 1);

	for (uint32_t j = 0; j < m; j++) {
		int32_t at = (int32_t)j - (int32_t)i;

		at = at < -r ? -r : at > r ? r : at;
		row[j] += rel[at + r];
	}
}

/* Leaves unnormalised weights in the first m of a row and zeros up to the stride; returns
 * 1 / their sum. */
static float softmax(const struct head *hd, float *row, uint32_t i, uint32_t m)
{
	float32x4_t largest, sum = vdupq_n_f32(0);
	uint32_t j = m;

	if (hd->a->rel)
		add_rel_bias(hd, row, i, m);
	for (; j < hd->stride; j++)
		row[j] = -3e38f;
	largest = vld1q_f32(row);
	for (j = 4; j < m; j += 4)
		largest = vmaxq_f32(largest, vld1q_f32(row + j));
	largest = vdupq_n_f32(reduce_max(largest));
	for (j = 0; j < m; j += 4) {
		float32x4_t e = vector_exp(vsubq_f32(vld1q_f32(row + j), largest));

		vst1q_f32(row + j, e);
		sum = vaddq_f32(sum, e);
	}
	for (j = m; j < hd->stride; j++)
		row[j] = 0;
	/* what was not seen counted as exp(-87) = 1.6e-38 */
	return 1 / reduce_add(sum);
}

/* Columns c.. of the mixture of m values. */
ALWAYS_INLINE void mix_tile(const struct head *hd, uint32_t t, uint32_t c, uint32_t m,
	const float *inverse, const int R, const int V)
{
	float32x4_t sum[ROWS * VECTORS];

	product(sum, hd->scores, hd->stride, hd->v + c, hd->kv_stride, m, R, V);
#pragma GCC unroll 4
	for (int r = 0; r < R; r++) {
		float *out = hd->data->out +
			     (uintptr_t)(t + (uint32_t)r) * hd->out_stride +
			     (uintptr_t)hd->h * hd->a->d_head + c;

#pragma GCC unroll 4
		for (int v = 0; v < V; v++)
			vst1q_f32(out + 4 * v, vmulq_n_f32(sum[r * V + v], inverse[r]));
	}
}

/* A column where a head has fewer than four. */
static void mix_column(const struct head *hd, uint32_t t, uint32_t c, uint32_t m,
	const float *inverse, uint32_t n_rows)
{
	for (uint32_t r = 0; r < n_rows; r++) {
		const float *p = hd->scores + (uintptr_t)r * hd->stride;
		float sum = 0;

		for (uint32_t j = 0; j < m; j++)
			sum += p[j] * hd->v[(uintptr_t)j * hd->kv_stride + c];
		hd->data->out[(uintptr_t)(t + r) * hd->out_stride +
			      (uintptr_t)hd->h * hd->a->d_head + c] = sum * inverse[r];
	}
}

/* Where the last tile would be too wide it begins earlier: it gives the same once more. */
ALWAYS_INLINE void mix(
	const struct head *hd, uint32_t t, uint32_t m, const float *inverse, const int R)
{
	uint32_t d = hd->a->d_head, c = 0;

	while (c < d) {
		uint32_t left = d - c;

#ifdef __aarch64__
		if (left > 8 && d >= 16) {
			c = left < 16 ? d - 16 : c;
			mix_tile(hd, t, c, m, inverse, R, 4);
			c += 16;
			continue;
		}
#endif
		if (left > 4 && d >= 8) {
			c = left < 8 ? d - 8 : c;
			mix_tile(hd, t, c, m, inverse, R, 2);
			c += 8;
		} else if (d >= 4) {
			c = left < 4 ? d - 4 : c;
			mix_tile(hd, t, c, m, inverse, R, 1);
			c += 4;
		} else {
			mix_column(hd, t, c++, m, inverse, (uint32_t)R);
		}
	}
}

/* Queries t.. t + R. */
ALWAYS_INLINE void queries(const struct head *hd, uint32_t t, const int R)
{
	uint32_t end = hd->a->causal ? hd->n_past + t + (uint32_t)R : hd->seen;
	float inverse[ROWS];

	for (uint32_t j = 0; j < end; j += 4 * VECTORS)
		score_tile(hd, t, j, R);
	for (uint32_t r = 0; r < (uint32_t)R; r++) {
		uint32_t i = hd->n_past + t + r;

		inverse[r] = softmax(hd, hd->scores + (uintptr_t)r * hd->stride, i,
			hd->a->causal ? i + 1 : end);
	}
	mix(hd, t, end, inverse, R);
}

static void all_queries(const struct head *hd)
{
	uint32_t t = 0;

	for (; t + ROWS <= hd->n; t += ROWS)
		queries(hd, t, ROWS);
	for (; t < hd->n; t++)
		queries(hd, t, 1);
}

/* A head's slice of q is read before the same slice of out is written: out may be q. */
void attention(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data)
{
	uint32_t stride = (n_past + n + 15) / 16 * 16,
		 per_kv = a->n_heads / a->n_kv_heads;
	struct head hd = {.a = a,
		.data = data,
		.n_past = n_past,
		.n = n,
		.seen = n_past + n,
		.stride = stride,
		.scores = data->row,
		.keys = data->row + (uintptr_t)ROWS * stride,
		.q_stride = data->stride ? data->stride : a->n_heads * a->d_head,
		.kv_stride = data->stride ? data->stride : a->n_kv_heads * a->d_head,
		.out_stride = a->n_heads * a->d_head};

	for (uint32_t g = 0; g < a->n_kv_heads; g++) {
		hd.v = data->v + (uintptr_t)g * a->d_head;
		transpose_keys(&hd, data->k + (uintptr_t)g * a->d_head);
		for (hd.h = g * per_kv; hd.h < (g + 1) * per_kv; hd.h++)
			all_queries(&hd);
	}
}
