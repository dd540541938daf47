/* Up to six rows by sixteen columns. A panel is taken DEPTH input columns at a time, which
 * stay in L1 for a block of rows while the next ones are fetched: a whole one does not
 * fit. */
#include "src/infer/opt/x86-avx2/tile.h"
#include "src/infer/opt/x86-avx2/vmath.h"

#define DEPTH 128
#define BLOCK_TILES 8

struct block {
	const struct linear *l;
	const float *x, *x_scale, *add; /* x_scale: 0 */
	float *y;
	uint32_t from, n; /* input columns */
};

/* Adds to the sums over columns from.. from + n. */
ALWAYS_INLINE void tile(const struct block *b, uint32_t t, const struct panel *p,
	__m256 *sum, const int R, const int V)
{
	uint32_t in = b->l->in;
	const float *x = b->x + (uintptr_t)t * in + b->from;
	const float *w =
		(const float *)(const void *)p->w + (uintptr_t)b->from * 8 * (uint32_t)V;
	__m256 s[TILE_ROWS * 2];

#pragma GCC unroll 12
	for (int i = 0; i < R * V; i++)
		s[i] = sum[i];
	for (uint32_t k = 0; k < b->n; k++, w += 8 * V) {
		__m256 wv[2];

		_mm_prefetch((const char *)(w + DEPTH * 8 * V), _MM_HINT_T0);
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

ALWAYS_INLINE __m256 scaled(__m256 sum, const float *x_scale, __m256 scale, __m256 bias)
{
	(void)x_scale, (void)scale;
	return _mm256_add_ps(sum, bias);
}

#include "src/infer/opt/x86-avx2/finish.h"

/* A panel by at most BLOCK_TILES tiles of rows. */
static void rows(struct block *b, uint32_t n_rows, const struct panel *p)
{
	uint32_t in = b->l->in, n_tiles = (n_rows + TILE_ROWS - 1) / TILE_ROWS;
	__m256 sum[BLOCK_TILES][TILE_ROWS * 2];

	for (uint32_t i = 0; i < n_tiles; i++)
		for (uint32_t j = 0; j < TILE_ROWS * 2; j++)
			sum[i][j] = _mm256_setzero_ps();
	for (b->from = 0; b->from < in; b->from += DEPTH) {
		b->n = in - b->from < DEPTH ? in - b->from : DEPTH;
		for (uint32_t i = 0, t = 0; i < n_tiles; i++) {
			uint32_t R = tile_rows(n_rows, n_tiles, i);

			tiles[p->vectors - 1][R - 1](b, t, p, sum[i]);
			t += R;
		}
	}
	for (uint32_t i = 0, t = 0; i < n_tiles; i++) {
		uint32_t R = tile_rows(n_rows, n_tiles, i);

		finish(b, t, p, sum[i], R);
		t += R;
	}
}

void linear_f32(
	const struct linear *l, uint32_t n, const float *x, const float *add, float *y)
{
	const uint32_t most = BLOCK_TILES * TILE_ROWS, n_blocks = (n + most - 1) / most;
	struct block b = {.l = l, .x = x, .add = add, .y = y};

	for (uint32_t i = 0; i < n_blocks; i++) {
		uint32_t n_rows = tile_rows(n, n_blocks, i);

		for (uint32_t o = 0; o < l->out; o += TILE_COLS) {
			struct panel p = panel_at(l->out, o, l->w, (uintptr_t)l->in * 4);

			rows(&b, n_rows, &p);
		}
		b.x += (uintptr_t)n_rows * l->in;
		b.y += (uintptr_t)n_rows * l->out;
		b.add = add ? b.add + (uintptr_t)n_rows * l->out : 0;
	}
}
