#ifdef __aarch64__
#define TILE_ROWS 6
#else
#define TILE_ROWS 4
#endif
#define TILE_TAIL 0
#define TILE_BITS 32
#include "src/infer/opt/arm64-neon/tile.h"

/* Column `lane` of four that x holds for each row. */
#define STEP(lane)                                                                       \
	_Pragma("GCC unroll 2") for (int v = 0; v < V; v += 2)                           \
	{                                                                                \
		float32x4_t w0, w1;                                                      \
		LOAD_PAIR(w0, w1, w, 32);                                                \
		_Pragma("GCC unroll 6") for (int r = 0; r < R; r++)                      \
		{                                                                        \
			MLA_LANE(sum[r * V + v], w0, xv[r], lane);                       \
			MLA_LANE(sum[r * V + v + 1], w1, xv[r], lane);                   \
		}                                                                        \
	}

ALWAYS_INLINE void tile(const struct product *b, uint32_t t, const struct panel *p,
	const int R, const int V)
{
	uint32_t in = b->l->in, k = 0;
	const float *x = (const float *)b->x + (uintptr_t)t * in;
	const float *w = (const void *)p->w;
	float32x4_t sum[TILE_ROWS * 4], xv[TILE_ROWS];

#pragma GCC unroll 24
	for (int i = 0; i < R * V; i++)
		sum[i] = vdupq_n_f32(0);
	for (; k + 4 <= in; k += 4, x += 4) {
#pragma GCC unroll 6
		for (int r = 0; r < R; r++)
			xv[r] = vld1q_f32(x + (uintptr_t)(uint32_t)r * in);
		STEP(0)
		STEP(1)
		STEP(2)
		STEP(3)
	}
	for (; k < in; k++, x++) {
#pragma GCC unroll 6
		for (int r = 0; r < R; r++)
			xv[r] = vld1q_dup_f32(x + (uintptr_t)(uint32_t)r * in);
		STEP(0)
	}
	store_tile(b, t, p, sum, R, V);
}

void linear_f32(
	const struct linear *l, uint32_t n, const float *x, const float *add, float *y)
{
	const struct product b = {
		.l = l, .x = x, .add = add, .y = y, .column_bytes = 4 * (uintptr_t)l->in};

	each_panel(&b, n);
}
