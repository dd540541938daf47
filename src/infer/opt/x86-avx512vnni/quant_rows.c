/* Half away from zero is truncation after adding the largest float below a half with the
 * value's sign: exact for |v| < 2^22. Forward only, as q may lie on x. */
#include "src/infer/opt/x86-avx512vnni/vector.h"

static float row_largest(const float *x, uint32_t d)
{
	__m512 m0 = _mm512_setzero_ps(), m1 = m0;
	uint32_t i = 0;

	for (; i + 32 <= d; i += 32) {
		m0 = _mm512_max_ps(m0, _mm512_abs_ps(_mm512_loadu_ps(x + i)));
		m1 = _mm512_max_ps(m1, _mm512_abs_ps(_mm512_loadu_ps(x + i + 16)));
	}
	for (; i < d; i += 16)
		m0 = _mm512_max_ps(m0,
			_mm512_abs_ps(_mm512_maskz_loadu_ps(lanes_left(d, i), x + i)));
	return _mm512_reduce_max_ps(_mm512_max_ps(m0, m1));
}

ALWAYS_INLINE __m128i quantise(__m512 x, __m512 inverse)
{
	const __m512i sign = _mm512_set1_epi32((int32_t)0x80000000u);
	const __m512 half = _mm512_set1_ps(0.49999997f);
	__m512 v = _mm512_mul_ps(x, inverse);
	__m512 signed_half = _mm512_castsi512_ps(_mm512_ternarylogic_epi32(
		_mm512_castps_si512(v), sign, _mm512_castps_si512(half), 0xea));

	return _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(_mm512_add_ps(v, signed_half)));
}

void quant_rows(uint32_t n, uint32_t d, const float *x, int8_t *q, float *scale)
{
	for (uint32_t t = 0; t < n; t++) {
		const float *row = x + (uintptr_t)t * d;
		int8_t *out = q + (uintptr_t)t * d;
		float largest = row_largest(row, d);
		__m512 inverse = _mm512_set1_ps(largest < 1e-30f ? 0 : 127 / largest);
		uint32_t i = 0;

		for (; i + 16 <= d; i += 16)
			_mm_storeu_si128((void *)(out + i),
				quantise(_mm512_loadu_ps(row + i), inverse));
		if (i < d) {
			__mmask16 m = lanes_left(d, i);

			_mm_mask_storeu_epi8(out + i, m,
				quantise(_mm512_maskz_loadu_ps(m, row + i), inverse));
		}
		scale[t] = largest / 127;
	}
}
