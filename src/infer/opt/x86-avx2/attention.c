/* A head at a time: its keys transposed once, then up to six queries together, sixteen or
 * eight keys (scores) or columns (mix) wide. Queries are cut evenly, so that no tile waits
 * for its own chain of sums. Scratch: six rows of scores, then d_head rows of keys; rows
 * are the tokens seen, rounded up to sixteen. */
#include "src/infer/opt/x86-avx2/vmath.h"

#define ROWS 6

struct head {
	const struct attention *a;
	const struct attention_data *data;
	uint32_t h, n_past, n; /* query head, tokens */
	uint32_t seen, stride; /* n_past + n, and rounded up */
	float *scores, *keys;  /* [ROWS, stride], [d_head, stride] */
	const float *v;	       /* of the head's first token */
	uint32_t q_stride, kv_stride, out_stride;
};

/* Four columns of tokens j and j + 4; those that are not there count as zeros. */
ALWAYS_INLINE __m256 two_tokens(
	const struct head *hd, const float *k, uint32_t j, __m128i columns, int full)
{
	const float *low = k + (uintptr_t)j * hd->kv_stride;
	const float *high = low + 4 * (uintptr_t)hd->kv_stride;
	const __m128i none = _mm_setzero_si128();

	if (full)
		return _mm256_insertf128_ps(
			_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
	return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_maskload_ps(
					    low, j < hd->seen ? columns : none)),
		_mm_maskload_ps(high, j + 4 < hd->seen ? columns : none), 1);
}

/* Columns c.. c + 3 of tokens j.. j + 7. */
ALWAYS_INLINE void transpose_tile(
	const struct head *hd, const float *k, uint32_t j, uint32_t c, int full)
{
	uint32_t d = hd->a->d_head, n = d - c < 4 ? d - c : 4;
	__m128i columns =
		_mm_cmpgt_epi32(_mm_set1_epi32((int32_t)n), _mm_setr_epi32(0, 1, 2, 3));
	float *out = hd->keys + (uintptr_t)c * hd->stride + j;
	__m256 r[4], s[4];

#pragma GCC unroll 4
	for (uint32_t i = 0; i < 4; i++)
		r[i] = two_tokens(hd, k + c, j + i, columns, full);
	s[0] = _mm256_unpacklo_ps(r[0], r[1]);
	s[1] = _mm256_unpackhi_ps(r[0], r[1]);
	s[2] = _mm256_unpacklo_ps(r[2], r[3]);
	s[3] = _mm256_unpackhi_ps(r[2], r[3]);
	r[0] = _mm256_shuffle_ps(s[0], s[2], 0x44);
	r[1] = _mm256_shuffle_ps(s[0], s[2], 0xee);
	r[2] = _mm256_shuffle_ps(s[1], s[3], 0x44);
	r[3] = _mm256_shuffle_ps(s[1], s[3], 0xee);
#pragma GCC unroll 4
	for (uint32_t i = 0; i < 4; i++)
		if (full || i < n)
			_mm256_storeu_ps(out + (uintptr_t)i * hd->stride, r[i]);
}

static void transpose_keys(const struct head *hd, const float *k)
{
	uint32_t d = hd->a->d_head;

	for (uint32_t j = 0; j < hd->seen; j += 8) {
		uint32_t c = 0;

		for (; j + 8 <= hd->seen && c + 4 <= d; c += 4)
			transpose_tile(hd, k, j, c, 1);
		for (; c < d; c += 4)
			transpose_tile(hd, k, j, c, 0);
	}
}

