/* Norms whose rows are quantised while they are in L1. Without y the result is computed
 * twice rather than stored. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_NORM_QUANT_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_NORM_QUANT_H

#include "src/infer/opt/x86-avx512vnni/norm.h"
#include "src/infer/opt/x86-avx512vnni/quantise.h"

struct norm_quant {
	const float *x, *gain, *bias; /* bias 0: RMS */
	float *y;		      /* or 0 */
	int8_t *q;
	float *scale;
};

ALWAYS_INLINE __m512i norm_integers(const struct norm_quant *a, const struct norm_rows *s,
	uint32_t r, uint32_t d, __mmask16 m, __m512 inverse, uint32_t i)
{
	return quantise(norm_vector(s, r, m, a->x + r * d, a->gain, a->bias, i), inverse);
}

ALWAYS_INLINE float norm_quantise_row(const struct norm_quant *a,
	const struct norm_rows *s, uint32_t r, uint32_t d, float largest)
{
	const __mmask16 all = 0xffff;
	__m512 inverse = _mm512_set1_ps(largest < 1e-30f ? 0 : 127 / largest);
	int8_t *q = a->q + r * d;
	uint32_t i = 0;

	for (; i + 64 <= d; i += 64)
		_mm512_storeu_si512(
			q + i, pack(norm_integers(a, s, r, d, all, inverse, i),
				       norm_integers(a, s, r, d, all, inverse, i + 16),
				       norm_integers(a, s, r, d, all, inverse, i + 32),
				       norm_integers(a, s, r, d, all, inverse, i + 48)));
	for (; i < d; i += 16) {
		__mmask16 m = lanes_left(d, i);

		_mm_mask_storeu_epi8(q + i, m,
			_mm512_cvtepi32_epi8(norm_integers(a, s, r, d, m, inverse, i)));
	}
	return largest / 127;
}

ALWAYS_INLINE void norm_quant_rows(
	const struct norm_quant *a, uint32_t d, int rms, const uint32_t R)
{
	_Alignas(16) float largest[NORM_ROWS];
	__m512 top[NORM_ROWS];
	struct norm_rows s;

	norm_statistics(&s, d, a->x, rms, R);
#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++)
		top[r] = _mm512_setzero_ps();
	for (uint32_t i = 0; i < d; i += 16) {
		__mmask16 m = lanes_left(d, i);

#pragma GCC unroll 4
		for (uint32_t r = 0; r < R; r++) {
			__m512 v =
				norm_vector(&s, r, m, a->x + r * d, a->gain, a->bias, i);

			if (a->y)
				_mm512_mask_storeu_ps(a->y + r * d + i, m, v);
			top[r] = _mm512_mask_range_ps(top[r], m, top[r], v, ABS_MAX);
		}
	}
	_mm_store_ps(largest, reduce_rows(top, 1, R));
	for (uint32_t r = 0; r < R; r++)
		a->scale[r] =
			a->y ? quantise_row(a->y + r * d, d, largest[r], a->q + r * d)
			     : norm_quantise_row(a, &s, r, d, largest[r]);
}

ALWAYS_INLINE void norm_quant_all(uint32_t n, uint32_t d, struct norm_quant a, int rms)
{
	while (n) {
		uint32_t rows = n >= NORM_ROWS ? NORM_ROWS : 1;

		if (rows == NORM_ROWS)
			norm_quant_rows(&a, d, rms, NORM_ROWS);
		else
			norm_quant_rows(&a, d, rms, 1);
		a.x += (uintptr_t)rows * d;
		a.y += a.y ? (uintptr_t)rows * d : 0;
		a.q += (uintptr_t)rows * d;
		a.scale += rows;
		n -= rows;
	}
}

#endif
