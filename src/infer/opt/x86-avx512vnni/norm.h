/* LayerNorm and RMSNorm of up to sixteen rows at a time: a row's statistics are a lane, so
 * that divisions and roots are made once for all of them. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_NORM_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_NORM_H

#include "src/infer/opt/x86-avx512vnni/fold.h"

#define NORM_ROWS 16

/* (x - mean) * scale * gain + bias; for RMS mean and bias are 0. */
struct norm_rows {
	_Alignas(64) float mean[NORM_ROWS], scale[NORM_ROWS];
};

/* Means of n rows, or with `mean` of the squares of what is beyond it. Rows past the last
 * are the last again: a row has the same bits wherever it stands. */
ALWAYS_INLINE __m512 means(uint32_t n, uint32_t d, const float *x, const float *mean)
{
	__m512 part[4] = {{0}};

	for (uint32_t g = 0; 4 * g < n; g++) {
		const float *row[4];
		__m512 sum[4], from[4];

#pragma GCC unroll 4
		for (uint32_t r = 0; r < 4; r++) {
			uint32_t t = 4 * g + r < n ? 4 * g + r : n - 1;

			row[r] = x + (uintptr_t)t * d;
			sum[r] = _mm512_setzero_ps();
			if (mean)
				from[r] = _mm512_set1_ps(mean[t]);
		}
		for (uint32_t i = 0; i < d; i += 16) {
			__mmask16 m = lanes_left(d, i);

#pragma GCC unroll 4
			for (uint32_t r = 0; r < 4; r++) {
				__m512 v = _mm512_maskz_loadu_ps(m, row[r] + i);

				if (!mean) {
					sum[r] = _mm512_add_ps(sum[r], v);
					continue;
				}
				v = _mm512_maskz_sub_ps(m, v, from[r]);
				sum[r] = _mm512_fmadd_ps(v, v, sum[r]);
			}
		}
		part[g] = fold_four(sum, 0);
	}
	return _mm512_div_ps(fold_quarters(part, 0), _mm512_set1_ps((float)d));
}

/* Of the first rows of n, at most NORM_ROWS. */
static __attribute__((noinline)) void norm_statistics(
	struct norm_rows *s, uint32_t n, uint32_t d, const float *x, int rms)
{
	__m512 mean = _mm512_setzero_ps(), root;

	n = n < NORM_ROWS ? n : NORM_ROWS;
	if (!rms)
		mean = means(n, d, x, 0);
	_mm512_store_ps(s->mean, mean);
	root = _mm512_sqrt_ps(
		_mm512_add_ps(means(n, d, x, s->mean), _mm512_set1_ps(1e-5f)));
	_mm512_store_ps(s->scale, _mm512_div_ps(_mm512_set1_ps(1), root));
}

/* What a row is normalised with. */
struct norm_row {
	__m512 mean, scale;
	const float *gain, *bias;
};

ALWAYS_INLINE struct norm_row norm_row_of(
	const struct norm_rows *s, uint32_t r, const float *gain, const float *bias)
{
	return (struct norm_row){
		_mm512_set1_ps(s->mean[r]), _mm512_set1_ps(s->scale[r]), gain, bias};
}

/* Columns i.. of the row at x. */
ALWAYS_INLINE __m512 norm_vector(
	const struct norm_row *n, __mmask16 m, const float *x, uintptr_t i, int rms)
{
	__m512 v = _mm512_maskz_loadu_ps(m, x + i);
	__m512 gain = _mm512_maskz_loadu_ps(m, n->gain + i);

	if (rms)
		return _mm512_mul_ps(_mm512_mul_ps(v, n->scale), gain);
	return _mm512_fmadd_ps(_mm512_mul_ps(_mm512_sub_ps(v, n->mean), n->scale), gain,
		_mm512_maskz_loadu_ps(m, n->bias + i));
}

ALWAYS_INLINE void norm_all(uint32_t n, uint32_t d, const float *x, const float *gain,
	const float *bias, float *y, int rms)
{
	struct norm_rows s;

	for (uint32_t t = 0; t < n; t++, x += d, y += d) {
		struct norm_row row;

		if (t % NORM_ROWS == 0)
			norm_statistics(&s, n - t, d, x, rms);
		row = norm_row_of(&s, t % NORM_ROWS, gain, bias);
		for (uint32_t i = 0; i < d; i += 16) {
			__mmask16 m = lanes_left(d, i);

			_mm512_mask_storeu_ps(y + i, m, norm_vector(&row, m, x, i, rms));
		}
	}
}

#endif
