/* A head at a time: its keys transposed once, then up to eight queries together, sixteen
 * or thirty-two keys (scores) or columns (mix) wide. Scratch: eight rows of scores, then
 * d_head rows of keys; rows are the tokens seen, rounded up to sixteen. */
#include "src/infer/opt/x86-avx512vnni/one_query.h"
#include "src/infer/opt/x86-avx512vnni/transpose.h"
#include "src/infer/opt/x86-avx512vnni/vector.h"

#define ROWS 8

struct head {
	const struct attention *a;
	const struct attention_data *data;
	uint32_t h, n_past, n; /* query head, tokens */
	uint32_t seen, stride; /* n_past + n, and rounded up */
	float *scores, *keys;  /* [ROWS, stride], [d_head, stride] */
	const float *v;	       /* of the head's first token */
	uint32_t q_stride, kv_stride, out_stride;
};

static void transpose_keys(const struct head *hd, const float *k)
{
	uint32_t d = hd->a->d_head;

	for (uint32_t j = 0; j < hd->seen; j += 16)
		for (uint32_t c = 0; c < d; c += 16)
			transpose16(k + (uintptr_t)j * hd->kv_stride + c, hd->kv_stride,
				hd->seen - j < 16 ? hd->seen - j : 16, lanes_left(d, c),
				hd->keys + (uintptr_t)c * hd->stride + j, hd->stride,
				d - c < 16 ? d - c : 16);
}

/* Scores of queries t.. with keys j.. */
ALWAYS_INLINE void score_tile(
	const struct head *hd, uint32_t t, uint32_t j, const int R, const int V)
{
	const float *q = hd->data->q + (uintptr_t)t * hd->q_stride +
			 (uintptr_t)hd->h * hd->a->d_head;
	const float *k = hd->keys + j;
	const __m512 scale = _mm512_set1_ps(hd->a->scale);
	__m512 sum[ROWS * 2];

#pragma GCC unroll 16
	for (int i = 0; i < R * V; i++)
		sum[i] = _mm512_setzero_ps();
	for (uint32_t c = 0; c < hd->a->d_head; c++, k += hd->stride) {
		__m512 kv[2];

#pragma GCC unroll 2
		for (int v = 0; v < V; v++)
			kv[v] = _mm512_loadu_ps(k + 16 * v);
#pragma GCC unroll 8
		for (int r = 0; r < R; r++) {
			__m512 qv = _mm512_set1_ps(
				q[(uintptr_t)(uint32_t)r * hd->q_stride + c]);

#pragma GCC unroll 2
			for (int v = 0; v < V; v++)
				sum[r * V + v] =
					_mm512_fmadd_ps(qv, kv[v], sum[r * V + v]);
		}
	}
#pragma GCC unroll 8
	for (int r = 0; r < R; r++)
#pragma GCC unroll 2
		for (int v = 0; v < V; v++)
			_mm512_storeu_ps(hd->scores +
						 (uintptr_t)(uint32_t)r * hd->stride + j +
						 16 * v,
				_mm512_mul_ps(sum[r * V + v], scale));
}

/* Bias of seeing tokens j.. from token i. */
ALWAYS_INLINE __m512 rel_bias(const struct head *hd, uint32_t i, uint32_t j)
{
	int32_t r = (int32_t)hd->a->rel_radius;
	const float *rel = hd->a->rel + (uintptr_t)hd->h * (2 * (uint32_t)r + 1);
	__m512i at = _mm512_add_epi32(_mm512_set1_epi32((int32_t)j - (int32_t)i),
		_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));

	at = _mm512_max_epi32(at, _mm512_set1_epi32(-r));
	at = _mm512_min_epi32(at, _mm512_set1_epi32(r));
	at = _mm512_add_epi32(at, _mm512_set1_epi32(r));
	return _mm512_i32gather_ps(at, rel, 4);
}

/* Leaves unnormalised weights in the first m of a row and zeros up to `end`; returns
 * 1 / their sum. */
static float softmax(
	const struct head *hd, float *row, uint32_t i, uint32_t m, uint32_t end)
{
	const __m512 lowest = _mm512_set1_ps(-3e38f);
	__m512 largest = lowest, sum = _mm512_setzero_ps();

	for (uint32_t j = 0; j < m; j += 16) {
		__m512 s = _mm512_loadu_ps(row + j);

		if (hd->a->rel) {
			s = _mm512_add_ps(s, rel_bias(hd, i, j));
			_mm512_storeu_ps(row + j, s);
		}
		largest = _mm512_mask_max_ps(largest, lanes_left(m, j), largest, s);
	}
	largest = _mm512_set1_ps(_mm512_reduce_max_ps(largest));
	for (uint32_t j = 0; j < m; j += 16) {
		__m512 e = vector_exp(_mm512_sub_ps(_mm512_loadu_ps(row + j), largest));

		e = _mm512_maskz_mov_ps(lanes_left(m, j), e);
		_mm512_storeu_ps(row + j, e);
		sum = _mm512_add_ps(sum, e);
	}
	for (uint32_t j = (m + 15) / 16 * 16; j < end; j += 16)
		_mm512_storeu_ps(row + j, _mm512_setzero_ps());
	return 1 / _mm512_reduce_add_ps(sum);
}

