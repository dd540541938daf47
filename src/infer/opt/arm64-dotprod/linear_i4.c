/* Eight input columns of four output columns are a vector, the first four in low nibbles.
 * A nibble is used sixteen times too large, as the upper half of a byte; the sixteenth is
 * part of the token's scale. */
#define TILE_ROWS 5
#define TILE_BITS 4
#define TILE_TAIL 32
#include "src/infer/opt/arm64-neon/tile.h"

/* Eight of the sixteen columns that x holds for each row, `half` the first or second; eight
 * output columns. */
#define STEP(half)                                                                       \
	{                                                                                \
		int8x16_t both[2];                                                       \
		LOAD_PAIR(both[0], both[1], w, 16 * V);                                  \
		_Pragma("GCC unroll 2") for (int v = 0; v < 2; v++)                      \
		{                                                                        \
			int8x16_t low = vshlq_n_s8(both[v], 4);                          \
			int8x16_t high = vandq_s8(both[v], vdupq_n_s8(-16));             \
			_Pragma("GCC unroll 5") for (int r = 0; r < R; r++)              \
				DOT_LANE(sum[r * 2 + v], low, xv[r], 2 * (half));        \
			_Pragma("GCC unroll 5") for (int r = 0; r < R; r++)              \
				DOT_LANE(sum[r * 2 + v], high, xv[r], 2 * (half) + 1);   \
		}                                                                        \
	}

/* Adds a group of eight output columns to y; `in`: from row to row of x. */
ALWAYS_INLINE void group(float32x4_t *y, const int8_t *w, const int8_t *x, uint32_t in,
	const uint16_t *scales, const int R, const int V)
{
	int32x4_t sum[TILE_ROWS * 2];

#pragma GCC unroll 10
	for (int i = 0; i < R * 2; i++)
		sum[i] = vdupq_n_s32(0);
#pragma GCC unroll 2
	for (int k = 0; k < 2; k++, x += 16) {
		int8x16_t xv[TILE_ROWS];

#pragma GCC unroll 5
		for (int r = 0; r < R; r++)
			xv[r] = vld1q_s8(x + (uintptr_t)(uint32_t)r * in);
		STEP(0)
		STEP(1)
	}
#pragma GCC unroll 2
	for (int v = 0; v < 2; v++) {
		float32x4_t scale = load_bf16(scales + 4 * v);

#pragma GCC unroll 5
		for (int r = 0; r < R; r++)
			y[r * V + v] = vfmaq_f32(
				y[r * V + v], vcvtq_f32_s32(sum[r * 2 + v]), scale);
	}
}

/* Eight columns of the panel at a time. The last group is read from tails, of weights
 * only as far as there are any. */
ALWAYS_INLINE void columns(const struct product *b, uint32_t t, const int8_t *w,
	const uint16_t *scales, float32x4_t *y, const int R, const int V)
{
	uint32_t in = b->l->in, left = (in % 32 + 7) / 8;
	const int8_t *x = (const int8_t *)b->x + (uintptr_t)t * in;

#pragma GCC unroll 5
	for (int r = 0; r < R; r++)
		y[r * V] = y[r * V + 1] = vdupq_n_f32(0);
	for (uint32_t g = in / 32; g; g--, x += 32, w += 64 * V, scales += 4 * V)
		group(y, w, x, in, scales, R, V);
	if (left) {
		int8_t last[64 * 4];

		for (uint32_t i = 0; i < 4; i++)
			for (uint32_t v = 0; v < 2; v++)
				vst1q_s8(last + 16 * (i * (uint32_t)V + v),
					i < left
						? vld1q_s8(w + 16 * (i * (uint32_t)V + v))
						: vdupq_n_s8(0));
		group(y, last, b->tail[t], TILE_TAIL, scales, R, V);
	}
#pragma GCC unroll 5
	for (int r = 0; r < R; r++)
#pragma GCC unroll 2
		for (int v = 0; v < 2; v++)
			y[r * V + v] = vmulq_n_f32(
				y[r * V + v], b->x_scale[t + (uint32_t)r] / 16);
}

ALWAYS_INLINE void tile(const struct product *b, uint32_t t, const struct panel *p,
	const int R, const int V)
{
	float32x4_t y[TILE_ROWS * 4];

#pragma GCC unroll 2
	for (int v = 0; v < V; v += 2)
		columns(b, t, (const int8_t *)p->w + 16 * v, p->scales + 4 * v, y + v, R,
			V);
	store_tile(b, t, p, y, R, V);
}

void linear_i4(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	struct product b;

	product_init(&b, l, x_scale, add, y);
	each_block(&b, x, n);
}