/* Scores of queries t.. with keys j.. */
ALWAYS_INLINE void score_tile(
	const struct head *hd, uint32_t t, uint32_t j, const int R, const int V)
{
	const float *q = hd->data->q + (uintptr_t)t * hd->q_stride +
			 (uintptr_t)hd->h * hd->a->d_head;
	const float *k = hd->keys + j;
	const __m256 scale = _mm256_set1_ps(hd->a->scale);
	__m256 sum[ROWS * 2];

#pragma GCC unroll 12
	for (int i = 0; i < R * V; i++)
		sum[i] = _mm256_setzero_ps();
	for (uint32_t c = 0; c < hd->a->d_head; c++, k += hd->stride) {
		__m256 kv[2];

#pragma GCC unroll 2
		for (int v = 0; v < V; v++)
			kv[v] = _mm256_loadu_ps(k + 8 * v);
#pragma GCC unroll 6
		for (int r = 0; r < R; r++) {
			__m256 qv = _mm256_set1_ps(
				q[(uintptr_t)(uint32_t)r * hd->q_stride + c]);

#pragma GCC unroll 2
			for (int v = 0; v < V; v++)
				sum[r * V + v] =
					_mm256_fmadd_ps(qv, kv[v], sum[r * V + v]);
		}
	}
#pragma GCC unroll 6
	for (int r = 0; r < R; r++)
#pragma GCC unroll 2
		for (int v = 0; v < V; v++)
			_mm256_storeu_ps(hd->scores +
						 (uintptr_t)(uint32_t)r * hd->stride + j +
						 8 * v,
				_mm256_mul_ps(sum[r * V + v], scale));
}

/* Bias of seeing tokens j.. from token i. */
ALWAYS_INLINE __m256 rel_bias(const struct head *hd, uint32_t i, uint32_t j)
{
	int32_t r = (int32_t)hd->a->rel_radius;
	const float *rel = hd->a->rel + (uintptr_t)hd->h * (2 * (uint32_t)r + 1);
	__m256i at = _mm256_add_epi32(_mm256_set1_epi32((int32_t)j - (int32_t)i),
		_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));

	at = _mm256_max_epi32(at, _mm256_set1_epi32(-r));
	at = _mm256_min_epi32(at, _mm256_set1_epi32(r));
	at = _mm256_add_epi32(at, _mm256_set1_epi32(r));
	return _mm256_i32gather_ps(rel, at, 4);
}

/* Scores j.. of token i, which sees m; those it does not see are very low. */
ALWAYS_INLINE __m256 seen_scores(
	const struct head *hd, float *row, uint32_t i, uint32_t m, uint32_t j)
{
	__m256 s = _mm256_loadu_ps(row + j);

	if (hd->a->rel) {
		s = _mm256_add_ps(s, rel_bias(hd, i, j));
		_mm256_storeu_ps(row + j, s);
	}
	if (j + 8 > m)
		s = _mm256_blendv_ps(
			_mm256_set1_ps(-3e38f), s, _mm256_castsi256_ps(lanes_left(m, j)));
	return s;
}

ALWAYS_INLINE __m256 largest_score(
	const struct head *hd, float *row, uint32_t i, uint32_t m, uint32_t end)
{
	__m256 largest = _mm256_set1_ps(-3e38f);

	for (uint32_t j = 0; j < end; j += 8)
		largest = _mm256_max_ps(largest, seen_scores(hd, row, i, m, j));
	return largest;
}

/* Leaves unnormalised weights in the first m of a row and zeros up to `end`, rounded up
 * to eight; returns their sum. */
ALWAYS_INLINE __m256 weights(float *row, float largest, uint32_t m, uint32_t end)
{
	__m256 most = _mm256_set1_ps(largest), sum = _mm256_setzero_ps();
	uint32_t j = 0;

	for (; j + 8 <= m; j += 8) {
		__m256 e = vector_exp_low(_mm256_sub_ps(_mm256_loadu_ps(row + j), most));

		_mm256_storeu_ps(row + j, e);
		sum = _mm256_add_ps(sum, e);
	}
	for (; j < end; j += 8) {
		__m256 lanes = _mm256_castsi256_ps(lanes_left(m, j));
		__m256 s = _mm256_blendv_ps(most, _mm256_loadu_ps(row + j), lanes);
		__m256 e = _mm256_and_ps(vector_exp_low(_mm256_sub_ps(s, most)), lanes);

		_mm256_storeu_ps(row + j, e);
		sum = _mm256_add_ps(sum, e);
	}
	return sum;
}

