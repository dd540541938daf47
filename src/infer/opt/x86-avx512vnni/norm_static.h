/* Norms whose values go to int8 with a static scale as they are made: no largest value, so
 * no second pass. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_NORM_STATIC_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_NORM_STATIC_H

#include "src/infer/opt/x86-avx512vnni/norm.h"
#include "src/infer/opt/x86-avx512vnni/quantise.h"

struct norm_static {
	const float *x, *gain, *bias; /* bias 0: RMS */
	float *y;		      /* or 0 */
	int8_t *q;
};

ALWAYS_INLINE void norm_static_rows(const struct norm_static *a, uint32_t d,
	__m512 inverse, int rms, int keeps, const uint32_t R)
{
	struct norm_rows s;

	norm_statistics(&s, d, a->x, rms, R);
	for (uint32_t i = 0; i < d; i += 16) {
		__mmask16 m = lanes_left(d, i);

#pragma GCC unroll 4
		for (uint32_t r = 0; r < R; r++) {
			__m512 v =
				norm_vector(&s, r, m, a->x + r * d, a->gain, a->bias, i);

			if (keeps)
				_mm512_mask_storeu_ps(a->y + r * d + i, m, v);
			_mm_mask_storeu_epi8(a->q + r * d + i, m,
				_mm512_cvtepi32_epi8(quantise_static(v, inverse)));
		}
	}
}

ALWAYS_INLINE void norm_static_some(
	struct norm_static *a, uint32_t d, __m512 inverse, int rms, const uint32_t R)
{
	if (a->y)
		norm_static_rows(a, d, inverse, rms, 1, R);
	else
		norm_static_rows(a, d, inverse, rms, 0, R);
	a->x += R * (uintptr_t)d;
	a->y += a->y ? R * (uintptr_t)d : 0;
	a->q += R * (uintptr_t)d;
}

ALWAYS_INLINE void norm_static_all(
	uint32_t n, uint32_t d, struct norm_static a, float inverse, int rms)
{
	__m512 by = _mm512_set1_ps(inverse);

	for (; n >= NORM_ROWS; n -= NORM_ROWS)
		norm_static_some(&a, d, by, rms, NORM_ROWS);
	for (; n; n--)
		norm_static_some(&a, d, by, rms, 1);
}

#endif
