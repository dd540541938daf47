/* Four input columns of four output columns are a vector; SDOT takes the same four of a
 * token from a lane of its own vector of sixteen. */
#define TILE_ROWS 6
#define TILE_BITS 8
#define TILE_TAIL 16
#include "src/infer/opt/arm64-neon/tile.h"
#include "src/infer/opt/arm64-neon/written.h"

/* Four of the sixteen columns that x holds for each row. */
#define STEP(lane)                                                                       \
	_Pragma("GCC unroll 2") for (int v = 0; v < V; v += 2)                           \
	{                                                                                \
		int8x16_t w0, w1;                                                        \
		LOAD_PAIR(w0, w1, w, 32);                                                \
		_Pragma("GCC unroll 6") for (int r = 0; r < R; r++)                      \
		{                                                                        \
			DOT_LANE(sum[r * V + v], w0, xv[r], lane);                       \
			DOT_LANE(sum[r * V + v + 1], w1, xv[r], lane);                   \
		}                                                                        \
	}

ALWAYS_INLINE void tile(const struct product *b, uint32_t t, const struct panel *p,
	const int R, const int V)
{
	uint32_t in = b->l->in, rest = in % 16;
	const int8_t *x = (const int8_t *)b->x + (uintptr_t)t * in;
	const int8_t *w = (const int8_t *)p->w;
	int32x4_t sum[TILE_ROWS * 4];
	int8x16_t xv[TILE_ROWS];

#pragma GCC unroll 24
	for (int i = 0; i < R * V; i++)
		sum[i] = vdupq_n_s32(0);
	for (uint32_t k = in / 16; k; k--, x += 16) {
#pragma GCC unroll 6
		for (int r = 0; r < R; r++)
			xv[r] = vld1q_s8(x + (uintptr_t)(uint32_t)r * in);
		STEP(0)
		STEP(1)
		STEP(2)
		STEP(3)
	}
	if (rest) {
#pragma GCC unroll 6
		for (int r = 0; r < R; r++)
			xv[r] = vld1q_s8(b->tail[t + (uint32_t)r]);
		STEP(0)
		if (rest > 4)
			STEP(1)
		if (rest > 8)
			STEP(2)
		if (rest > 12)
			STEP(3)
	}
	store_sums(b, t, p, sum, R, V);
}

void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	struct product b;

	product_init(&b, l, x_scale, add, y);
	each_block(&b, x, n);
}
