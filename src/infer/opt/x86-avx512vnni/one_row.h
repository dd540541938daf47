/* Products of one row, as a decoder makes them for each token: every weight is read once
 * and used once, so what counts is that the stream of panels never stops. Two chains of
 * sums run in each column, panels follow each other without a call, and sums are finished
 * in registers. Asking for lines ahead makes it slower: the panels are one stream, which
 * the machine sees by itself.
 *
 * Integer sums are exact and equal those of the tiles; float sums are scaled in the order
 * of the tiles, so that a row alone has the bits that it has among others.
 */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_ONE_ROW_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_ONE_ROW_H

#include "src/infer/opt/x86-avx512vnni/vector.h"

#define ONE_ROW_COLS 48
#define ONE_ROW_GROUPS (65536 / KERNEL_GROUP)

struct one_row {
	const struct linear *l;
	const float *add; /* or 0 */
	float *y;
	float scale; /* of x */
};

/* sum += w (unsigned) . x (signed), four columns a lane. Written out because gcc 12 moves
 * accumulators through the stack around the intrinsic. */
ALWAYS_INLINE __m512i one_dot(__m512i sum, __m512i w, __m512i x)
{
	__asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
	return sum;
}

ALWAYS_INLINE __m512i four_of(const int8_t *x)
{
	int32_t v;

	__builtin_memcpy(&v, x, 4);
	return _mm512_set1_epi32(v);
}

ALWAYS_INLINE __m512 one_bias_at(const struct one_row *r, uint32_t o, __mmask16 m)
{
	if (!r->l->bias)
		return _mm512_setzero_ps();
	return _mm512_maskz_loadu_ps(m, r->l->bias + o);
}

ALWAYS_INLINE void one_store(const struct one_row *r, uint32_t o, __m512 s, __mmask16 m)
{
	if (r->add)
		s = _mm512_add_ps(_mm512_maskz_loadu_ps(m, r->add + o), s);
	_mm512_mask_storeu_ps(r->y + o, m, s);
}

ALWAYS_INLINE int32_t one_sum(const int8_t *x, uint32_t n)
{
	const __m512i ones = _mm512_set1_epi8(1);
	__m512i sum = _mm512_setzero_si512();
	uint32_t i = 0;

	for (; i + 64 <= n; i += 64)
		sum = one_dot(sum, ones, _mm512_loadu_si512(x + i));
	if (i < n)
		sum = one_dot(
			sum, ones, _mm512_maskz_loadu_epi8((1ull << (n - i)) - 1, x + i));
	return _mm512_reduce_add_epi32(sum);
}

/* ---- int8 */

/* Four columns of x by a step of a panel. */
ALWAYS_INLINE void one_step_i8(
	__m512i *sum, const uint8_t *w, const int8_t *x, const int V)
{
	__m512i xv = four_of(x);

#pragma GCC unroll 3
	for (int v = 0; v < V; v++)
		sum[v] = one_dot(sum[v], _mm512_loadu_si512(w + 64 * v), xv);
}

/* The panel at column o, V vectors wide; `tail` holds the last in % 4 columns. */
ALWAYS_INLINE void one_panel_i8(const struct one_row *r, uint32_t o, const int8_t *x,
	const int8_t *tail, int32_t start, const int V)
{
	uint32_t in = r->l->in, k = in / 4;
	const uint8_t *w = (const uint8_t *)r->l->w + (uintptr_t)o * ((in + 3) / 4 * 4);
	__m512i sum[3], other[3];

#pragma GCC unroll 3
	for (int v = 0; v < V; v++) {
		sum[v] = _mm512_set1_epi32(start);
		other[v] = _mm512_setzero_si512();
	}
	for (; k >= 2; k -= 2, x += 8, w += 128 * V) {
		one_step_i8(sum, w, x, V);
		one_step_i8(other, w + 64 * V, x + 4, V);
	}
	if (k) {
		one_step_i8(sum, w, x, V);
		w += 64 * V;
	}
	if (in % 4)
		one_step_i8(sum, w, tail, V);
#pragma GCC unroll 3
	for (int v = 0; v < V; v++) {
		uint32_t at = o + 16 * (uint32_t)v;
		__m512 scale = load_bf16(r->l->scales + at);
		__mmask16 m = lanes_left(r->l->out, at);
		__m512i all = _mm512_add_epi32(sum[v], other[v]);

		scale = _mm512_mul_ps(scale, _mm512_set1_ps(r->scale));
		one_store(r, at,
			_mm512_fmadd_ps(
				_mm512_cvtepi32_ps(all), scale, one_bias_at(r, at, m)),
			m);
	}
}

static inline void one_row_i8(const struct one_row *r, const int8_t *x)
{
	uint32_t in = r->l->in, out = r->l->out, o = 0;
	int32_t start = -128 * one_sum(x, in);
	int8_t tail[4] = {0};

	for (uint32_t i = 0; i < in % 4; i++)
		tail[i] = x[in / 4 * 4 + i];
	for (; o + ONE_ROW_COLS <= out; o += ONE_ROW_COLS)
		one_panel_i8(r, o, x, tail, start, 3);
	if (out - o > 32)
		one_panel_i8(r, o, x, tail, start, 3);
	else if (out - o > 16)
		one_panel_i8(r, o, x, tail, start, 2);
	else if (out > o)
		one_panel_i8(r, o, x, tail, start, 1);
}

