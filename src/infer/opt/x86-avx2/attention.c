/* A head at a time: its keys transposed once, then four queries together, sixteen keys
 * (scores) or columns (mix) wide. Scratch: four rows of scores, then d_head rows of keys;
 * rows are the tokens seen, rounded up to sixteen. */
#include "src/infer/opt/x86-avx2/vmath.h"

#define ROWS 4

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
	uint32_t d = hd->a->d_head, j = 0, rest;

	for (; j + 4 <= hd->seen; j += 4) {
		const float *k0 = k + (uintptr_t)j * hd->kv_stride;
		const float *k1 = k0 + hd->kv_stride, *k2 = k1 + hd->kv_stride;
		const float *k3 = k2 + hd->kv_stride;

		for (uint32_t c = 0; c < d; c++)
			_mm_storeu_ps(hd->keys + (uintptr_t)c * hd->stride + j,
				_mm_setr_ps(k0[c], k1[c], k2[c], k3[c]));
	}
	rest = j;
	for (uint32_t c = 0; c < d; c++)
		for (j = rest; j < hd->stride; j++)
			hd->keys[(uintptr_t)c * hd->stride + j] =
				j < hd->seen ? k[(uintptr_t)j * hd->kv_stride + c] : 0;
}

/* Scores of queries t.. with the sixteen keys j.. */
ALWAYS_INLINE void score_tile(const struct head *hd, uint32_t t, uint32_t j, const int R)
{
	const float *q = hd->data->q + (uintptr_t)t * hd->q_stride +
			 (uintptr_t)hd->h * hd->a->d_head;
	const float *k = hd->keys + j;
	const __m256 scale = _mm256_set1_ps(hd->a->scale);
	__m256 sum[ROWS * 2];

#pragma GCC unroll 8
	for (int i = 0; i < R * 2; i++)
		sum[i] = _mm256_setzero_ps();
	for (uint32_t c = 0; c < hd->a->d_head; c++, k += hd->stride) {
		__m256 k0 = _mm256_loadu_ps(k), k1 = _mm256_loadu_ps(k + 8);

#pragma GCC unroll 4
		for (int r = 0; r < R; r++) {
			__m256 qv = _mm256_set1_ps(
				q[(uintptr_t)(uint32_t)r * hd->q_stride + c]);

			sum[2 * r] = _mm256_fmadd_ps(qv, k0, sum[2 * r]);
			sum[2 * r + 1] = _mm256_fmadd_ps(qv, k1, sum[2 * r + 1]);
		}
	}
#pragma GCC unroll 4
	for (int r = 0; r < R; r++) {
		float *out = hd->scores + (uintptr_t)(uint32_t)r * hd->stride + j;

		_mm256_storeu_ps(out, _mm256_mul_ps(sum[2 * r], scale));
		_mm256_storeu_ps(out + 8, _mm256_mul_ps(sum[2 * r + 1], scale));
	}
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
	const __m256 lowest = _mm256_set1_ps(-3e38f);
	__m256 largest = lowest, sum = _mm256_setzero_ps();

	if (hd->a->rel)
		add_rel_bias(hd, row, i, m);
	for (uint32_t j = 0; j < m; j += 8) {
		__m256 seen = _mm256_castsi256_ps(lanes_left(m, j));

		largest = _mm256_max_ps(largest,
			_mm256_blendv_ps(lowest, _mm256_loadu_ps(row + j), seen));
	}
	largest = _mm256_set1_ps(reduce_max8(largest));
	for (uint32_t j = 0; j < m; j += 8) {
		__m256 e = vector_exp(_mm256_sub_ps(_mm256_loadu_ps(row + j), largest));

		e = _mm256_and_ps(e, _mm256_castsi256_ps(lanes_left(m, j)));
		_mm256_storeu_ps(row + j, e);
		sum = _mm256_add_ps(sum, e);
	}
	for (uint32_t j = (m + 7) / 8 * 8; j < hd->stride; j += 8)
		_mm256_storeu_ps(row + j, _mm256_setzero_ps());
	return 1 / reduce_add_ps(sum);
}

/* Columns c.. (sixteen, or the last ones) of the mixture of m values. */
ALWAYS_INLINE void mix_tile(const struct head *hd, uint32_t t, uint32_t c, uint32_t m,
	const float *inverse, const int R)
{
	uint32_t d = hd->a->d_head;
	const float *p = hd->scores, *v = hd->v + c;
	__m256i m0 = lanes_left(d, c);
	__m256i m1 = c + 8 < d ? lanes_left(d, c + 8) : _mm256_setzero_si256();
	__m256 sum[ROWS * 2];

#pragma GCC unroll 8
	for (int i = 0; i < R * 2; i++)
		sum[i] = _mm256_setzero_ps();
	for (uint32_t j = 0; j < m; j++, v += hd->kv_stride) {
		__m256 v0 = _mm256_maskload_ps(v, m0), v1 = _mm256_maskload_ps(v + 8, m1);

#pragma GCC unroll 4
		for (int r = 0; r < R; r++) {
			__m256 pv = _mm256_set1_ps(
				p[(uintptr_t)(uint32_t)r * hd->stride + j]);

			sum[2 * r] = _mm256_fmadd_ps(pv, v0, sum[2 * r]);
			sum[2 * r + 1] = _mm256_fmadd_ps(pv, v1, sum[2 * r + 1]);
		}
	}
#pragma GCC unroll 4
	for (int r = 0; r < R; r++) {
		float *out = hd->data->out +
			     (uintptr_t)(t + (uint32_t)r) * hd->out_stride +
			     (uintptr_t)hd->h * d + c;
		__m256 scale = _mm256_set1_ps(inverse[r]);

		_mm256_maskstore_ps(out, m0, _mm256_mul_ps(sum[2 * r], scale));
		_mm256_maskstore_ps(out + 8, m1, _mm256_mul_ps(sum[2 * r + 1], scale));
	}
}

/* Queries t.. t + R. */
ALWAYS_INLINE void queries(const struct head *hd, uint32_t t, const int R)
{
	uint32_t end = hd->a->causal ? hd->n_past + t + (uint32_t)R : hd->seen;
	float inverse[ROWS];

	for (uint32_t j = 0; j < end; j += 16)
		score_tile(hd, t, j, R);
	for (uint32_t r = 0; r < (uint32_t)R; r++) {
		uint32_t i = hd->n_past + t + r;

		inverse[r] = softmax(hd, hd->scores + (uintptr_t)r * hd->stride, i,
			hd->a->causal ? i + 1 : end);
	}
	for (uint32_t c = 0; c < hd->a->d_head; c += 16)
		mix_tile(hd, t, c, end, inverse, R);
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
