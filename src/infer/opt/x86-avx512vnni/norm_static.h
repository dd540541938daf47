/* Norms whose values go to int8 with a static scale as they are made: no largest value, so
 * no second pass. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_NORM_STATIC_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_NORM_STATIC_H

#include "src/infer/opt/x86-avx512vnni/norm.h"
#include "src/infer/opt/x86-avx512vnni/quantise.h"

ALWAYS_INLINE __m512i norm_static_vector(const struct norm_row *row, __mmask16 m,
	const float *x, float *y, __m512 inverse, uintptr_t i, int rms)
{
	__m512 v = norm_vector(row, m, x, i, rms);

	if (y)
		_mm512_mask_storeu_ps(y + i, m, v);
	return quantise_near(v, inverse);
}

/* y: or 0. */
ALWAYS_INLINE void norm_static_row(const struct norm_row *row, uint32_t d, const float *x,
	float *y, __m512 inverse, int8_t *q, int rms)
{
	const __mmask16 all = 0xffff;
	uintptr_t i = 0;

	for (; i + 64 <= d; i += 64) {
		__m512i v[4];

#pragma GCC unroll 4
		for (uintptr_t j = 0; j < 4; j++)
			v[j] = norm_static_vector(
				row, all, x, y, inverse, i + 16 * j, rms);
		_mm512_storeu_si512(q + i, pack(v[0], v[1], v[2], v[3]));
	}
	for (; i < d; i += 16) {
		__mmask16 m = lanes_left(d, (uint32_t)i);

		_mm_mask_storeu_epi8(q + i, m,
			_mm512_cvtepi32_epi8(
				norm_static_vector(row, m, x, y, inverse, i, rms)));
	}
}

/* bias 0: RMS; y: or 0. */
ALWAYS_INLINE void norm_static_all(uint32_t n, uint32_t d, const float *x,
	const float *gain, const float *bias, float *y, float inverse, int8_t *q, int rms)
{
	const __m512 by = _mm512_set1_ps(inverse);
	struct norm_rows s;

	for (uint32_t t = 0; t < n; t++, x += d, q += d) {
		struct norm_row row;

		if (t % NORM_ROWS == 0)
			norm_statistics(&s, n - t, d, x, rms);
		row = norm_row_of(&s, t % NORM_ROWS, gain, bias);
		if (y)
			norm_static_row(&row, d, x, y + (uintptr_t)t * d, by, q, rms);
		else
			norm_static_row(&row, d, x, 0, by, q, rms);
	}
}

#endif
