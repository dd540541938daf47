#include "src/infer/fmath.h"
#include "src/infer/opt/x86-avx512vnni/vector.h"

static float square_sum(const float *x, uint32_t d)
{
	__m512 s0 = _mm512_setzero_ps(), s1 = s0;
	uint32_t i = 0;

	for (; i + 32 <= d; i += 32) {
		__m512 a = _mm512_loadu_ps(x + i), b = _mm512_loadu_ps(x + i + 16);

		s0 = _mm512_fmadd_ps(a, a, s0);
		s1 = _mm512_fmadd_ps(b, b, s1);
	}
	for (; i < d; i += 16) {
		__m512 a = _mm512_maskz_loadu_ps(lanes_left(d, i), x + i);

		s0 = _mm512_fmadd_ps(a, a, s0);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
}

void norm_rms(uint32_t n, uint32_t d, const float *x, const float *gain, float *y)
{
	for (uint32_t t = 0; t < n; t++, x += d, y += d) {
		__m512 scale =
			_mm512_set1_ps(fmath_rsqrt(square_sum(x, d) / (float)d + 1e-5f));

		for (uint32_t i = 0; i < d; i += 16) {
			__mmask16 m = lanes_left(d, i);
			__m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(m, x + i), scale);

			_mm512_mask_storeu_ps(y + i, m,
				_mm512_mul_ps(v, _mm512_maskz_loadu_ps(m, gain + i)));
		}
	}
}
