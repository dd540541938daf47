#include "src/infer/opt/x86-avx512vnni/quantise.h"

ALWAYS_INLINE __m512 acted(__m512 x, int act, const struct near_table *t)
{
	if (act == KERNEL_GELU)
		return vector_near_gelu(_mm512_mul_ps(x, _mm512_set1_ps(NEAR_STEPS)), t);
	return vector_act(x, act);
}

/* Returns the largest |x|. */
ALWAYS_INLINE float act_row(uint32_t d, int act, const struct near_table *gelu, float *x)
{
	__m512 m0 = _mm512_setzero_ps(), m1 = m0;
	uint32_t i = 0;

	for (; i + 32 <= d; i += 32) {
		__m512 a = acted(_mm512_loadu_ps(x + i), act, gelu);
		__m512 b = acted(_mm512_loadu_ps(x + i + 16), act, gelu);

		_mm512_storeu_ps(x + i, a);
		_mm512_storeu_ps(x + i + 16, b);
		m0 = _mm512_range_ps(m0, a, ABS_MAX);
		m1 = _mm512_range_ps(m1, b, ABS_MAX);
	}
	for (; i < d; i += 16) {
		__mmask16 m = lanes_left(d, i);
		__m512 a = acted(_mm512_maskz_loadu_ps(m, x + i), act, gelu);

		_mm512_mask_storeu_ps(x + i, m, a);
		m0 = _mm512_mask_range_ps(m0, m, m0, a, ABS_MAX);
	}
	return _mm512_reduce_max_ps(_mm512_range_ps(m0, m1, ABS_MAX));
}

ALWAYS_INLINE void rows(
	uint32_t n, uint32_t d, int act, float *x, int8_t *q, float *scale)
{
	const struct near_table gelu = near_table_of(1);
	struct quant_rows to;

	for (uint32_t r = 0; r < n; r++)
		to.by[r] = act_row(d, act, &gelu, x + (uintptr_t)r * d);
	quant_scales(&to, n, scale);
	for (uint32_t r = 0; r < n; r++, x += d, q += d)
		quantise_row(x, d, to.by[r], q);
}

void act_quant_rows(
	uint32_t n, uint32_t d, uint8_t act, float *x, int8_t *q, float *scale)
{
	for (uint32_t t = 0; t < n; t += QUANT_ROWS) {
		uint32_t some = n - t < QUANT_ROWS ? n - t : QUANT_ROWS;
		float *from = x + (uintptr_t)t * d;
		int8_t *to = q + (uintptr_t)t * d;

		if (act == KERNEL_GELU)
			rows(some, d, KERNEL_GELU, from, to, scale + t);
		else if (act == KERNEL_SILU)
			rows(some, d, KERNEL_SILU, from, to, scale + t);
		else
			rows(some, d, KERNEL_RELU, from, to, scale + t);
	}
}