/* All rows' largest, then all weights: a row's reductions wait behind the others' work. */
static __attribute__((noinline)) void softmax(
	const struct head *hd, uint32_t t, uint32_t end, float *inverse, uint32_t R)
{
	uint32_t i = hd->n_past + t, m = hd->a->causal ? i + 1 : end;
	uint32_t more = hd->a->causal ? 1 : 0; /* that the next query sees */
	float largest[ROWS], *row = hd->scores;
	__m256 sum[ROWS];

	for (uint32_t r = 0; r < R; r++, row += hd->stride)
		sum[r] = largest_score(hd, row, i + r, m + r * more, end);
	for (uint32_t r = 0; r < R; r++)
		largest[r] = reduce_max_ps(sum[r]);
	row = hd->scores;
	for (uint32_t r = 0; r < R; r++, row += hd->stride)
		sum[r] = weights(row, largest[r], m + r * more, end);
	for (uint32_t r = 0; r < R; r++)
		inverse[r] = 1 / reduce_add_ps(sum[r]);
}

/* Columns c.. of the mixture of m values. */
ALWAYS_INLINE void mix_tile(const struct head *hd, uint32_t t, uint32_t c, uint32_t m,
	const float *inverse, const int R, const int V)
{
	uint32_t d = hd->a->d_head, last = c + 8 * (uint32_t)(V - 1);
	int full = d - last >= 8;
	const float *p = hd->scores, *v = hd->v + c;
	float *out =
		hd->data->out + (uintptr_t)t * hd->out_stride + (uintptr_t)hd->h * d + c;
	__m256i lanes = lanes_left(d, last);
	__m256 sum[ROWS * 2];

#pragma GCC unroll 12
	for (int i = 0; i < R * V; i++)
		sum[i] = _mm256_setzero_ps();
	for (uint32_t j = 0; j < m; j++, v += hd->kv_stride) {
		__m256 vv[2];

		vv[0] = V == 2 ? _mm256_loadu_ps(v) : _mm256_maskload_ps(v, lanes);
		if (V == 2)
			vv[1] = _mm256_maskload_ps(v + 8, lanes);
#pragma GCC unroll 6
		for (int r = 0; r < R; r++) {
			__m256 pv = _mm256_set1_ps(
				p[(uintptr_t)(uint32_t)r * hd->stride + j]);

#pragma GCC unroll 2
			for (int i = 0; i < V; i++)
				sum[r * V + i] =
					_mm256_fmadd_ps(pv, vv[i], sum[r * V + i]);
		}
	}
#pragma GCC unroll 6
	for (int r = 0; r < R; r++) {
		float *row = out + (uintptr_t)(uint32_t)r * hd->out_stride;
		__m256 scale = _mm256_set1_ps(inverse[r]);

		if (V == 2)
			_mm256_storeu_ps(row, _mm256_mul_ps(sum[r * V], scale));
		store_lanes(row + 8 * (V - 1), lanes, full,
			_mm256_mul_ps(sum[r * V + V - 1], scale));
	}
}

/* Queries t.. t + R. */
ALWAYS_INLINE void queries(const struct head *hd, uint32_t t, const int R)
{
	uint32_t d = hd->a->d_head, end = hd->seen, j = 0, c = 0;
	float inverse[ROWS];

	if (hd->a->causal)
		end = hd->n_past + t + (uint32_t)R;
	for (; j + 8 < end; j += 16)
		score_tile(hd, t, j, R, 2);
	if (j < end)
		score_tile(hd, t, j, R, 1);
	softmax(hd, t, end, inverse, (uint32_t)R);
	for (; c + 8 < d; c += 16)
		mix_tile(hd, t, c, end, inverse, R, 2);
	if (c < d)
		mix_tile(hd, t, c, end, inverse, R, 1);
}

#define INSTANCE(R)                                                                      \
	static void queries_##R(const struct head *hd, uint32_t t)                       \
	{                                                                                \
		queries(hd, t, R);                                                       \
	}
INSTANCE(1)
INSTANCE(2)
INSTANCE(3)
INSTANCE(4)
INSTANCE(5)
INSTANCE(6)

static void all_queries(const struct head *hd)
{
	static void (*const instances[ROWS])(const struct head *, uint32_t) = {
		queries_1, queries_2, queries_3, queries_4, queries_5, queries_6};
	uint32_t n_tiles = (hd->n + ROWS - 1) / ROWS;

	for (uint32_t i = 0, t = 0; i < n_tiles; i++) {
		uint32_t R = hd->n / n_tiles + (i < hd->n % n_tiles);

		instances[R - 1](hd, t);
		t += R;
	}
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
