/* Four rows at a time, so that one row's reductions wait behind the others' work. */
#include "src/infer/fmath.h"
#include "src/infer/opt/x86-avx2/vmath.h"

#define ROWS 4

ALWAYS_INLINE void norm_rows(uint32_t d, const float *x, const float *gain,
	const float *bias, float *y, const uint32_t R)
{
	__m256 sum[ROWS], mean[ROWS], scale[ROWS];

#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++)
		sum[r] = _mm256_setzero_ps();
	for (uint32_t i = 0; i < d; i += 8) {
		__m256i m = lanes_left(d, i);

#pragma GCC unroll 4
		for (uint32_t r = 0; r < R; r++)
			sum[r] = _mm256_add_ps(
				sum[r], _mm256_maskload_ps(x + r * d + i, m));
	}
#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++) {
		mean[r] = _mm256_set1_ps(reduce_add_ps(sum[r]) / (float)d);
		sum[r] = _mm256_setzero_ps();
	}
	for (uint32_t i = 0; i < d; i += 8) {
		__m256i m = lanes_left(d, i);

#pragma GCC unroll 4
		for (uint32_t r = 0; r < R; r++) {
			__m256 v = _mm256_sub_ps(
				_mm256_maskload_ps(x + r * d + i, m), mean[r]);

			v = _mm256_and_ps(v, _mm256_castsi256_ps(m));
			sum[r] = _mm256_fmadd_ps(v, v, sum[r]);
		}
	}
#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++)
		scale[r] = _mm256_set1_ps(
			fmath_rsqrt(reduce_add_ps(sum[r]) / (float)d + 1e-5f));
	for (uint32_t i = 0; i < d; i += 8) {
		__m256i m = lanes_left(d, i);
		__m256 g = _mm256_maskload_ps(gain + i, m);
		__m256 b = _mm256_maskload_ps(bias + i, m);

#pragma GCC unroll 4
		for (uint32_t r = 0; r < R; r++) {
			__m256 v = _mm256_sub_ps(
				_mm256_maskload_ps(x + r * d + i, m), mean[r]);

			_mm256_maskstore_ps(y + r * d + i, m,
				_mm256_fmadd_ps(_mm256_mul_ps(v, scale[r]), g, b));
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
