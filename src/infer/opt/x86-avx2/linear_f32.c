/* Up to six rows by sixteen columns; a panel is used for all rows before the next, or a
 * tile of rows for all panels. */
#include "src/infer/opt/x86-avx2/tile.h"
#include "src/infer/opt/x86-avx2/vmath.h"

struct block {
	const struct linear *l;
	const float *x, *x_scale, *add; /* x_scale: 0 */
	float *y;
};

ALWAYS_INLINE void tile(const struct block *b, uint32_t t, const struct panel *p,
	__m256 *sum, const int R, const int V)
{
	uint32_t in = b->l->in;
	const float *x = b->x + (uintptr_t)t * in, *w = (const void *)p->w;
	__m256 s[TILE_ROWS * 2];

#pragma GCC unroll 12
	for (int i = 0; i < R * V; i++)
		s[i] = _mm256_setzero_ps();
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
				s[r * V + v] = _mm256_fmadd_ps(xv, wv[v], s[r * V + v]);
		}
	}
#pragma GCC unroll 12
	for (int i = 0; i < R * V; i++)
		sum[i] = s[i];
}

TILE_TABLE(__m256)

#define SUM __m256
#define NEAR 0

ALWAYS_INLINE __m256 scale_at(const struct block *b, uint32_t o)
{
	(void)b, (void)o;
	return _mm256_setzero_ps();
}

ALWAYS_INLINE __m256 scaled(__m256 sum, const float *x_scale, __m256 scale)
{
	(void)x_scale, (void)scale;
	return sum;
}

#include "src/infer/opt/x86-avx2/finish.h"

ALWAYS_INLINE uint32_t one_tile(
	const struct block *b, const struct cut *c, uint32_t o, uint32_t i, uint32_t t)
{
	struct panel p = panel_at(b->l->out, o, b->l->w, (uintptr_t)b->l->in * 4);
	uint32_t R = cut_rows(c, i, t);
	__m256 sum[TILE_ROWS * 2];

	tiles[p.vectors - 1][R - 1](b, t, &p, sum);
	finish(b, t, &p, sum, R);
	return R;
}

void linear_f32(
	const struct linear *l, uint32_t n, const float *x, const float *add, float *y)
{
	const struct block b = {l, x, 0, add, y};
	const struct cut c = cut_of(l->schedule, n, TILE_ROWS);

	if (l->schedule == SCHEDULE_ROWS) {
		for (uint32_t i = 0, t = 0; i < c.n_tiles; t += cut_rows(&c, i++, t))
			for (uint32_t o = 0; o < l->out; o += TILE_COLS)
				one_tile(&b, &c, o, i, t);
		return;
	}
	for (uint32_t o = 0; o < l->out; o += TILE_COLS)
		for (uint32_t i = 0, t = 0; i < c.n_tiles; i++)
			t += one_tile(&b, &c, o, i, t);
}
