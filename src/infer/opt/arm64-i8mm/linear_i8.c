/* Eight input columns of two output columns are a vector; tiles of pairs of rows, a last odd
 * row paired with itself. */
#define TILE_ROWS 6
#define TILE_BITS 8
#define TILE_TAIL 16
#include "src/infer/opt/arm64-i8mm/pairs.h"
#include "src/infer/opt/arm64-neon/tile.h"

#define PAIRS ((R + 1) / 2)

/* `half` of the sixteen columns that x holds; `V` * 2 pairs of output columns. Returns where
 * their weights end. */
ALWAYS_INLINE const int8_t *step(int32x4_t *sum, const int8_t *w, const int8x16_t *x,
	int half, const int R, const int V)
{
#pragma GCC unroll 4
	for (int c = 0; c < 2 * V; c += 2) {
		int8x16_t w0, w1;

		LOAD_PAIR(w0, w1, w, 32);
#pragma GCC unroll 3
		for (int r = 0; r < PAIRS; r++) {
			DOT_BLOCK(sum[r * 2 * V + c], x[2 * r + half], w0);
			DOT_BLOCK(sum[r * 2 * V + c + 1], x[2 * r + half], w1);
		}
	}
	return w;
}

ALWAYS_INLINE void tile(const struct product *b, uint32_t t, const struct panel *p,
	const int R, const int V)
{
	uint32_t in = b->l->in, rest = in % 16;
	const int8_t *x = (const int8_t *)b->x + (uintptr_t)t * in;
	const int8_t *w = (const int8_t *)p->w;
	int32x4_t sum[TILE_ROWS * 4], rows[TILE_ROWS * 4];
	int8x16_t xv[TILE_ROWS];

#pragma GCC unroll 24
	for (int i = 0; i < PAIRS * 2 * V; i++)
		sum[i] = vdupq_n_s32(0);
	for (uint32_t k = in / 16; k; k--, x += 16) {
#pragma GCC unroll 3
		for (int r = 0; r < PAIRS; r++)
			pair_rows(x + (uintptr_t)(uint32_t)(2 * r) * in,
				x + (uintptr_t)(uint32_t)(2 * r + (2 * r + 1 < R)) * in,
				xv + 2 * r);
		w = step(sum, w, xv, 0, R, V);
		w = step(sum, w, xv, 1, R, V);
	}
	if (rest) {
#pragma GCC unroll 3
		for (int r = 0; r < PAIRS; r++)
			pair_rows(b->tail[t + (uint32_t)(2 * r)],
				b->tail[t + (uint32_t)(2 * r + (2 * r + 1 < R))],
				xv + 2 * r);
		w = step(sum, w, xv, 0, R, V);
		if (rest > 8)
			step(sum, w, xv, 1, R, V);
	}
#pragma GCC unroll 6
	for (int r = 0; r < R; r++)
#pragma GCC unroll 4
		for (int v = 0; v < V; v++) {
			const int32x4_t *block = sum + (r / 2 * V + v) * 2;

			rows[r * V + v] = vreinterpretq_s32_s64(
				PAIR_ROW(r % 2, block[0], block[1]));
		}
	store_sums(b, t, p, rows, R, V);
}

void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	struct product b;

	product_init(&b, l, x_scale, add, y);
	each_block(&b, x, n);
}
