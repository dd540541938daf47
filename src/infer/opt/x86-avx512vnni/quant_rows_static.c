#include "src/infer/opt/x86-avx512vnni/quantise.h"

void quant_rows_static(uint32_t n, uint32_t d, float inverse, const float *x, int8_t *q)
{
	uintptr_t size = (uintptr_t)n * d, i = 0;
	__m512 by = _mm512_set1_ps(inverse);

	for (; i + 64 <= size; i += 64)
		_mm512_storeu_si512(
			q + i, pack(quantise_static(_mm512_loadu_ps(x + i), by),
				       quantise_static(_mm512_loadu_ps(x + i + 16), by),
				       quantise_static(_mm512_loadu_ps(x + i + 32), by),
				       quantise_static(_mm512_loadu_ps(x + i + 48), by)));
	for (; i < size; i += 16) {
		uintptr_t left = size - i;
		__mmask16 m = (__mmask16)(left >= 16 ? 0xffffu : (1u << left) - 1u);
		__m512 v = _mm512_maskz_loadu_ps(m, x + i);

		_mm_mask_storeu_epi8(
			q + i, m, _mm512_cvtepi32_epi8(quantise_static(v, by)));
	}
}
