/* Floats to int8, as quant_rows and quant_rows_static ask for it.
 *
 * Half away from zero is truncation after adding the largest float below a half with the
 * value's sign: exact for |v| < 2^22. Forward only, as the integers may lie on the row. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_QUANTISE_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_QUANTISE_H

#include "src/infer/opt/x86-avx512vnni/vector.h"

ALWAYS_INLINE __m512i nearest(__m512 v)
{
	const __m512i sign = _mm512_set1_epi32((int32_t)0x80000000u);
	const __m512 half = _mm512_set1_ps(0.49999997f);
	__m512 signed_half = _mm512_castsi512_ps(_mm512_ternarylogic_epi32(
		_mm512_castps_si512(v), sign, _mm512_castps_si512(half), 0xea));

	return _mm512_cvttps_epi32(_mm512_add_ps(v, signed_half));
}

ALWAYS_INLINE __m512i quantise(__m512 x, __m512 inverse)
{
	return nearest(_mm512_mul_ps(x, inverse));
}

/* With a scale that does not know x: at most 127 either way. */
ALWAYS_INLINE __m512i quantise_static(__m512 x, __m512 inverse)
{
	return nearest(_mm512_range_ps(
		_mm512_mul_ps(x, inverse), _mm512_set1_ps(127), ABS_MIN_SIGNED));
}

/* The same for values that have errors before they are rounded: a half goes to even. */
ALWAYS_INLINE __m512i quantise_near(__m512 x, __m512 inverse)
{
	return _mm512_cvtps_epi32(_mm512_range_ps(
		_mm512_mul_ps(x, inverse), _mm512_set1_ps(127), ABS_MIN_SIGNED));
}

/* Four vectors to sixty-four bytes. */
ALWAYS_INLINE __m512i pack(__m512i a, __m512i b, __m512i c, __m512i d)
{
	const __m512i in_order =
		_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);

	return _mm512_permutexvar_epi32(in_order,
		_mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d)));
}

ALWAYS_INLINE void quantise_row(const float *x, uint32_t d, float by, int8_t *q)
{
	__m512 inverse = _mm512_set1_ps(by);
	uint32_t i = 0;

	for (; i + 64 <= d; i += 64)
		_mm512_storeu_si512(
			q + i, pack(quantise(_mm512_loadu_ps(x + i), inverse),
				       quantise(_mm512_loadu_ps(x + i + 16), inverse),
				       quantise(_mm512_loadu_ps(x + i + 32), inverse),
				       quantise(_mm512_loadu_ps(x + i + 48), inverse)));
	for (; i < d; i += 16) {
		__mmask16 m = lanes_left(d, i);
		__m512 v = _mm512_maskz_loadu_ps(m, x + i);

		_mm_mask_storeu_epi8(
			q + i, m, _mm512_cvtepi32_epi8(quantise(v, inverse)));
	}
}

/* Rows are quantised by sixteen: their largest values are long known when they are
 * needed, and one division serves all. */
#define QUANT_ROWS 16

struct quant_rows {
	_Alignas(64) float by
		[QUANT_ROWS]; /* the largest |x|, then what x is multiplied by */
};

ALWAYS_INLINE void quant_scales(struct quant_rows *r, uint32_t n, float *scale)
{
	const __m512 most = _mm512_set1_ps(127);
	__mmask16 m = lanes_left(n, 0);
	__m512 x = _mm512_maskz_load_ps(m, r->by);

	_mm512_mask_storeu_ps(scale, m, _mm512_div_ps(x, most));
	m = _mm512_cmp_ps_mask(x, _mm512_set1_ps(1e-30f), _CMP_GE_OQ);
	_mm512_store_ps(r->by, _mm512_maskz_div_ps(m, most, x));
}

#endif
