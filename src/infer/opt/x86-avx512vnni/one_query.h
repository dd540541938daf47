/* Attention of one query over keys and values in fp32, fp16 or int8: nothing is
 * transposed. Sixteen keys' products with the query are added up in registers, softmax
 * goes over one row of scores, and the mixture adds four tokens side by side. Scratch:
 * the tokens seen, rounded up to sixteen. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_ONE_QUERY_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_ONE_QUERY_H

#include "src/infer/opt/x86-avx512vnni/vector.h"

enum kept { KEPT_F32, KEPT_F16, KEPT_I8 };

struct one_query {
	const struct attention *a;
	const float *q; /* [n_heads * d_head] */
	float *row, *out;
	const void *k, *v;
	uintptr_t stride;		/* elements from token to token */
	const float *k_scale, *v_scale; /* KEPT_I8: [tokens, n_kv_heads] */
	uint32_t i, m;			/* the query's token, tokens that it sees */
};

/* Bytes of an element. */
ALWAYS_INLINE uintptr_t kept_size(const enum kept kind)
{
	return kind == KEPT_F32 ? 4 : kind == KEPT_F16 ? 2 : 1;
}

/* Sixteen elements; those outside the mask are zeros and not read. */
ALWAYS_INLINE __m512 kept_load(const uint8_t *p, __mmask16 lanes, const enum kept kind)
{
	if (kind == KEPT_F16)
		return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes, p));
	if (kind == KEPT_I8)
		return _mm512_cvtepi32_ps(
			_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(lanes, p)));
	return _mm512_maskz_loadu_ps(lanes, p);
}

/* Vector v of V whole ones and a last one. */
ALWAYS_INLINE __m512 kept_vector(
	const uint8_t *p, int v, const int V, __mmask16 last, const enum kept kind)
{
	p += 16 * (uintptr_t)(unsigned)v * kept_size(kind);
	return kept_load(p, v == V - 1 ? last : (__mmask16)0xffff, kind);
}

/* The sum of each of sixteen vectors, in their order. */
ALWAYS_INLINE __m512 sums_of_16(const __m512 *v)
{
	__m512 p[8], r[4], s[2];

#pragma GCC unroll 8
	for (int i = 0; i < 8; i++)
		p[i] = _mm512_add_ps(_mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]),
			_mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]));
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
		r[i] = _mm512_add_ps(_mm512_shuffle_ps(p[2 * i], p[2 * i + 1], 0x44),
			_mm512_shuffle_ps(p[2 * i], p[2 * i + 1], 0xee));
#pragma GCC unroll 2
	for (int i = 0; i < 2; i++)
		s[i] = _mm512_add_ps(_mm512_shuffle_f32x4(r[2 * i], r[2 * i + 1], 0x88),
			_mm512_shuffle_f32x4(r[2 * i], r[2 * i + 1], 0xdd));
	return _mm512_add_ps(_mm512_shuffle_f32x4(s[0], s[1], 0x88),
		_mm512_shuffle_f32x4(s[0], s[1], 0xdd));
}

/* q . k over V vectors, added to sum. */
ALWAYS_INLINE __m512 score_row(__m512 sum, const __m512 *q, const uint8_t *k, const int V,
	__mmask16 last, const enum kept kind)
{
#pragma GCC unroll 4
	for (int v = 0; v < V; v++)
		sum = _mm512_fmadd_ps(q[v], kept_vector(k, v, V, last, kind), sum);
	return sum;
}

/* Columns c.. of the products of keys from k with the query: `full`, sixteen of them,
 * whose sums stay in registers, or `left`. */
ALWAYS_INLINE void score_part(const float *q, const uint8_t *k, uintptr_t step,
	uint32_t left, __m512 *sum, const int V, __mmask16 last, const enum kept kind,
	const int full)
{
	__m512 qv[4];

#pragma GCC unroll 4
	for (int v = 0; v < V; v++)
		qv[v] = _mm512_maskz_loadu_ps(
			v == V - 1 ? last : (__mmask16)0xffff, q + 16 * v);
	if (!full) {
		for (uint32_t r = 0; r < left; r++, k += step)
			sum[r] = score_row(sum[r], qv, k, V, last, kind);
		return;
	}
#pragma GCC unroll 4
	for (int r = 0; r < 16; r += 4, k += 4 * step) {
		sum[r] = score_row(sum[r], qv, k, V, last, kind);
		sum[r + 1] = score_row(sum[r + 1], qv, k + step, V, last, kind);
		sum[r + 2] = score_row(sum[r + 2], qv, k + 2 * step, V, last, kind);
		sum[r + 3] = score_row(sum[r + 3], qv, k + 3 * step, V, last, kind);
	}
}

