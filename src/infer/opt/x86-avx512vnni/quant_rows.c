#include "src/infer/opt/x86-avx512vnni/quantise.h"

ALWAYS_INLINE float row_largest(const float *x, uint32_t d)
{
	__m512 m0 = _mm512_setzero_ps(), m1 = m0;
	uint32_t i = 0;

	for (; i + 32 <= d; i += 32) {
		m0 = _mm512_range_ps(m0, _mm512_loadu_ps(x + i), ABS_MAX);
		m1 = _mm512_range_ps(m1, _mm512_loadu_ps(x + i + 16), ABS_MAX);
	}
	for (; i < d; i += 16)
		m0 = _mm512_range_ps(
			m0, _mm512_maskz_loadu_ps(lanes_left(d, i), x + i), ABS_MAX);
	return _mm512_reduce_max_ps(_mm512_range_ps(m0, m1, ABS_MAX));
}

void quant_rows(uint32_t n, uint32_t d, const float *x, int8_t *q, float *scale)
{
	for (uint32_t t = 0; t < n; t += QUANT_ROWS) {
		uint32_t rows = n - t < QUANT_ROWS ? n - t : QUANT_ROWS;
		struct quant_rows to;

		for (uint32_t r = 0; r < rows; r++)
			to.by[r] = row_largest(x + (uintptr_t)r * d, d);
		quant_scales(&to, rows, scale + t);
		for (uint32_t r = 0; r < rows; r++, x += d, q += d)
			quantise_row(x, d, to.by[r], q);
	}
}
