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

/* The four vectors' sums, or largest absolute values, in four lanes. */
ALWAYS_INLINE __m512 fold(__m512 x, __m512 y, int largest)
{
	return largest ? _mm512_range_ps(x, y, ABS_MAX) : _mm512_add_ps(x, y);
}

ALWAYS_INLINE __m128 reduce_four(const __m512 *v, int largest)
{
	__m512 ab = fold(
		_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]), largest);
	__m512 cd = fold(
		_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]), largest);
	__m512 all = fold(_mm512_shuffle_ps(ab, cd, 0x44),
		_mm512_shuffle_ps(ab, cd, 0xee), largest);

	all = fold(all, _mm512_shuffle_f32x4(all, all, 0x4e), largest);
	all = fold(all, _mm512_shuffle_f32x4(all, all, 0xb1), largest);
	return _mm512_castps512_ps128(all);
}

/* Of R rows, 4 or 1; in one order, so that a row has the same bits alone. */
ALWAYS_INLINE __m128 reduce_rows(const __m512 *v, int largest, const uint32_t R)
{
	const __m512 alone[] = {v[0], v[0], v[0], v[0]};

	return reduce_four(R == NORM_ROWS ? v : alone, largest);
}

ALWAYS_INLINE void spread_rows(__m128 x, __m512 *out, const uint32_t R)
{
	out[0] = _mm512_broadcastss_ps(x);
	if (R == 1)
		return;
	out[1] = _mm512_broadcastss_ps(_mm_permute_ps(x, 0x55));
	out[2] = _mm512_broadcastss_ps(_mm_permute_ps(x, 0xaa));
	out[3] = _mm512_broadcastss_ps(_mm_permute_ps(x, 0xff));
}

ALWAYS_INLINE void norm_statistics(
	struct norm_rows *s, uint32_t d, const float *x, int rms, const uint32_t R)
{
	const __m128 n = _mm_set1_ps((float)d);
	__m512 sum[NORM_ROWS];
	__m128 root;

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
	if (!rms)
		spread_rows(_mm_div_ps(reduce_rows(sum, 0, R), n), s->mean, R);
#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++)
		sum[r] = _mm512_setzero_ps();
	for (uint32_t i = 0; i < d; i += 16) {
		__mmask16 m = lanes_left(d, i);

#pragma GCC unroll 4
		for (uint32_t r = 0; r < R; r++) {
			__m512 v = _mm512_maskz_loadu_ps(m, x + r * d + i);

			v = _mm512_maskz_sub_ps(m, v, s->mean[r]);
			sum[r] = _mm512_fmadd_ps(v, v, sum[r]);
		}
	}
	root = _mm_sqrt_ps(
		_mm_add_ps(_mm_div_ps(reduce_rows(sum, 0, R), n), _mm_set1_ps(1e-5f)));
	spread_rows(_mm_div_ps(_mm_set1_ps(1), root), s->scale, R);
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
