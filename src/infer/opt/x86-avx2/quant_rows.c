/* Half away from zero is truncation after adding the largest float below a half with the
 * value's sign: exact for |v| < 2^22. Forward only, as q may lie on x. */
#include "src/infer/fmath.h"
#include "src/infer/opt/x86-avx2/vector.h"

static float row_largest(const float *x, uint32_t d)
{
	const __m256 sign = _mm256_set1_ps(-0.0f);
	__m256 m0 = _mm256_setzero_ps(), m1 = m0;
	float largest;
	uint32_t i = 0;

	for (; i + 16 <= d; i += 16) {
		m0 = _mm256_max_ps(m0, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)));
		m1 = _mm256_max_ps(
			m1, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i + 8)));
	}
	largest = reduce_max8(_mm256_max_ps(m0, m1));
	for (; i < d; i++)
		largest = fmath_abs(x[i]) > largest ? fmath_abs(x[i]) : largest;
	return largest;
}

ALWAYS_INLINE __m128i quantise8(const float *x, __m256 inverse)
{
	const __m256 sign = _mm256_set1_ps(-0.0f);
	__m256 v = _mm256_mul_ps(_mm256_loadu_ps(x), inverse);
	__m256 half = _mm256_or_ps(_mm256_and_ps(v, sign), _mm256_set1_ps(0.49999997f));
	__m256i whole = _mm256_cvttps_epi32(_mm256_add_ps(v, half));
	__m128i words = _mm_packs_epi32(
		_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));

	return _mm_packs_epi16(words, words);
}

static int8_t quantise1(float x, float inverse)
{
	float v = x * inverse;

	return (int8_t)(int32_t)(v + (v < 0 ? -0.49999997f : 0.49999997f));
}

void quant_rows(uint32_t n, uint32_t d, const float *x, int8_t *q, float *scale)
{
	for (uint32_t t = 0; t < n; t++) {
		const float *row = x + (uintptr_t)t * d;
		int8_t *out = q + (uintptr_t)t * d;
		float largest = row_largest(row, d);
		float inverse = largest < 1e-30f ? 0 : 127 / largest;
		uint32_t i = 0;

		for (; i + 8 <= d; i += 8)
			_mm_storel_epi64((void *)(out + i),
				quantise8(row + i, _mm256_set1_ps(inverse)));
		for (; i < d; i++)
			out[i] = quantise1(row[i], inverse);
		scale[t] = largest / 127;
	}
}
