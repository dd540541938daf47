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

/* Four keys at a time, so that stores lie side by side. */
static void transpose_keys(const struct head *hd, const float *k)
{
	const uintptr_t from = hd->kv_stride, to = hd->stride;
	uint32_t d = hd->a->d_head, j = 0;

	for (; j + 4 <= hd->seen; j += 4, k += 4 * from) {
		const float *x = k;
		float *y = hd->keys + j;

		for (uint32_t c = d / 4; c; c--, x += 4, y += 4 * to) {
			float32x4x2_t a = vtrnq_f32(vld1q_f32(x), vld1q_f32(x + from));
			float32x4x2_t b = vtrnq_f32(
				vld1q_f32(x + 2 * from), vld1q_f32(x + 3 * from));

#pragma GCC unroll 2
			for (int i = 0; i < 2; i++) {
				float *yi = i ? y + to : y;

				vst1q_f32(yi, vcombine_f32(vget_low_f32(a.val[i]),
						      vget_low_f32(b.val[i])));
				vst1q_f32(
					yi + 2 * to, vcombine_f32(vget_high_f32(a.val[i]),
							     vget_high_f32(b.val[i])));
			}
		}
		for (uint32_t c = d % 4; c; c--, x++, y += to)
			for (uint32_t i = 0; i < 4; i++)
				y[i] = x[i * from];
	}
	for (; j < hd->stride; j++, k += from)
		for (uint32_t c = 0; c < d; c++)
			hd->keys[c * to + j] = j < hd->seen ? k[c] : 0;
}

/* sum += column `lane` of four that a holds for each row, times a row of vectors. */
#ifdef __aarch64__
#define STEP_4(lane)                                                                     \
	{                                                                                \
		FOUR_VECTORS(float32x4_t);                                               \
		LOAD_FOUR(b, 4 * b_stride);                                              \
		_Pragma("GCC unroll 4") for (int r = 0; r < R; r++)                      \
		{                                                                        \
			MLA_LANE(sum[r * V], w0, av[r], lane);                           \
			MLA_LANE(sum[r * V + 1], w1, av[r], lane);                       \
			MLA_LANE(sum[r * V + 2], w2, av[r], lane);                       \
			MLA_LANE(sum[r * V + 3], w3, av[r], lane);                       \
		}                                                                        \
	}
#else
#define STEP_4(lane)
#endif
#define STEP(lane)                                                                       \
	if (V == 4) {                                                                    \
		STEP_4(lane)                                                             \
	} else {                                                                         \
		float32x4_t bv[2];                                                       \
		_Pragma("GCC unroll 2") for (int v = 0; v < V; v++) bv[v] =              \
			vld1q_f32(b + 4 * v);                                            \
		b += b_stride;                                                           \
		_Pragma("GCC unroll 4") for (int r = 0; r < R; r++)                      \
			_Pragma("GCC unroll 2") for (int v = 0; v < V; v++)              \
				MLA_LANE(sum[r * V + v], bv[v], av[r], lane);            \
	}

/* sum [R, 4 V] = a [R, n] b [n, 4 V] */
ALWAYS_INLINE void product(float32x4_t *sum, const float *a, uintptr_t a_stride,
	const float *b, uintptr_t b_stride, uint32_t n, const int R, const int V)
{
	float32x4_t av[ROWS];

#pragma GCC unroll 16
	for (int j = 0; j < R * V; j++)
		sum[j] = vdupq_n_f32(0);
	for (uint32_t k = n / 4; k; k--, a += 4) {
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			av[r] = vld1q_f32(a + (uintptr_t)(uint32_t)r * a_stride);
		STEP(0)
		STEP(1)
		STEP(2)
		STEP(3)
	}
	for (uint32_t k = n % 4; k; k--, a++) {
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			av[r] = vld1q_dup_f32(a + (uintptr_t)(uint32_t)r * a_stride);
		STEP(0)
	}
}

