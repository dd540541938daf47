/* Up to six rows by sixteen columns; a panel is used for all rows before the next. */
#include "src/infer/opt/x86-avx2/tile.h"
#include "src/infer/opt/x86-avx2/vmath.h"

struct block {
	const struct linear *l;
	const float *x, *add;
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

ALWAYS_INLINE void finish_column(const struct block *b, uint32_t t, uint32_t o,
	const __m256 *sum, uint32_t R, uint32_t V, uint32_t act, int full)
{
	const struct linear *l = b->l;
	__m256i lanes = lanes_left(l->out, o);
	__m256 bias =
		l->bias ? load_lanes(l->bias + o, lanes, full) : _mm256_setzero_ps();
	uintptr_t at = (uintptr_t)t * l->out + o;

	for (uint32_t r = 0; r < R; r++, at += l->out, sum += V) {
		__m256 s = _mm256_add_ps(*sum, bias);

		if (b->add)
			s = _mm256_add_ps(load_lanes(b->add + at, lanes, full), s);
		store_lanes(b->y + at, lanes, full, vector_act(s, (int)act, 0));
	}
}

TILE_FINISH(__m256)

void linear_f32(
	const struct linear *l, uint32_t n, const float *x, const float *add, float *y)
{
	const struct block b = {l, x, add, y};
	uint32_t n_tiles = (n + TILE_ROWS - 1) / TILE_ROWS;
	__m256 sum[TILE_ROWS * 2];

	for (uint32_t o = 0; o < l->out; o += TILE_COLS) {
		struct panel p = panel_at(l->out, o, l->w, (uintptr_t)l->in * 4);

		for (uint32_t i = 0, t = 0; i < n_tiles; i++) {
			uint32_t R = tile_rows(n, n_tiles, i);

			tiles[p.vectors - 1][R - 1](&b, t, &p, sum);
			finish(&b, t, &p, sum, R);
			t += R;
		}
	}
}
