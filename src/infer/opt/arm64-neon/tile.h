/* How the Arm kernels cut products: panels of output columns, and in a panel tiles of up to
 * TILE_ROWS rows. A kernel defines TILE_ROWS, TILE_BITS of its weights, TILE_TAIL (columns
 * of x that a tile takes at a time; 0: it minds the last ones itself) and
 *
 *   tile(b, t, p, R, V)   rows t.. t + R of panel p, which is 4 V columns wide, R and V
 *                         constant
 *
 * and calls each_panel(). AArch64 cuts rows evenly, so that nine are five and four;
 * 32-bit Arm, where code counts, has tiles of TILE_ROWS and of one.
 */
#ifndef HAWSER_INFER_OPT_ARM64_NEON_TILE_H
#define HAWSER_INFER_OPT_ARM64_NEON_TILE_H

#include "src/infer/opt/arm64-neon/panels.h"
#include "src/infer/opt/arm64-neon/vector.h"

#define TILE_BLOCK 64 /* rows whose tails are kept at once */
#define TILE_MAX_ROWS 8

struct product {
	const struct linear *l;
	const void *x;
	const float *x_scale, *add;
	float *y;
	uintptr_t column_bytes; /* of weights */
	uint32_t groups;	/* scales a column */
#if TILE_TAIL
	/* The last in % TILE_TAIL columns of x, zeros behind. */
	_Alignas(16) int8_t tail[TILE_BLOCK][TILE_TAIL];
#endif
};

/* Output columns o.. of which `cols` are wanted; where they lie. */
struct panel {
	uint32_t o, cols;
	const uint8_t *w;
	const uint16_t *scales;
	const float *bias;
	float edge[PANEL_WIDTH]; /* bias of a panel that is not full */
};

ALWAYS_INLINE void tile(const struct product *b, uint32_t t, const struct panel *p,
	const int R, const int V);

/* A panel's columns that are not there are dropped. */
static __attribute__((noinline)) void store_edge(const struct product *b, uint32_t t,
	const struct panel *p, const float *s, uint32_t n_rows, uint32_t width)
{
	for (uint32_t r = 0; r < n_rows; r++)
		for (uint32_t c = 0; c < p->cols; c++) {
			uintptr_t at = (uintptr_t)(t + r) * b->l->out + p->o + c;
			float v = s[r * width + c] + p->bias[c];

			b->y[at] = b->add ? b->add[at] + v : v;
		}
}

/* y = s + bias + add for a tile. */
ALWAYS_INLINE void store_tile(const struct product *b, uint32_t t, const struct panel *p,
	float32x4_t *s, const int R, const int V)
{
	uint32_t out = b->l->out;
	uintptr_t at = (uintptr_t)t * out + p->o;
	const float *add = b->add + at;
	float *y = b->y + at;

	if (p->cols < 4 * (uint32_t)V) {
		float sums[TILE_MAX_ROWS * PANEL_WIDTH];

#pragma GCC unroll 32
		for (int i = 0; i < R * V; i++)
			vst1q_f32(sums + 4 * i, s[i]);
		store_edge(b, t, p, sums, (uint32_t)R, 4 * (uint32_t)V);
		return;
	}
#pragma GCC unroll 4
	for (int v = 0; v < V; v++) {
		float32x4_t bias = vld1q_f32(p->bias + 4 * v);

#pragma GCC unroll 8
		for (int r = 0; r < R; r++)
			s[r * V + v] = vaddq_f32(s[r * V + v], bias);
	}
	if (b->add)
#pragma GCC unroll 8
		for (int r = 0; r < R; r++, add += out)
#pragma GCC unroll 4
			for (int v = 0; v < V; v++)
				s[r * V + v] =
					vaddq_f32(vld1q_f32(add + 4 * v), s[r * V + v]);
#pragma GCC unroll 8
	for (int r = 0; r < R; r++, y += out)
#pragma GCC unroll 4
		for (int v = 0; v < V; v++)
			vst1q_f32(y + 4 * v, s[r * V + v]);
}

#if TILE_TAIL
/* The same for sums of int8 products. */
ALWAYS_INLINE void store_sums(const struct product *b, uint32_t t, const struct panel *p,
	const int32x4_t *sum, const int R, const int V)
{
	float32x4_t s[TILE_ROWS * 4];

#pragma GCC unroll 4
	for (int v = 0; v < V; v++) {
		float32x4_t scale = load_bf16(p->scales + 4 * v);

#pragma GCC unroll 8
		for (int r = 0; r < R; r++)
			s[r * V + v] = vmulq_f32(vcvtq_f32_s32(sum[r * V + v]),
				vmulq_n_f32(scale, b->x_scale[t + (uint32_t)r]));
	}
	store_tile(b, t, p, s, R, V);
}

