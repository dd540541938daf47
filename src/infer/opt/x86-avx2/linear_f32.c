/* Four output rows at once share each load of x; FMA, eight lanes. */
#include <immintrin.h>

#include "src/infer/kernels.h"

static inline float sum8(__m256 v)
{
	__m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	s = _mm_add_ss(s, _mm_movehdup_ps(s));
	return _mm_cvtss_f32(s);
}

static void dot4(const float *x, const float *w, uint32_t in, float sum[4])
{
	const float *w1 = w + in, *w2 = w1 + in, *w3 = w2 + in;
	__m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
	uint32_t i = 0;

	for (; i + 8 <= in; i += 8) {
		__m256 v = _mm256_loadu_ps(x + i);

		s0 = _mm256_fmadd_ps(v, _mm256_loadu_ps(w + i), s0);
		s1 = _mm256_fmadd_ps(v, _mm256_loadu_ps(w1 + i), s1);
		s2 = _mm256_fmadd_ps(v, _mm256_loadu_ps(w2 + i), s2);
		s3 = _mm256_fmadd_ps(v, _mm256_loadu_ps(w3 + i), s3);
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

static float dot1(const float *x, const float *w, uint32_t in)
{
	__m256 s = _mm256_setzero_ps();
	uint32_t i = 0;
	float sum;

	for (; i + 8 <= in; i += 8)
		s = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(w + i), s);
	sum = sum8(s);
	for (; i < in; i++)
		sum += x[i] * w[i];
	return sum;
}

void linear_f32(
	const struct linear *l, uint32_t n, const float *x, const float *add, float *y)
{
	const float *w = l->w;

	for (uint32_t t = 0; t < n; t++) {
		const float *row = x + (uintptr_t)t * l->in;
		uintptr_t at = (uintptr_t)t * l->out;

		for (uint32_t o = 0; o < l->out; o += 4) {
			uint32_t m = l->out - o < 4 ? l->out - o : 4;
			float sum[4];

			if (m == 4)
				dot4(row, w + (uintptr_t)o * l->in, l->in, sum);
			for (uint32_t j = 0; m < 4 && j < m; j++)
				sum[j] = dot1(row, w + (uintptr_t)(o + j) * l->in, l->in);
			for (uint32_t j = 0; j < m; j++) {
				float s = sum[j] + (l->bias ? l->bias[o + j] : 0);

				y[at + o + j] = add ? add[at + o + j] + s : s;
			}
		}
	}
}
