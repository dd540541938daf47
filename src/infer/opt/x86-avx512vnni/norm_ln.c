#include "src/infer/fmath.h"
#include "src/infer/opt/x86-avx512vnni/vector.h"

static float mean_of(const float *x, uint32_t d)
{
	__m512 s0 = _mm512_setzero_ps(), s1 = s0;
	uint32_t i = 0;

	for (; i + 32 <= d; i += 32) {
		s0 = _mm512_add_ps(s0, _mm512_loadu_ps(x + i));
		s1 = _mm512_add_ps(s1, _mm512_loadu_ps(x + i + 16));
	}
	for (; i < d; i += 16)
		s0 = _mm512_add_ps(s0, _mm512_maskz_loadu_ps(lanes_left(d, i), x + i));
	return _mm512_reduce_add_ps(_mm512_add_ps(s0, s1)) / (float)d;
}

static float variance_of(const float *x, uint32_t d, __m512 mean)
{
	__m512 s0 = _mm512_setzero_ps(), s1 = s0;
	uint32_t i = 0;

	for (; i + 32 <= d; i += 32) {
		__m512 a = _mm512_sub_ps(_mm512_loadu_ps(x + i), mean);
		__m512 b = _mm512_sub_ps(_mm512_loadu_ps(x + i + 16), mean);

		s0 = _mm512_fmadd_ps(a, a, s0);
		s1 = _mm512_fmadd_ps(b, b, s1);
	}
	for (; i < d; i += 16) {
		__mmask16 m = lanes_left(d, i);
		__m512 a = _mm512_maskz_sub_ps(m, _mm512_maskz_loadu_ps(m, x + i), mean);

		s0 = _mm512_fmadd_ps(a, a, s0);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(s0, s1)) / (float)d;
}

void norm_ln(uint32_t n, uint32_t d, const float *x, const float *gain, const float *bias,
	float *y)
{
	for (uint32_t t = 0; t < n; t++, x += d, y += d) {
		__m512 mean = _mm512_set1_ps(mean_of(x, d));
		__m512 scale =
			_mm512_set1_ps(fmath_rsqrt(variance_of(x, d, mean) + 1e-5f));

		for (uint32_t i = 0; i < d; i += 16) {
			__mmask16 m = lanes_left(d, i);
			__m512 v = _mm512_sub_ps(_mm512_maskz_loadu_ps(m, x + i), mean);

			v = _mm512_mul_ps(v, scale);
			v = _mm512_fmadd_ps(v, _mm512_maskz_loadu_ps(m, gain + i),
				_mm512_maskz_loadu_ps(m, bias + i));
			_mm512_mask_storeu_ps(y + i, m, v);
		}
	}
}