static void product_init(struct product *b, const struct linear *l, const float *x_scale,
	const float *add, float *y)
{
	const uint32_t step = TILE_BITS == 8 ? PANEL_STEP_I8 : PANEL_STEP_I4;

	b->l = l;
	b->x_scale = x_scale;
	b->add = add;
	b->y = y;
	b->column_bytes = (uintptr_t)((l->in + step - 1) / step) * step * TILE_BITS / 8;
	b->groups = TILE_BITS == 8 ? 1 : (l->in + KERNEL_GROUP - 1) / KERNEL_GROUP;
}
#endif

/* ---- activation of a panel's columns */

ALWAYS_INLINE void act_rows(float *y, uint32_t n, uint32_t cols, uint32_t stride, int act)
{
	for (; n; n--, y += stride) {
		uint32_t c = 0;

		for (; c + 8 <= cols; c += 8) {
			vst1q_f32(y + c,
				vector_act(vld1q_f32(y + c), act, TILE_BITS != 32));
			vst1q_f32(y + c + 4,
				vector_act(vld1q_f32(y + c + 4), act, TILE_BITS != 32));
		}
		for (; c < cols; c += 4) {
			uint32_t left = cols - c < 4 ? cols - c : 4;

			store_part(y + c,
				vector_act(load_part(y + c, left), act, TILE_BITS != 32),
				left);
		}
	}
}

static __attribute__((noinline)) void act_panel(
	float *y, uint32_t n, uint32_t cols, const struct linear *l)
{
	if (l->act == KERNEL_GELU)
		act_rows(y, n, cols, l->out, KERNEL_GELU);
	else if (l->act == KERNEL_SILU)
		act_rows(y, n, cols, l->out, KERNEL_SILU);
	else
		act_rows(y, n, cols, l->out, KERNEL_RELU);
}

/* ---- loops */

#ifdef __aarch64__
#define TILE_CASE(R)                                                                     \
	case R:                                                                          \
		if (R <= TILE_ROWS)                                                      \
			tile(b, t, p, R <= TILE_ROWS ? R : 1, V);                        \
		break;

ALWAYS_INLINE void each_tile(
	const struct product *b, uint32_t n, const struct panel *p, const int V)
{
	uint32_t tiles = (n + TILE_ROWS - 1) / TILE_ROWS, rows;

	for (uint32_t t = 0; tiles; tiles--, t += rows) {
		rows = (n - t + tiles - 1) / tiles;
		switch (rows) {
			TILE_CASE(1)
			TILE_CASE(2)
			TILE_CASE(3)
			TILE_CASE(4)
			TILE_CASE(5)
			TILE_CASE(6)
		}
	}
}
#else
ALWAYS_INLINE void each_tile(
	const struct product *b, uint32_t n, const struct panel *p, const int V)
{
	uint32_t t = 0;

	for (; t + TILE_ROWS <= n; t += TILE_ROWS)
		tile(b, t, p, TILE_ROWS, V);
	for (; t < n; t++)
		tile(b, t, p, 1, V);
}
#endif

static void panel_at(const struct product *b, uint32_t o, struct panel *p)
{
	static const float none[PANEL_WIDTH];
	const struct linear *l = b->l;
	uint32_t left = l->out - o;

	p->o = o;
	p->cols = left < PANEL_WIDTH ? left : PANEL_WIDTH;
	p->w = (const uint8_t *)l->w + o * b->column_bytes;
	p->scales = l->scales + (uintptr_t)o * b->groups;
	p->bias = l->bias ? l->bias + o : none;
	if (p->cols % 8 == 0 || !l->bias)
		return;
	for (uint32_t c = 0; c < p->cols; c++)
		p->edge[c] = l->bias[o + c];
	p->bias = p->edge;
}

static void each_panel(const struct product *b, uint32_t n)
{
	const struct linear *l = b->l;
	struct panel p;

	for (uint32_t o = 0; o < l->out; o += PANEL_WIDTH) {
		panel_at(b, o, &p);
		if (PANEL_WIDTH == 8 || p.cols > 8)
			each_tile(b, n, &p, PANEL_WIDTH / 4);
		else
			each_tile(b, n, &p, 2);
		if (l->act)
			act_panel(b->y + o, n, p.cols, l);
	}
}

#if TILE_TAIL
static void keep_tails(struct product *b, const int8_t *x, uint32_t n)
{
	uint32_t in = b->l->in, rest = in % TILE_TAIL;

	x += in - rest;
	for (uint32_t t = 0; t < n && rest; t++, x += in)
		for (uint32_t i = 0; i < TILE_TAIL; i++)
			b->tail[t][i] = i < rest ? x[i] : 0;
}

/* All rows, a block at a time. */
static void each_block(struct product *b, const int8_t *x, uint32_t n)
{
	const struct linear *l = b->l;

	while (n) {
		uint32_t m = n < TILE_BLOCK ? n : TILE_BLOCK;

		b->x = x;
		keep_tails(b, x, m);
		each_panel(b, m);
		n -= m;
		x += (uintptr_t)m * l->in;
		b->x_scale += m;
		b->y += (uintptr_t)m * l->out;
		b->add = b->add ? b->add + (uintptr_t)m * l->out : 0;
	}
}
#endif

#endif
