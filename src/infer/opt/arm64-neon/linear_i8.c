/* Sixteen input columns of one output column are a vector: two products of eight, added in
 * sixteen bits (at most 2 * 127 * 127), then pairwise to four sums of 32 bits. */
#ifdef __aarch64__
#define TILE_ROWS 4
#else
#define TILE_ROWS 2
#endif
#define TILE_TAIL 16
#define TILE_BITS 8
#include "src/infer/opt/arm64-neon/tile.h"

/* Four output columns whose weights start at w. */
ALWAYS_INLINE void step(int32x4_t *sum, const int8_t *w, const int8x16_t *x, const int R)
{
#pragma GCC unroll 4
	for (int c = 0; c < 4; c++) {
		int8x16_t wv = vld1q_s8(w + 16 * c);
		int16x8_t s[TILE_ROWS];

#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			MULTIPLY_LOW(s[r], wv, x[r]);
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			MULTIPLY_HIGH(s[r], wv, x[r]);
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			ADD_PAIRS(sum[r * 4 + c], s[r]);
	}
}

ALWAYS_INLINE void columns(const struct product *b, uint32_t t, const int8_t *w,
	const int R, const int V, int32x4_t *out)
{
	uint32_t in = b->l->in;
	const int8_t *x = (const int8_t *)b->x + (uintptr_t)t * in;
	int32x4_t sum[TILE_ROWS * 4];
	int8x16_t xv[TILE_ROWS];

#pragma GCC unroll 16
	for (int i = 0; i < R * 4; i++)
		sum[i] = vdupq_n_s32(0);
	for (uint32_t k = in / 16; k; k--, x += 16, w += 64 * V) {
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			xv[r] = vld1q_s8(x + (uintptr_t)(uint32_t)r * in);
		step(sum, w, xv, R);
	}
	if (in % 16) {
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			xv[r] = vld1q_s8(b->tail[t + (uint32_t)r]);
		step(sum, w, xv, R);
	}
#pragma GCC unroll 4
	for (int r = 0; r < R; r++)
		out[r * V] = add_lanes(
			sum[r * 4], sum[r * 4 + 1], sum[r * 4 + 2], sum[r * 4 + 3]);
}

ALWAYS_INLINE void tile(const struct product *b, uint32_t t, const struct panel *p,
	const int R, const int V)
{
	int32x4_t sum[TILE_ROWS * 4];

	for (int v = 0; v < V; v++)
		columns(b, t, (const int8_t *)p->w + 64 * v, R, V, sum + v);
	store_sums(b, t, p, sum, R, V);
}

void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	struct product b;

	product_init(&b, l, x_scale, add, y);
	each_block(&b, x, n);
}
