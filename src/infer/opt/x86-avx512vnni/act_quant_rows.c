#include "src/infer/opt/x86-avx512vnni/quantise.h"

ALWAYS_INLINE void rows(
	uint32_t n, uint32_t d, int act, float *x, int8_t *q, float *scale)
{
	for (uint32_t t = 0; t < n; t++, x += d, q += d) {
		__m512 m0 = _mm512_setzero_ps(), m1 = m0;
		uint32_t i = 0;

		for (; i + 32 <= d; i += 32) {
			__m512 a = vector_act(_mm512_loadu_ps(x + i), act, 1);
			__m512 b = vector_act(_mm512_loadu_ps(x + i + 16), act, 1);

			_mm512_storeu_ps(x + i, a);
			_mm512_storeu_ps(x + i + 16, b);
			m0 = _mm512_range_ps(m0, a, ABS_MAX);
			m1 = _mm512_range_ps(m1, b, ABS_MAX);
		}
		for (; i < d; i += 16) {
			__mmask16 m = lanes_left(d, i);
			__m512 a = vector_act(_mm512_maskz_loadu_ps(m, x + i), act, 1);

			_mm512_mask_storeu_ps(x + i, m, a);
			m0 = _mm512_mask_range_ps(m0, m, m0, a, ABS_MAX);
		}
		m0 = _mm512_range_ps(m0, m1, ABS_MAX);
		scale[t] = quantise_row(x, d, _mm512_reduce_max_ps(m0), q);
	}
}

void act_quant_rows(
	uint32_t n, uint32_t d, uint8_t act, float *x, int8_t *q, float *scale)
{
	if (act == KERNEL_GELU)
		rows(n, d, KERNEL_GELU, x, q, scale);
	else if (act == KERNEL_SILU)
		rows(n, d, KERNEL_SILU, x, q, scale);
	else
		rows(n, d, KERNEL_RELU, x, q, scale);
}
