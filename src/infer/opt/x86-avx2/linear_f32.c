#include "src/infer/opt/x86-avx2/vector.h"

struct block {
	const struct linear *l;
	const float *x, *add;
	float *y;
};

ALWAYS_INLINE void tile(const struct block *b, uint32_t t, uint32_t o,
	const uint8_t *panel, const int R, const int V)
{
	uint32_t in = b->l->in;
	const float *x = b->x + (uintptr_t)t * in, *w = (const void *)panel;
	__m256 sum[12];

#pragma GCC unroll 12
	for (int i = 0; i < R * V; i++)
		sum[i] = _mm256_setzero_ps();
	for (uint32_t k = 0; k < in; k++, w += 8 * V) {
		__m256 wv[2];

#pragma GCC unroll 2
		for (int v = 0; v < V; v++)
			wv[v] = _mm256_loadu_ps(w + 8 * v);
#pragma GCC unroll 6
		for (int r = 0; r < R; r++) {
			__m256 xv = _mm256_set1_ps(x[(uintptr_t)(uint32_t)r * in + k]);

#pragma GCC unroll 2
			for (int v = 0; v < V; v++)
				sum[r * V + v] =
					_mm256_fmadd_ps(xv, wv[v], sum[r * V + v]);
		}
	}
#pragma GCC unroll 6
	for (int r = 0; r < R; r++)
#pragma GCC unroll 2
		for (int v = 0; v < V; v++)
			store_columns(b->l, o + 8 * (uint32_t)v, t + (uint32_t)r,
				sum[r * V + v], b->add, b->y);
}

void linear_f32(
	const struct linear *l, uint32_t n, const float *x, const float *add, float *y)
{
	const struct block b = {l, x, add, y};

	EACH_TILE(6, &b, n, l->out, l->w, (uintptr_t)l->in * 4)
}
