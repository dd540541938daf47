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

/* Sixteen elements from `at`; those outside the mask are zeros and not read. */
ALWAYS_INLINE __m512 kept_load(
	const void *base, uintptr_t at, __mmask16 lanes, const enum kept kind)
{
	if (kind == KEPT_F16)
		return _mm512_cvtph_ps(
			_mm256_maskz_loadu_epi16(lanes, (const uint16_t *)base + at));
	if (kind == KEPT_I8)
		return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(
			_mm_maskz_loadu_epi8(lanes, (const int8_t *)base + at)));
	return _mm512_maskz_loadu_ps(lanes, (const float *)base + at);
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

/* Scales of tokens j.. of a kv head. */
ALWAYS_INLINE __m512 kept_scales(
	const struct one_query *o, const float *scale, uint32_t g, uint32_t j)
{
	uint32_t heads = o->a->n_kv_heads;
	__m512i at = _mm512_mullo_epi32(_mm512_set1_epi32((int32_t)heads),
		_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));

	return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), lanes_left(o->m, j), at,
		scale + (uintptr_t)j * heads + g, 4);
}

/* Scores with tokens j.. j + 15 of kv head g; past the last they are the last's. */
ALWAYS_INLINE __m512 score_16(const struct one_query *o, uint32_t h, uint32_t g,
	uint32_t j, const enum kept kind)
{
	uint32_t d = o->a->d_head, left = o->m - j;
	const float *q = o->q + (uintptr_t)h * d;
	uintptr_t at = (uintptr_t)j * o->stride + (uintptr_t)g * d;
	__m512 sum[16];

#pragma GCC unroll 16
	for (int r = 0; r < 16; r++)
		sum[r] = _mm512_setzero_ps();
	for (uint32_t c = 0; c < d; c += 16) {
		__mmask16 lanes = lanes_left(d, c);
		__m512 qv = _mm512_maskz_loadu_ps(lanes, q + c);

		if (left >= 16) {
#pragma GCC unroll 16
			for (uint32_t r = 0; r < 16; r++)
				sum[r] = _mm512_fmadd_ps(qv,
					kept_load(o->k, at + r * o->stride + c, lanes,
						kind),
					sum[r]);
			continue;
		}
#pragma GCC unroll 16
		for (uint32_t r = 0; r < 16; r++)
			sum[r] = _mm512_fmadd_ps(qv,
				kept_load(o->k,
					at + (r < left ? r : left - 1) * o->stride + c,
					lanes, kind),
				sum[r]);
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
 * multiple of sixteen. Int8: with the values' scales in them. */
ALWAYS_INLINE float one_softmax(
	const struct one_query *o, uint32_t h, uint32_t g, const enum kept kind)
{
	__m512 largest = _mm512_set1_ps(-3e38f), sum = _mm512_setzero_ps();

	for (uint32_t j = 0; j < o->m; j += 16) {
		__m512 s = score_16(o, h, g, j, kind);
		__m512 scale = _mm512_set1_ps(o->a->scale);

		if (kind == KEPT_I8)
			scale = _mm512_mul_ps(scale, kept_scales(o, o->k_scale, g, j));
		s = _mm512_mul_ps(s, scale);
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
		if (kind == KEPT_I8)
			e = _mm512_mul_ps(e, kept_scales(o, o->v_scale, g, j));
		_mm512_storeu_ps(o->row + j, e);
	}
	return 1 / _mm512_reduce_add_ps(sum);
}

/* Columns c.. of the mixture, V vectors of them. */
ALWAYS_INLINE void one_mix(const struct one_query *o, uint32_t h, uint32_t g, uint32_t c,
	float inverse, const int V, const enum kept kind)
{
	uint32_t d = o->a->d_head, j = 0;
	uintptr_t at = (uintptr_t)g * d + c;
	__mmask16 last = lanes_left(d, c + 16 * (uint32_t)(V - 1));
	__m512 sum[4 * 4];

#pragma GCC unroll 16
	for (int i = 0; i < 4 * V; i++)
		sum[i] = _mm512_setzero_ps();
	for (; j + 4 <= o->m; j += 4, at += 4 * o->stride)
#pragma GCC unroll 4
		for (uint32_t r = 0; r < 4; r++) {
			__m512 p = _mm512_set1_ps(o->row[j + r]);

#pragma GCC unroll 4
			for (int v = 0; v < V; v++)
				sum[(int)r * V + v] = _mm512_fmadd_ps(p,
					kept_load(o->v,
						at + r * o->stride + 16 * (uint32_t)v,
						v == V - 1 ? last : (__mmask16)0xffff,
						kind),
					sum[(int)r * V + v]);
		}
	for (; j < o->m; j++, at += o->stride)
#pragma GCC unroll 4
		for (int v = 0; v < V; v++)
			sum[v] = _mm512_fmadd_ps(_mm512_set1_ps(o->row[j]),
				kept_load(o->v, at + 16 * (uint32_t)v,
					v == V - 1 ? last : (__mmask16)0xffff, kind),
				sum[v]);
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