/* Columns c.. of the mixture of m values. */
ALWAYS_INLINE void mix_tile(const struct head *hd, uint32_t t, uint32_t c, uint32_t m,
	const float *inverse, const int R, const int V)
{
	uint32_t d = hd->a->d_head;
	const float *p = hd->scores, *v0 = hd->v + c;
	float *out =
		hd->data->out + (uintptr_t)t * hd->out_stride + (uintptr_t)hd->h * d + c;
	__mmask16 last = lanes_left(d, c + 16 * (uint32_t)(V - 1));
	__m512 sum[ROWS * 2];

#pragma GCC unroll 16
	for (int i = 0; i < R * V; i++)
		sum[i] = _mm512_setzero_ps();
	for (uint32_t j = 0; j < m; j++, v0 += hd->kv_stride) {
		__m512 vv[2];

		vv[0] = V == 2 ? _mm512_loadu_ps(v0) : _mm512_maskz_loadu_ps(last, v0);
		if (V == 2)
			vv[1] = _mm512_maskz_loadu_ps(last, v0 + 16);
#pragma GCC unroll 8
		for (int r = 0; r < R; r++) {
			__m512 pv = _mm512_set1_ps(
				p[(uintptr_t)(uint32_t)r * hd->stride + j]);

#pragma GCC unroll 2
			for (int v = 0; v < V; v++)
				sum[r * V + v] =
					_mm512_fmadd_ps(pv, vv[v], sum[r * V + v]);
		}
	}
#pragma GCC unroll 8
	for (int r = 0; r < R; r++)
#pragma GCC unroll 2
		for (int v = 0; v < V; v++)
			_mm512_mask_storeu_ps(
				out + (uintptr_t)(uint32_t)r * hd->out_stride + 16 * v,
				v == V - 1 ? last : (__mmask16)0xffff,
				_mm512_mul_ps(
					sum[r * V + v], _mm512_set1_ps(inverse[r])));
}

/* Queries t.. t + R. */
ALWAYS_INLINE void queries(const struct head *hd, uint32_t t, const int R)
{
	uint32_t d = hd->a->d_head, end = hd->seen, j = 0, c = 0;
	float inverse[ROWS];

	if (hd->a->causal)
		end = hd->n_past + t + (uint32_t)R;
	for (; j + 16 < end; j += 32)
		score_tile(hd, t, j, R, 2);
	if (j < end)
		score_tile(hd, t, j, R, 1);
	for (uint32_t r = 0; r < (uint32_t)R; r++) {
		uint32_t i = hd->n_past + t + r;

		inverse[r] = softmax(hd, hd->scores + (uintptr_t)r * hd->stride, i,
			hd->a->causal ? i + 1 : end, end);
	}
	for (; c + 16 < d; c += 32)
		mix_tile(hd, t, c, end, inverse, R, 2);
	if (c < d)
		mix_tile(hd, t, c, end, inverse, R, 1);
}

static void one_query(const struct head *hd, uint32_t t)
{
	queries(hd, t, 1);
}

static void two_queries(const struct head *hd, uint32_t t)
{
	queries(hd, t, 2);
}

static void four_queries(const struct head *hd, uint32_t t)
{
	queries(hd, t, 4);
}

static void eight_queries(const struct head *hd, uint32_t t)
{
	queries(hd, t, 8);
}

static void all_queries(const struct head *hd)
{
	uint32_t t = 0;

	for (; t + 8 <= hd->n; t += 8)
		eight_queries(hd, t);
	for (; t + 4 <= hd->n; t += 4)
		four_queries(hd, t);
	for (; t + 2 <= hd->n; t += 2)
		two_queries(hd, t);
	if (t < hd->n)
		one_query(hd, t);
}

static void one_token(
	const struct attention *a, uint32_t n_past, const struct attention_data *data)
{
	const struct one_query o = {.a = a,
		.q = data->q,
		.row = data->row,
		.out = data->out,
		.k = data->k,
		.v = data->v,
		.stride = data->stride ? data->stride
				       : (uintptr_t)a->n_kv_heads * a->d_head,
		.i = n_past,
		.m = n_past + 1};

	one_query_heads(&o, 0, a->n_heads, KEPT_F32);
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

	if (n == 1) {
		one_token(a, n_past, data);
		return;
	}
	for (uint32_t g = 0; g < a->n_kv_heads; g++) {
		hd.v = data->v + (uintptr_t)g * a->d_head;
		transpose_keys(&hd, data->k + (uintptr_t)g * a->d_head);
		for (hd.h = g * per_kv; hd.h < (g + 1) * per_kv; hd.h++)
			all_queries(&hd);
	}
}
