/* Sixteen input columns of two output columns are a vector, the first eight in low
 * nibbles. A nibble is used sixteen times too large, as the upper half of a byte; the
 * sixteenth is part of the token's scale. */
#define TILE_ROWS 6
#define TILE_BITS 4
#define TILE_TAIL 32
#include "src/infer/opt/arm64-i8mm/pairs.h"
#include "src/infer/opt/arm64-neon/tile.h"

#define PAIRS ((R + 1) / 2)

/* Sixteen input columns of eight output columns. */
ALWAYS_INLINE void step(
	int32x4_t *sum, const int8_t *w, const int8_t *x, uint32_t in, const int R)
{
	int8x16_t xv[TILE_ROWS];

#pragma GCC unroll 3
	for (int r = 0; r < PAIRS; r++)
		pair_rows(x + (uintptr_t)(uint32_t)(2 * r) * in,
			x + (uintptr_t)(uint32_t)(2 * r + (2 * r + 1 < R)) * in,
			xv + 2 * r);
#pragma GCC unroll 2
	for (int c = 0; c < 4; c += 2) {
		int8x16_t both[2];

		LOAD_PAIR(both[0], both[1], w, 32);
#pragma GCC unroll 2
		for (int i = 0; i < 2; i++) {
			int8x16_t low = vshlq_n_s8(both[i], 4);
			int8x16_t high = vandq_s8(both[i], vdupq_n_s8(-16));

#pragma GCC unroll 3
			for (int r = 0; r < PAIRS; r++)
				DOT_BLOCK(sum[r * 4 + c + i], xv[2 * r], low);
#pragma GCC unroll 3
			for (int r = 0; r < PAIRS; r++)
				DOT_BLOCK(sum[r * 4 + c + i], xv[2 * r + 1], high);
		}
	}
}

/* Adds a group of eight output columns to the blocks y. */
ALWAYS_INLINE void group(float32x4_t *y, const int8_t *w, const int8_t *x, uint32_t in,
	const uint16_t *scales, uint32_t steps, const int R, const int V)
{
	int32x4_t sum[TILE_ROWS * 2];

#pragma GCC unroll 12
	for (int i = 0; i < PAIRS * 4; i++)
		sum[i] = vdupq_n_s32(0);
	step(sum, w, x, in, R);
	if (steps > 1)
		step(sum, w + 32 * V, x + 16, in, R);
#pragma GCC unroll 4
	for (int c = 0; c < 4; c++) {
		float32x4_t four = load_bf16(scales + c / 2 * 4);
		float32x2_t two = c % 2 ? vget_high_f32(four) : vget_low_f32(four);
		float32x4_t scale = vcombine_f32(two, two);

#pragma GCC unroll 3
		for (int r = 0; r < PAIRS; r++)
			y[r * 4 + c] = vfmaq_f32(
				y[r * 4 + c], vcvtq_f32_s32(sum[r * 4 + c]), scale);
	}
}

/* Eight columns of the panel. */
ALWAYS_INLINE void columns(const struct product *b, uint32_t t, const int8_t *w,
	const uint16_t *scales, float32x4_t *out, const int R, const int V)
{
	uint32_t in = b->l->in;
	const int8_t *x = (const int8_t *)b->x + (uintptr_t)t * in;
	float32x4_t y[TILE_ROWS * 2];

#pragma GCC unroll 12
	for (int i = 0; i < PAIRS * 4; i++)
		y[i] = vdupq_n_f32(0);
	for (uint32_t g = in / 32; g; g--, x += 32, w += 64 * V, scales += 4 * V)
		group(y, w, x, in, scales, 2, R, V);
	if (in % 32)
		group(y, w, b->tail[t], TILE_TAIL, scales, (in % 32 + 15) / 16, R, V);
#pragma GCC unroll 6
	for (int r = 0; r < R; r++)
#pragma GCC unroll 2
		for (int v = 0; v < 2; v++) {
			const float32x4_t *block = y + r / 2 * 4 + 2 * v;
			int64x2_t row = PAIR_ROW(r % 2, vreinterpretq_s32_f32(block[0]),
				vreinterpretq_s32_f32(block[1]));

			out[r * V + v] = vmulq_n_f32(vreinterpretq_f32_s64(row),
				b->x_scale[t + (uint32_t)r] / 16);
		}
}

ALWAYS_INLINE void tile(const struct product *b, uint32_t t, const struct panel *p,
	const int R, const int V)
{
	float32x4_t y[TILE_ROWS * 4];

#pragma GCC unroll 2
	for (int v = 0; v < V; v += 2)
		columns(b, t, (const int8_t *)p->w + 32 * v, p->scales + 4 * v, y + v, R,
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