/* Row r of sum, times its factor, to rows of y. */
ALWAYS_INLINE void store_rows(const float32x4_t *sum, const float *factor, float *y,
	uintptr_t stride, const int R, const int V)
{
	float f[ROWS];

#pragma GCC unroll 4
	for (int r = 0; r < R; r++) /* before what is stored could be one of them */
		f[r] = factor[r];
#pragma GCC unroll 4
	for (int r = 0; r < R; r++, y += stride - 4 * (uintptr_t)V) {
		if (V == 1) {
			vst1q_f32(y, vmulq_n_f32(sum[r], f[r]));
			y += 4;
		}
#pragma GCC unroll 2
		for (int v = 0; v + 1 < V; v += 2) {
			float32x4_t s0 = vmulq_n_f32(sum[r * V + v], f[r]);
			float32x4_t s1 = vmulq_n_f32(sum[r * V + v + 1], f[r]);

			STORE_PAIR(y, s0, s1);
		}
	}
}

/* Scores of queries t.. with the 4 VECTORS keys j.. */
ALWAYS_INLINE void score_tile(const struct head *hd, uint32_t t, uint32_t j, const int R)
{
	const float *q = hd->data->q + (uintptr_t)t * hd->q_stride +
			 (uintptr_t)hd->h * hd->a->d_head;
	const float scale = hd->a->scale, factor[ROWS] = {scale, scale, scale, scale};
	float32x4_t sum[ROWS * VECTORS];

	product(sum, q, hd->q_stride, hd->keys + j, hd->stride, hd->a->d_head, R,
		VECTORS);
	store_rows(sum, factor, hd->scores + j, hd->stride, R, VECTORS);
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
 * 1 / their sum. Sixteen at a time: what was not seen counts as exp(-87) = 1.6e-38. */
ALWAYS_INLINE float softmax_row(float *row, uint32_t m, uint32_t stride)
{
	const float32x4_t lowest = vdupq_n_f32(-87.0f);
	uint32_t blocks = (m + 15) / 16;
	float32x4_t largest = vdupq_n_f32(-3e38f), other = largest, sum = vdupq_n_f32(0);
	float *at = row;

	for (uint32_t j = m; j < stride; j++)
		row[j] = -3e38f;
	for (uint32_t k = blocks; k; k--, at += 16) {
		float32x4x4_t v = load16(at);

		largest = vmaxq_f32(largest, vmaxq_f32(v.val[0], v.val[1]));
		other = vmaxq_f32(other, vmaxq_f32(v.val[2], v.val[3]));
	}
	largest = vdupq_n_f32(reduce_max(vmaxq_f32(largest, other)));
	at = row;
	for (uint32_t k = blocks; k; k--) {
		float32x4x4_t v = load16(at);

#pragma GCC unroll 4
		for (int i = 0; i < 4; i++, at += 4) {
			float32x4_t below = vsubq_f32(v.val[i], largest);
			float32x4_t e = exp_within(vmaxq_f32(below, lowest));

			vst1q_f32(at, e);
			sum = vaddq_f32(sum, e);
		}
	}
	for (uint32_t j = m; j < stride; j++)
		row[j] = 0;
	return 1 / reduce_add(sum);
}

/* Of queries t.. */
static __attribute__((noinline)) void softmax(
	const struct head *hd, uint32_t t, uint32_t n_rows, float *inverse)
{
	uint32_t i = hd->n_past + t, stride = hd->stride;
	uint32_t m = hd->a->causal ? i + 1 : hd->seen, step = hd->a->causal != 0;
	float *row = hd->scores;

	for (uint32_t r = 0; hd->a->rel && r < n_rows; r++)
		add_rel_bias(hd, row + (uintptr_t)r * stride, i + r, m + r * step);
	for (; n_rows; n_rows--, row += stride, m += step)
		*inverse++ = softmax_row(row, m, stride);
}

/* Columns c.. of the mixture of m values. */
ALWAYS_INLINE void mix_tile(const struct head *hd, uint32_t t, uint32_t c, uint32_t m,
	const float *inverse, const int R, const int V)
{
	float *out = hd->data->out + (uintptr_t)t * hd->out_stride +
		     (uintptr_t)hd->h * hd->a->d_head + c;
	float32x4_t sum[ROWS * VECTORS];

	product(sum, hd->scores, hd->stride, hd->v + c, hd->kv_stride, m, R, V);
	store_rows(sum, inverse, out, hd->out_stride, R, V);
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
	softmax(hd, t, (uint32_t)R, inverse);
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
