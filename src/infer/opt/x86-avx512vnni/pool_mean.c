/* Columns down all rows, so that sums stay in registers; in the portable kernel's order. */
#include "src/infer/opt/x86-avx512vnni/vector.h"

#define WIDE 4 /* vectors at a time */

ALWAYS_INLINE void columns(
	uint32_t n, uint32_t d, uint32_t c, const float *x, float *y, const int V)
{
	const __m512 inverse = _mm512_set1_ps(1 / (float)n);
	__mmask16 last = lanes_left(d, c + 16 * ((uint32_t)V - 1));
	__m512 sum[WIDE];

#pragma GCC unroll 4
	for (int v = 0; v < V; v++)
		sum[v] = _mm512_setzero_ps();
	for (x += c; n; n--, x += d)
#pragma GCC unroll 4
		for (int v = 0; v < V; v++)
			sum[v] = _mm512_add_ps(
				sum[v], _mm512_maskz_loadu_ps(
						v == V - 1 ? last : (__mmask16)0xffff,
						x + 16 * v));
#pragma GCC unroll 4
	for (int v = 0; v < V; v++)
		_mm512_mask_storeu_ps(y + c + 16 * v,
			v == V - 1 ? last : (__mmask16)0xffff,
			_mm512_mul_ps(sum[v], inverse));
}

void pool_mean(uint32_t n, uint32_t d, const float *x, float *y)
{
	uint32_t c = 0;

	for (; c + 16 * WIDE <= d; c += 16 * WIDE)
		columns(n, d, c, x, y, WIDE);
	for (; c < d; c += 16)
		columns(n, d, c, x, y, 1);
}
