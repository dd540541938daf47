/* Eight floats at a time: what the AVX2 kernels share beside their tiles. Masked moves are
 * for the last, short vector of a row only: a masked store takes some twenty times as long
 * as a plain one on some processors. */
#ifndef HAWSER_INFER_OPT_X86_AVX2_VECTOR_H
#define HAWSER_INFER_OPT_X86_AVX2_VECTOR_H

#include <immintrin.h>
#include <stdint.h>

#include "src/infer/kernels.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The lanes of a vector that starts at `at` of `n`; none when `at` is beyond. */
ALWAYS_INLINE __m256i lanes_left(uint32_t n, uint32_t at)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)(n - at)),
		_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

ALWAYS_INLINE __m256 load_lanes(const float *p, __m256i lanes, int full)
{
	return full ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, lanes);
}

ALWAYS_INLINE void store_lanes(float *p, __m256i lanes, int full, __m256 v)
{
	if (full)
		_mm256_storeu_ps(p, v);
	else
		_mm256_maskstore_ps(p, lanes, v);
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

ALWAYS_INLINE __m256 absolute(__m256 x)
{
	return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}

ALWAYS_INLINE float reduce_max_ps(__m256 v)
{
	__m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

	m = _mm_max_ps(m, _mm_movehl_ps(m, m));
	m = _mm_max_ss(m, _mm_movehdup_ps(m));
	return _mm_cvtss_f32(m);
}

ALWAYS_INLINE float reduce_add_ps(__m256 v)
{
	__m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	s = _mm_add_ss(s, _mm_movehdup_ps(s));
	return _mm_cvtss_f32(s);
}

ALWAYS_INLINE int32_t reduce_add_epi32(__m256i v)
{
	__m128i s =
		_mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
	return _mm_cvtsi128_si32(s);
}

#endif
