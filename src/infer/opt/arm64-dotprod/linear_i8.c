/* Four input columns of four output columns are a vector; SDOT takes the same four of a
 * token from a lane of its own vector of sixteen. */
#define TILE_ROWS 4
#define TILE_BITS 8
#define TILE_TAIL 16
#include "src/infer/opt/arm64-neon/tile.h"

/* Four of the sixteen columns that x holds for each row. */
#define LANE(x, lane)                                                                    \
	{                                                                                \
		if (V == 4) {                                                            \
			FOUR_VECTORS(int8x16_t);                                         \
			LOAD_FOUR(w, 64);                                                \
			_Pragma("GCC unroll 4") for (int r = 0; r < R; r++)              \
			{                                                                \
				DOT_LANE(sum[r * V], w0, x[r], lane);                    \
				DOT_LANE(sum[r * V + 1], w1, x[r], lane);                \
				DOT_LANE(sum[r * V + 2], w2, x[r], lane);                \
				DOT_LANE(sum[r * V + 3], w3, x[r], lane);                \
			}                                                                \
		} else {                                                                 \
			int8x16_t w0, w1;                                                \
			LOAD_PAIR(w0, w1, w, 32);                                        \
			_Pragma("GCC unroll 4") for (int r = 0; r < R; r++)              \
			{                                                                \
				DOT_LANE(sum[r * V], w0, x[r], lane);                    \
				DOT_LANE(sum[r * V + 1], w1, x[r], lane);                \
			}                                                                \
		}                                                                        \
	}
#define SIXTEEN(x)                                                                       \
	LANE(x, 0)                                                                       \
	LANE(x, 1)                                                                       \
	LANE(x, 2)                                                                       \
	LANE(x, 3)

/* The last in % 32 columns. */
ALWAYS_INLINE void last_columns(const struct product *b, uint32_t t,
	const int8_t *const *x, const int8_t *w, int32x4_t *sum, const int R, const int V)
{
	uint32_t in = b->l->in, rest = in % 16;
	int8x16_t low[TILE_ROWS];

	if (in % 32 >= 16) {
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			low[r] = vld1q_s8(x[r]);
		SIXTEEN(low)
	}
	if (rest) {
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			low[r] = vld1q_s8(b->tail[t + (uint32_t)r]);
		LANE(low, 0)
		if (rest > 4)
			LANE(low, 1)
		if (rest > 8)
			LANE(low, 2)
		if (rest > 12)
			LANE(low, 3)
	}
}

ALWAYS_INLINE void tile(const struct product *b, uint32_t t, const struct panel *p,
	const int R, const int V)
{
	uint32_t in = b->l->in;
	const int8_t *x[TILE_ROWS], *w = (const int8_t *)p->w;
	int32x4_t sum[TILE_ROWS * 4];
	int8x16_t low[TILE_ROWS], high[TILE_ROWS];

	x[0] = (const int8_t *)b->x + (uintptr_t)t * in;
#pragma GCC unroll 4
	for (int r = 1; r < R; r++)
		x[r] = x[r - 1] + in;
#pragma GCC unroll 16
	for (int i = 0; i < R * V; i++)
		sum[i] = vdupq_n_s32(0);
	for (uint32_t k = in / 32; k; k--) {
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			LOAD_PAIR(low[r], high[r], x[r], 32);
		SIXTEEN(low)
		SIXTEEN(high)
	}
	if (in % 32)
		last_columns(b, t, x, w, sum, R, V);
	store_sums(b, t, p, sum, R, V);
}

void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	struct product b;

	product_init(&b, l, x_scale, add, y);
	each_block(&b, x, n);
}
