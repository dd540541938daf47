/* Signed bytes widened to 16 bits and multiplied in pairs: exact, no saturation (two
 * products of at most 127 * 127 fit an int32). Four output rows at once share a load of
 * x. */
#include <immintrin.h>

#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

static inline __m256i load16(const int8_t *p)
{
	return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline int32_t sum8(__m256i v)
{
	__m128i s =
		_mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
	return _mm_cvtsi128_si32(s);
}

static void dot4(const int8_t *x, const int8_t *w, uint32_t in, int32_t sum[4])
{
	const int8_t *w1 = w + in, *w2 = w1 + in, *w3 = w2 + in;
	__m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
	uint32_t i = 0;

	for (; i + 16 <= in; i += 16) {
		__m256i v = load16(x + i);

		s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(v, load16(w + i)));
		s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(v, load16(w1 + i)));
		s2 = _mm256_add_epi32(s2, _mm256_madd_epi16(v, load16(w2 + i)));
		s3 = _mm256_add_epi32(s3, _mm256_madd_epi16(v, load16(w3 + i)));
	}
	sum[0] = sum8(s0);
	sum[1] = sum8(s1);
	sum[2] = sum8(s2);
	sum[3] = sum8(s3);
	for (; i < in; i++) {
		sum[0] += x[i] * w[i];
		sum[1] += x[i] * w1[i];
		sum[2] += x[i] * w2[i];
		sum[3] += x[i] * w3[i];
	}
}

static int32_t dot1(const int8_t *x, const int8_t *w, uint32_t in)
{
	__m256i s = _mm256_setzero_si256();
	uint32_t i = 0;
	int32_t sum;

	for (; i + 16 <= in; i += 16)
		s = _mm256_add_epi32(s, _mm256_madd_epi16(load16(x + i), load16(w + i)));
	sum = sum8(s);
	for (; i < in; i++)
		sum += x[i] * w[i];
	return sum;
}

void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	const int8_t *w = l->w;

	for (uint32_t t = 0; t < n; t++) {
		const int8_t *row = x + (uintptr_t)t * l->in;
		uintptr_t at = (uintptr_t)t * l->out;

		for (uint32_t o = 0; o < l->out; o += 4) {
			uint32_t m = l->out - o < 4 ? l->out - o : 4;
			int32_t sum[4];

			if (m == 4)
				dot4(row, w + (uintptr_t)o * l->in, l->in, sum);
			for (uint32_t j = 0; m < 4 && j < m; j++)
				sum[j] = dot1(row, w + (uintptr_t)(o + j) * l->in, l->in);
			for (uint32_t j = 0; j < m; j++) {
				float s = (float)sum[j] *
					  (x_scale[t] * fmath_bf16(l->scales[o + j]));

				s += l->bias ? l->bias[o + j] : 0;
				y[at + o + j] = add ? add[at + o + j] + s : s;
			}
		}
	}
}
