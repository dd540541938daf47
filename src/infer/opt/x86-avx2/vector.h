/* What the AVX2 kernels share: panels of sixteen columns, two vectors of eight; the last
 * panel may be eight wide. Six rows by two vectors are twelve accumulators of the sixteen
 * registers. */
#ifndef HAWSER_INFER_OPT_X86_AVX2_VECTOR_H
#define HAWSER_INFER_OPT_X86_AVX2_VECTOR_H

#include <immintrin.h>
#include <stdint.h>

#include "src/infer/kernels.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define PANEL_COLS 16

/* The first n of eight lanes. */
ALWAYS_INLINE __m256i lanes_left(uint32_t n, uint32_t at)
{
	int left = n - at < 8 ? (int)(n - at) : 8;

	return _mm256_cmpgt_epi32(
		_mm256_set1_epi32(left), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

ALWAYS_INLINE __m256 load_bf16(const uint16_t *p)
{
	__m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p));

	return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

/* Any four bytes of a row, eight times. */
ALWAYS_INLINE __m256i four_bytes(const void *x)
{
	int32_t v;

	__builtin_memcpy(&v, x, 4);
	return _mm256_set1_epi32(v);
}

ALWAYS_INLINE float reduce_max8(__m256 v)
{
	__m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

	m = _mm_max_ps(m, _mm_movehl_ps(m, m));
	m = _mm_max_ss(m, _mm_movehdup_ps(m));
	return _mm_cvtss_f32(m);
}

ALWAYS_INLINE int32_t reduce_add8(__m256i v)
{
	__m128i s =
		_mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
	return _mm_cvtsi128_si32(s);
}

/* y = s + bias + add for eight columns at o. */
ALWAYS_INLINE void store_columns(const struct linear *l, uint32_t o, uintptr_t row,
	__m256 s, const float *add, float *y)
{
	__m256i m = lanes_left(l->out, o);
	uintptr_t at = row * l->out + o;

	if (l->bias)
		s = _mm256_add_ps(s, _mm256_maskload_ps(l->bias + o, m));
	if (add)
		s = _mm256_add_ps(_mm256_maskload_ps(add + at, m), s);
	_mm256_maskstore_ps(y + at, m, s);
}

/* Calls tile(b, t, o, w, R, V) for every tile of n rows; `bytes` of weights a column. */
#define EACH_TILE(ROWS, b, n, out, w, bytes)                                             \
	for (uint32_t o = 0; o < (out); o += PANEL_COLS) {                               \
		const uint8_t *panel = (const uint8_t *)(w) + (uintptr_t)o * (bytes);    \
		uint32_t t = 0;                                                          \
		if ((out)-o > 8) {                                                       \
			for (; t + (ROWS) <= (n); t += (ROWS))                           \
				tile((b), t, o, panel, (ROWS), 2);                       \
			for (; t < (n); t++)                                             \
				tile((b), t, o, panel, 1, 2);                            \
		} else {                                                                 \
			for (; t + (ROWS) <= (n); t += (ROWS))                           \
				tile((b), t, o, panel, (ROWS), 1);                       \
			for (; t < (n); t++)                                             \
				tile((b), t, o, panel, 1, 1);                            \
		}                                                                        \
	}

#endif
