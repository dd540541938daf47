/* A group of 32 input columns of one output column is a vector: low nibbles the first
 * sixteen. A nibble is used sixteen times too large, as the upper half of a byte: sums of
 * two products are at most 2 * 112 * 127, a group's 455168, and the sixteenth is part of
 * the token's scale. */
#ifdef __aarch64__
#define TILE_ROWS 4
#else
#define TILE_ROWS 2
#endif
#define TILE_TAIL 32
#define TILE_BITS 4
#include "src/infer/opt/arm64-neon/tile.h"

/* Adds a group of four output columns to y. */
ALWAYS_INLINE void group(float32x4_t *y, const int8_t *w, const int8x16_t *x,
	float32x4_t scale, const int R)
{
	int32x4_t sum[TILE_ROWS * 4];

#pragma GCC unroll 4
	for (int c = 0; c < 4; c++) {
		int8x16_t both = vld1q_s8(w + 16 * c), low = vshlq_n_s8(both, 4);
		int8x16_t high = vandq_s8(both, vdupq_n_s8(-16));

		int16x8_t s[TILE_ROWS];

#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			MULTIPLY_LOW(s[r], low, x[2 * r]);
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			MULTIPLY_HIGH(s[r], low, x[2 * r]);
#pragma GCC unroll 4
		for (int r = 0; r < R; r++) {
			sum[r * 4 + c] = vpaddlq_s16(s[r]);
			MULTIPLY_LOW(s[r], high, x[2 * r + 1]);
		}
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			MULTIPLY_HIGH(s[r], high, x[2 * r + 1]);
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			ADD_PAIRS(sum[r * 4 + c], s[r]);
	}
#pragma GCC unroll 4
	for (int r = 0; r < R; r++)
		y[r] = vfmaq_f32(y[r],
			vcvtq_f32_s32(add_lanes(sum[r * 4], sum[r * 4 + 1],
				sum[r * 4 + 2], sum[r * 4 + 3])),
			scale);
}

ALWAYS_INLINE void columns(const struct product *b, uint32_t t, const int8_t *w,
	const uint16_t *scales, const int R, const int V, float32x4_t *out)
{
	uint32_t in = b->l->in;
	const int8_t *x = (const int8_t *)b->x + (uintptr_t)t * in;
	float32x4_t y[TILE_ROWS];
	int8x16_t xv[2 * TILE_ROWS];

#pragma GCC unroll 4
	for (int r = 0; r < R; r++)
		y[r] = vdupq_n_f32(0);
	for (uint32_t g = in / 32; g; g--, x += 32, w += 64 * V, scales += 4 * V) {
#pragma GCC unroll 8
		for (int r = 0; r < 2 * R; r++)
			xv[r] = vld1q_s8(
				x + (uintptr_t)(uint32_t)(r / 2) * in + r % 2 * 16);
		group(y, w, xv, load_bf16(scales), R);
	}
	if (in % 32) {
#pragma GCC unroll 8
		for (int r = 0; r < 2 * R; r++)
			xv[r] = vld1q_s8(b->tail[t + (uint32_t)(r / 2)] + r % 2 * 16);
		group(y, w, xv, load_bf16(scales), R);
	}
#pragma GCC unroll 4
	for (int r = 0; r < R; r++)
		out[r * V] = vmulq_n_f32(y[r], b->x_scale[t + (uint32_t)r] / 16);
}

ALWAYS_INLINE void tile(const struct product *b, uint32_t t, const struct panel *p,
	const int R, const int V)
{
	float32x4_t y[TILE_ROWS * 4];

	for (int v = 0; v < V; v++)
		columns(b, t, (const int8_t *)p->w + 64 * v, p->scales + 4 * v, R, V,
			y + v);
	store_tile(b, t, p, y, R, V);
}

void linear_i4(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	struct product b;

	product_init(&b, l, x_scale, add, y);
	each_block(&b, x, n);
}
