/* LayerNorm and RMSNorm of a few rows at a time, so that one row's reductions wait behind
 * the others' work: the rows' statistics, and one vector of the result. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_NORM_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_NORM_H

#include "src/infer/opt/x86-avx512vnni/vector.h"

#define NORM_ROWS 4

/* (x - mean) * scale * gain + bias; for RMS mean and bias are 0. */
struct norm_rows {
	__m512 mean[NORM_ROWS], scale[NORM_ROWS];
};

ALWAYS_INLINE __m512 inverse_root(__m512 square_sum, uint32_t d)
{
	float mean = _mm512_reduce_add_ps(square_sum) / (float)d + 1e-5f;

	return _mm512_set1_ps(
		_mm_cvtss_f32(_mm_div_ss(_mm_set_ss(1), _mm_sqrt_ss(_mm_set_ss(mean)))));
}

ALWAYS_INLINE void norm_statistics(
	struct norm_rows *s, uint32_t d, const float *x, int rms, const uint32_t R)
{
	__m512 sum[NORM_ROWS];

#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++)
		s->mean[r] = sum[r] = _mm512_setzero_ps();
	for (uint32_t i = 0; i < d && !rms; i += 16) {
		__mmask16 m = lanes_left(d, i);

#pragma GCC unroll 4
		for (uint32_t r = 0; r < R; r++)
			sum[r] = _mm512_add_ps(
				sum[r], _mm512_maskz_loadu_ps(m, x + r * d + i));
	}
#pragma GCC unroll 4
	for (uint32_t r = 0; r < R && !rms; r++) {
		s->mean[r] = _mm512_set1_ps(_mm512_reduce_add_ps(sum[r]) / (float)d);
		sum[r] = _mm512_setzero_ps();
	}
	for (uint32_t i = 0; i < d; i += 16) {
		__mmask16 m = lanes_left(d, i);

#pragma GCC unroll 4
		for (uint32_t r = 0; r < R; r++) {
			__m512 v = _mm512_maskz_loadu_ps(m, x + r * d + i);

			v = _mm512_maskz_sub_ps(m, v, s->mean[r]);
			sum[r] = _mm512_fmadd_ps(v, v, sum[r]);
		}
	}
#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++)
		s->scale[r] = inverse_root(sum[r], d);
}

/* Columns i.. of row r; bias is 0 for RMS. */
ALWAYS_INLINE __m512 norm_vector(const struct norm_rows *s, uint32_t r, __mmask16 m,
	const float *x, const float *gain, const float *bias, uint32_t i)
{
	__m512 v = _mm512_sub_ps(_mm512_maskz_loadu_ps(m, x + i), s->mean[r]);

	v = _mm512_mul_ps(v, s->scale[r]);
	if (!bias)
		return _mm512_mul_ps(v, _mm512_maskz_loadu_ps(m, gain + i));
	return _mm512_fmadd_ps(v, _mm512_maskz_loadu_ps(m, gain + i),
		_mm512_maskz_loadu_ps(m, bias + i));
}

ALWAYS_INLINE void norm_some(uint32_t d, const float *x, const float *gain,
	const float *bias, float *y, int rms, const uint32_t R)
{
	struct norm_rows s;

	norm_statistics(&s, d, x, rms, R);
	for (uint32_t i = 0; i < d; i += 16) {
		__mmask16 m = lanes_left(d, i);

#pragma GCC unroll 4
		for (uint32_t r = 0; r < R; r++)
			_mm512_mask_storeu_ps(y + r * d + i, m,
				norm_vector(&s, r, m, x + r * d, gain, bias, i));
	}
}

ALWAYS_INLINE void norm_all(uint32_t n, uint32_t d, const float *x, const float *gain,
	const float *bias, float *y, int rms)
{
	for (; n >= NORM_ROWS; n -= NORM_ROWS, x += NORM_ROWS * (uintptr_t)d,
		y += NORM_ROWS * (uintptr_t)d)
		norm_some(d, x, gain, bias, y, rms, NORM_ROWS);
	for (; n; n--, x += d, y += d)
		norm_some(d, x, gain, bias, y, rms, 1);
}

#endif