/* Scores with tokens j.. j + 15 of kv head g; zeros past the last. */
ALWAYS_INLINE __m512 score_16(const struct one_query *o, uint32_t h, uint32_t g,
	uint32_t j, const enum kept kind, const int full)
{
	uint32_t d = o->a->d_head, left = o->m - j, c = 0;
	const float *q = o->q + (uintptr_t)h * d;
	uintptr_t size = kept_size(kind), step = o->stride * size;
	const uint8_t *k = (const uint8_t *)o->k + (uintptr_t)j * step + g * d * size;
	__m512 sum[16];

#pragma GCC unroll 16
	for (int r = 0; r < 16; r++)
		sum[r] = _mm512_setzero_ps();
	for (; d - c > 48; c += 64)
		score_part(q + c, k + c * size, step, left, sum, 4, lanes_left(d, c + 48),
			kind, full);
	if (d > c + 32)
		score_part(q + c, k + c * size, step, left, sum, 3, lanes_left(d, c + 32),
			kind, full);
	else if (d > c + 16)
		score_part(q + c, k + c * size, step, left, sum, 2, lanes_left(d, c + 16),
			kind, full);
	else if (d > c)
		score_part(q + c, k + c * size, step, left, sum, 1, lanes_left(d, c),
			kind, full);
	if (kind == KEPT_I8) {
		const float *scale = o->k_scale + (uintptr_t)j * o->a->n_kv_heads + g;

#pragma GCC unroll 16
		for (uint32_t r = 0; r < 16; r++)
			if (full || r < left)
				sum[r] = _mm512_mul_ps(sum[r],
					_mm512_set1_ps(scale[r * o->a->n_kv_heads]));
	}
	return sums_of_16(sum);
}

/* Bias of seeing tokens j.. */
ALWAYS_INLINE __m512 one_bias(const struct one_query *o, uint32_t h, uint32_t j)
{
	int32_t r = (int32_t)o->a->rel_radius;
	const float *rel = o->a->rel + (uintptr_t)h * (2 * (uint32_t)r + 1);
	__m512i at = _mm512_add_epi32(_mm512_set1_epi32((int32_t)j - (int32_t)o->i),
		_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));

	at = _mm512_max_epi32(at, _mm512_set1_epi32(-r));
	at = _mm512_min_epi32(at, _mm512_set1_epi32(r));
	at = _mm512_add_epi32(at, _mm512_set1_epi32(r));
	return _mm512_i32gather_ps(at, rel, 4);
}

/* Leaves weights in row, to be multiplied by what is returned, and zeros up to the next
 * multiple of sixteen. */
ALWAYS_INLINE float one_softmax(
	const struct one_query *o, uint32_t h, uint32_t g, const enum kept kind)
{
	__m512 largest = _mm512_set1_ps(-3e38f), sum = _mm512_setzero_ps();

	for (uint32_t j = 0; j < o->m; j += 16) {
		__m512 s = o->m - j >= 16 ? score_16(o, h, g, j, kind, 1)
					  : score_16(o, h, g, j, kind, 0);

		s = _mm512_mul_ps(s, _mm512_set1_ps(o->a->scale));
		if (o->a->rel)
			s = _mm512_add_ps(s, one_bias(o, h, j));
		_mm512_storeu_ps(o->row + j, s);
		largest = _mm512_mask_max_ps(largest, lanes_left(o->m, j), largest, s);
	}
	largest = _mm512_set1_ps(_mm512_reduce_max_ps(largest));
	for (uint32_t j = 0; j < o->m; j += 16) {
		__m512 e =
			vector_exp(_mm512_sub_ps(_mm512_loadu_ps(o->row + j), largest));

		e = _mm512_maskz_mov_ps(lanes_left(o->m, j), e);
		sum = _mm512_add_ps(sum, e);
		_mm512_storeu_ps(o->row + j, e);
	}
	return 1 / _mm512_reduce_add_ps(sum);
}