/* ---- int4 */

/* One group of `steps` times eight columns. The high nibbles stay where they are: their
 * sum is sixteen times too large, and a multiple of sixteen. */
ALWAYS_INLINE const uint8_t *one_group(const uint8_t *w, const uint16_t *scales,
	const int8_t *x, int32_t start, uint32_t steps, __m512 *y, const int V)
{
	const __m512i low = _mm512_set1_epi8(15);
	__m512i sum[3], high[3];

#pragma GCC unroll 3
	for (int v = 0; v < V; v++) {
		sum[v] = _mm512_set1_epi32(start);
		high[v] = _mm512_setzero_si512();
	}
#pragma GCC unroll 4
	for (uint32_t k = 0; k < steps; k++, x += 8, w += 64 * V) {
		__m512i x0 = four_of(x), x1 = four_of(x + 4);

#pragma GCC unroll 3
		for (int v = 0; v < V; v++) {
			__m512i wv = _mm512_loadu_si512(w + 64 * v);

			sum[v] = one_dot(sum[v], _mm512_and_si512(wv, low), x0);
			high[v] = one_dot(high[v], _mm512_andnot_si512(low, wv), x1);
		}
	}
#pragma GCC unroll 3
	for (int v = 0; v < V; v++) {
		__m512i all = _mm512_add_epi32(sum[v], _mm512_srai_epi32(high[v], 4));

		y[v] = _mm512_fmadd_ps(
			_mm512_cvtepi32_ps(all), load_bf16(scales + 16 * v), y[v]);
	}
	return w;
}

struct row_i4 {
	uint32_t n_groups; /* whole ones; a short last one lies in `tail` */
	int8_t tail[KERNEL_GROUP];
	int32_t start[ONE_ROW_GROUPS];
};

ALWAYS_INLINE void one_panel_i4(const struct one_row *r, uint32_t o, const int8_t *x,
	const struct row_i4 *row, const int V)
{
	uint32_t in = r->l->in, groups = (in + KERNEL_GROUP - 1) / KERNEL_GROUP;
	const uint16_t *scales = r->l->scales + (uintptr_t)o * groups;
	const uint8_t *w = (const uint8_t *)r->l->w + (uintptr_t)o * ((in + 7) / 8 * 4);
	__m512 y[3];

#pragma GCC unroll 3
	for (int v = 0; v < V; v++)
		y[v] = _mm512_setzero_ps();
	for (uint32_t g = 0; g < row->n_groups; g++, scales += 16 * V, x += KERNEL_GROUP)
		w = one_group(w, scales, x, row->start[g], KERNEL_GROUP / 8, y, V);
	if (groups > row->n_groups)
		one_group(w, scales, row->tail, row->start[row->n_groups],
			(in % KERNEL_GROUP + 7) / 8, y, V);
#pragma GCC unroll 3
	for (int v = 0; v < V; v++) {
		uint32_t at = o + 16 * (uint32_t)v;
		__mmask16 m = lanes_left(r->l->out, at);

		one_store(r, at,
			_mm512_fmadd_ps(
				y[v], _mm512_set1_ps(r->scale), one_bias_at(r, at, m)),
			m);
	}
}

/* -8 times the sums of the groups of x. */
ALWAYS_INLINE void one_starts(struct row_i4 *row, const int8_t *x, uint32_t in)
{
	uint32_t rest = in % KERNEL_GROUP;

	row->n_groups = in / KERNEL_GROUP;
	for (uint32_t g = 0; g < row->n_groups; g++) {
		__m256i v = _mm256_loadu_si256((const void *)(x + g * KERNEL_GROUP));
		__m256i s = _mm256_dpbusd_epi32(
			_mm256_setzero_si256(), _mm256_set1_epi8(8), v);
		__m128i h = _mm_add_epi32(
			_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));

		h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0x4e));
		h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0xb1));
		row->start[g] = -_mm_cvtsi128_si32(h);
	}
	if (!rest)
		return;
	_mm256_storeu_si256((void *)row->tail,
		_mm256_maskz_loadu_epi8((1u << rest) - 1, x + in - rest));
	row->start[row->n_groups] = -8 * one_sum(row->tail, KERNEL_GROUP);
}

static inline void one_row_i4(const struct one_row *r, const int8_t *x)
{
	uint32_t out = r->l->out, o = 0;
	struct row_i4 row;

	one_starts(&row, x, r->l->in);
	for (; o + ONE_ROW_COLS <= out; o += ONE_ROW_COLS)
		one_panel_i4(r, o, x, &row, 3);
	if (out - o > 32)
		one_panel_i4(r, o, x, &row, 3);
	else if (out - o > 16)
		one_panel_i4(r, o, x, &row, 2);
	else if (out > o)
		one_panel_i4(r, o, x, &row, 1);
}

#endif
