/* Half away from zero is truncation after adding the largest float below a half with the
 * value's sign: exact for |v| < 2^22. Forward only, as q may lie on x. */
#include "src/infer/fmath.h"
#include "src/infer/opt/x86-avx2/vector.h"

static float row_largest(const float *x, uint32_t d)
{
	__m256 m0 = _mm256_setzero_ps(), m1 = m0, m2 = m0, m3 = m0;
	uint32_t i = 0;

	for (; i + 32 <= d; i += 32) {
		m0 = _mm256_max_ps(m0, absolute(_mm256_loadu_ps(x + i)));
		m1 = _mm256_max_ps(m1, absolute(_mm256_loadu_ps(x + i + 8)));
		m2 = _mm256_max_ps(m2, absolute(_mm256_loadu_ps(x + i + 16)));
		m3 = _mm256_max_ps(m3, absolute(_mm256_loadu_ps(x + i + 24)));
	}
	for (; i + 8 <= d; i += 8)
		m0 = _mm256_max_ps(m0, absolute(_mm256_loadu_ps(x + i)));
	if (i < d)
		m1 = _mm256_max_ps(
			m1, absolute(_mm256_maskload_ps(x + i, lanes_left(d, i))));
	return reduce_max_ps(_mm256_max_ps(_mm256_max_ps(m0, m1), _mm256_max_ps(m2, m3)));
}

ALWAYS_INLINE __m256i quantise(__m256 x, __m256 inverse)
{
	const __m256 sign = _mm256_set1_ps(-0.0f);
	__m256 v = _mm256_mul_ps(x, inverse);
	__m256 half = _mm256_or_ps(_mm256_and_ps(v, sign), _mm256_set1_ps(0.49999997f));

	return _mm256_cvttps_epi32(_mm256_add_ps(v, half));
}

ALWAYS_INLINE void quantise32(const float *x, __m256 inverse, int8_t *q)
{
	__m256i a = quantise(_mm256_loadu_ps(x), inverse);
	__m256i b = quantise(_mm256_loadu_ps(x + 8), inverse);
	__m256i c = quantise(_mm256_loadu_ps(x + 16), inverse);
	__m256i d = quantise(_mm256_loadu_ps(x + 24), inverse);

	a = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
	a = _mm256_permutevar8x32_epi32(a, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
	_mm256_storeu_si256((void *)q, a);
}

/* Eight, in the low half. */
ALWAYS_INLINE __m128i quantise8(__m256 x, __m256 inverse)
{
	__m256i whole = quantise(x, inverse);
	__m128i words = _mm_packs_epi32(
		_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));

	return _mm_packs_epi16(words, words);
}

static void quantise_row(uint32_t d, const float *x, __m256 inverse, int8_t *q)
{
	uint32_t i = 0;

	for (; i + 32 <= d; i += 32)
		quantise32(x + i, inverse, q + i);
	for (; i + 8 <= d; i += 8)
		_mm_storel_epi64(
			(void *)(q + i), quantise8(_mm256_loadu_ps(x + i), inverse));
	if (i < d) {
		int8_t last[16];

		_mm_storeu_si128((void *)last,
			quantise8(_mm256_maskload_ps(x + i, lanes_left(d, i)), inverse));
		for (uint32_t j = 0; j < d - i; j++)
			q[i + j] = last[j];
	}
}

#define ROWS 8 /* whose scales are made before, as each waits for a division */

void quant_rows(uint32_t n, uint32_t d, const float *x, int8_t *q, float *scale)
{
	float inverse[ROWS];

	for (uint32_t t = 0; t < n; t++) {
		const float *row = x + (uintptr_t)t * d;

		for (uint32_t r = 0; t % ROWS == 0 && r < ROWS && t + r < n; r++) {
			float largest = row_largest(row + (uintptr_t)r * d, d);

			inverse[r] = largest < 1e-30f ? 0 : 127 / largest;
			scale[t + r] = largest / 127;
		}
		quantise_row(
			d, row, _mm256_set1_ps(inverse[t % ROWS]), q + (uintptr_t)t * d);
	}
}
