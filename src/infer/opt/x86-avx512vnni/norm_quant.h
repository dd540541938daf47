/* Norms whose rows are quantised while they are in L1. Without y the result is computed
 * twice rather than stored. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_NORM_QUANT_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_NORM_QUANT_H

#include "src/infer/opt/x86-avx512vnni/norm.h"
#include "src/infer/opt/x86-avx512vnni/quantise.h"

ALWAYS_INLINE __m512i norm_integers(const struct norm_row *row, __mmask16 m,
	const float *x, __m512 inverse, uintptr_t i, int rms)
{
	return quantise(norm_vector(row, m, x, i, rms), inverse);
}

ALWAYS_INLINE void norm_quantise_row(const struct norm_row *row, uint32_t d,
	const float *x, float by, int8_t *q, int rms)
{
	const __mmask16 all = 0xffff;
	__m512 inverse = _mm512_set1_ps(by);
	uintptr_t i = 0;

	for (; i + 64 <= d; i += 64)
		_mm512_storeu_si512(
			q + i, pack(norm_integers(row, all, x, inverse, i, rms),
				       norm_integers(row, all, x, inverse, i + 16, rms),
				       norm_integers(row, all, x, inverse, i + 32, rms),
				       norm_integers(row, all, x, inverse, i + 48, rms)));
	for (; i < d; i += 16) {
		__mmask16 m = lanes_left(d, (uint32_t)i);

		_mm_mask_storeu_epi8(q + i, m,
			_mm512_cvtepi32_epi8(norm_integers(row, m, x, inverse, i, rms)));
	}
}

/* Writes y when it is not 0, returns the largest |y|. */
ALWAYS_INLINE float norm_largest(
	const struct norm_row *row, uint32_t d, const float *x, float *y, int rms)
{
	const __mmask16 all = 0xffff;
	__m512 top = _mm512_setzero_ps();
	uintptr_t i = 0;

	for (; i + 16 <= d; i += 16) {
		__m512 v = norm_vector(row, all, x, i, rms);

		if (y)
			_mm512_storeu_ps(y + i, v);
		top = _mm512_range_ps(top, v, ABS_MAX);
	}
	if (i < d) {
		__mmask16 m = lanes_left(d, (uint32_t)i);
		__m512 v = norm_vector(row, m, x, i, rms);

		if (y)
			_mm512_mask_storeu_ps(y + i, m, v);
		top = _mm512_mask_range_ps(top, m, top, v, ABS_MAX);
	}
	return _mm512_reduce_max_ps(top);
}

/* bias 0: RMS; y: or 0. */
ALWAYS_INLINE void norm_quant_some(uint32_t n, uint32_t d, const float *x,
	const float *gain, const float *bias, float *y, int8_t *q, float *scale, int rms)
{
	struct norm_rows s;
	struct quant_rows to;

	norm_statistics(&s, n, d, x, rms);
	for (uint32_t r = 0; r < n; r++) {
		const struct norm_row row = norm_row_of(&s, r, gain, bias);
		uintptr_t at = (uintptr_t)r * d;

		to.by[r] = y ? norm_largest(&row, d, x + at, y + at, rms)
			     : norm_largest(&row, d, x + at, 0, rms);
	}
	quant_scales(&to, n, scale);
	for (uint32_t r = 0; r < n; r++) {
		const struct norm_row row = norm_row_of(&s, r, gain, bias);
		uintptr_t at = (uintptr_t)r * d;

		if (y)
			quantise_row(y + at, d, to.by[r], q + at);
		else
			norm_quantise_row(&row, d, x + at, to.by[r], q + at, rms);
	}
}

ALWAYS_INLINE void norm_quant_all(uint32_t n, uint32_t d, const float *x,
	const float *gain, const float *bias, float *y, int8_t *q, float *scale, int rms)
{
	for (uint32_t t = 0; t < n; t += NORM_ROWS) {
		uintptr_t at = (uintptr_t)t * d;

		norm_quant_some(n - t < NORM_ROWS ? n - t : NORM_ROWS, d, x + at, gain,
			bias, y ? y + at : 0, q + at, scale + t, rms);
	}
}

#endif
