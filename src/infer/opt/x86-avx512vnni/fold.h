/* Sums, or largest absolute values, of several vectors at once. The order within a vector
 * is the same wherever it stands. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_FOLD_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_FOLD_H

#include "src/infer/opt/x86-avx512vnni/vector.h"

ALWAYS_INLINE __m512 fold(__m512 x, __m512 y, int largest)
{
	return largest ? _mm512_range_ps(x, y, ABS_MAX) : _mm512_add_ps(x, y);
}

/* Four vectors to a lane each of every quarter, which are parts of the result. */
ALWAYS_INLINE __m512 fold_four(const __m512 *v, int largest)
{
	__m512 ab = fold(
		_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]), largest);
	__m512 cd = fold(
		_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]), largest);

	return fold(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee),
		largest);
}

/* Four of those to the sixteen results. */
ALWAYS_INLINE __m512 fold_quarters(const __m512 *v, int largest)
{
	__m512 ab = fold(_mm512_shuffle_f32x4(v[0], v[1], 0x44),
		_mm512_shuffle_f32x4(v[0], v[1], 0xee), largest);
	__m512 cd = fold(_mm512_shuffle_f32x4(v[2], v[3], 0x44),
		_mm512_shuffle_f32x4(v[2], v[3], 0xee), largest);

	return fold(_mm512_shuffle_f32x4(ab, cd, 0x88),
		_mm512_shuffle_f32x4(ab, cd, 0xdd), largest);
}

/* As fold_four, sums of integers. */
ALWAYS_INLINE __m512i fold_integers(const __m512i *v)
{
	__m512i ab = _mm512_add_epi32(
		_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
	__m512i cd = _mm512_add_epi32(
		_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));

	return _mm512_add_epi32(
		_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

#endif