/* The weight of token j. */
ALWAYS_INLINE __m512 mix_weight(
	const struct one_query *o, uint32_t g, uint32_t j, const enum kept kind)
{
	float p = o->row[j];

	if (kind == KEPT_I8)
		p *= o->v_scale[(uintptr_t)j * o->a->n_kv_heads + g];
	return _mm512_set1_ps(p);
}

/* Columns c.. of the mixture, V vectors of them. */
ALWAYS_INLINE void one_mix(const struct one_query *o, uint32_t h, uint32_t g, uint32_t c,
	float inverse, const int V, const enum kept kind)
{
	uint32_t d = o->a->d_head, j = 0;
	uintptr_t size = kept_size(kind), step = o->stride * size;
	const uint8_t *from = (const uint8_t *)o->v + ((uintptr_t)g * d + c) * size;
	__mmask16 last = lanes_left(d, c + 16 * (uint32_t)(V - 1));
	__m512 sum[4 * 4];

#pragma GCC unroll 16
	for (int i = 0; i < 4 * V; i++)
		sum[i] = _mm512_setzero_ps();
	for (; j + 4 <= o->m; j += 4, from += 4 * step)
#pragma GCC unroll 4
		for (uint32_t r = 0; r < 4; r++) {
			__m512 p = mix_weight(o, g, j + r, kind);

#pragma GCC unroll 4
			for (int v = 0; v < V; v++)
				sum[(int)r * V + v] = _mm512_fmadd_ps(p,
					kept_vector(from + r * step, v, V, last, kind),
					sum[(int)r * V + v]);
		}
	for (; j < o->m; j++, from += step)
#pragma GCC unroll 4
		for (int v = 0; v < V; v++)
			sum[v] = _mm512_fmadd_ps(mix_weight(o, g, j, kind),
				kept_vector(from, v, V, last, kind), sum[v]);
#pragma GCC unroll 4
	for (int v = 0; v < V; v++) {
		__m512 s = _mm512_add_ps(_mm512_add_ps(sum[v], sum[V + v]),
			_mm512_add_ps(sum[2 * V + v], sum[3 * V + v]));

		_mm512_mask_storeu_ps(o->out + (uintptr_t)h * d + c + 16 * (uint32_t)v,
			v == V - 1 ? last : (__mmask16)0xffff,
			_mm512_mul_ps(s, _mm512_set1_ps(inverse)));
	}
}

/* Heads first.. end. A head's slice of q is read before the same slice of out is
 * written: out may be q. */
ALWAYS_INLINE void one_query_heads(
	const struct one_query *o, uint32_t first, uint32_t end, const enum kept kind)
{
	uint32_t d = o->a->d_head, per_kv = o->a->n_heads / o->a->n_kv_heads;

	for (uint32_t h = first; h < end; h++) {
		uint32_t g = h / per_kv, c = 0;
		float inverse = one_softmax(o, h, g, kind);

		for (; d - c > 48; c += 64)
			one_mix(o, h, g, c, inverse, 4, kind);
		if (d > c + 32)
			one_mix(o, h, g, c, inverse, 3, kind);
		else if (d > c + 16)
			one_mix(o, h, g, c, inverse, 2, kind);
		else if (d > c)
			one_mix(o, h, g, c, inverse, 1, kind);
	}
}

/* Queries one by one over kept keys and values. */
ALWAYS_INLINE void kept_queries(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data, const enum kept kind)
{
	struct one_query o = {.a = a,
		.q = data->q,
		.row = data->row,
		.out = data->out,
		.k = data->kept_k,
		.v = data->kept_v,
		.stride = (uintptr_t)a->n_kv_heads * a->d_head,
		.k_scale = data->k_scale,
		.v_scale = data->v_scale};
	uintptr_t width = (uintptr_t)a->n_heads * a->d_head;

	for (uint32_t t = 0; t < n; t++, o.q += width, o.out += width) {
		o.i = n_past + t;
		o.m = a->causal ? o.i + 1 : n_past + n;
		one_query_heads(&o, 0, a->n_heads, kind);
	}
}

#endif
