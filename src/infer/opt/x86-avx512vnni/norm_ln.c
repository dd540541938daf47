/* Four rows at a time, so that one row's reductions wait behind the others' work. */
#include "src/infer/opt/x86-avx512vnni/vector.h"

#define ROWS 4

ALWAYS_INLINE float rsqrt(float x)
{
	return _mm_cvtss_f32(_mm_div_ss(_mm_set_ss(1), _mm_sqrt_ss(_mm_set_ss(x))));
}

ALWAYS_INLINE void norm_rows(uint32_t d, const float *x, const float *gain,
	const float *bias, float *y, const uint32_t R)
{
	__m512 sum[ROWS], mean[ROWS], scale[ROWS];

#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++)
		sum[r] = _mm512_setzero_ps();
	for (uint32_t i = 0; i < d; i += 16) {
		__mmask16 m = lanes_left(d, i);

#pragma GCC unroll 4
		for (uint32_t r = 0; r < R; r++)
			sum[r] = _mm512_add_ps(
				sum[r], _mm512_maskz_loadu_ps(m, x + r * d + i));
	}
#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++) {
		mean[r] = _mm512_set1_ps(_mm512_reduce_add_ps(sum[r]) / (float)d);
		sum[r] = _mm512_setzero_ps();
	}
	for (uint32_t i = 0; i < d; i += 16) {
		__mmask16 m = lanes_left(d, i);

#pragma GCC unroll 4
		for (uint32_t r = 0; r < R; r++) {
			__m512 v = _mm512_maskz_loadu_ps(m, x + r * d + i);

			v = _mm512_maskz_sub_ps(m, v, mean[r]);
			sum[r] = _mm512_fmadd_ps(v, v, sum[r]);
		}
	}
#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++)
		scale[r] = _mm512_set1_ps(
			rsqrt(_mm512_reduce_add_ps(sum[r]) / (float)d + 1e-5f));
	for (uint32_t i = 0; i < d; i += 16) {
		__mmask16 m = lanes_left(d, i);
		__m512 g = _mm512_maskz_loadu_ps(m, gain + i);
		__m512 b = _mm512_maskz_loadu_ps(m, bias + i);

#pragma GCC unroll 4
		for (uint32_t r = 0; r < R; r++) {
			__m512 v = _mm512_maskz_loadu_ps(m, x + r * d + i);

			v = _mm512_mul_ps(_mm512_sub_ps(v, mean[r]), scale[r]);
			_mm512_mask_storeu_ps(y + r * d + i, m, _mm512_fmadd_ps(v, g, b));
		}
	}
}

void norm_ln(uint32_t n, uint32_t d, const float *x, const float *gain, const float *bias,
	float *y)
{
	for (; n >= ROWS; n -= ROWS, x += ROWS * (uintptr_t)d, y += ROWS * (uintptr_t)d)
		norm_rows(d, x, gain, bias, y, ROWS);
	for (; n; n--, x += d, y += d)
		norm_rows(d, x, gain, bias, y, 1);
}
