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
#include "src/infer/opt/arm64-neon/written.h"

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
	const uint16_t *scales; /* of int4 */
	const float *bias;
#if TILE_BITS == 8
	float column_scale[PANEL_WIDTH];
#endif
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
	uintptr_t out = b->l->out, at = t * out + p->o;
	const float *bias = p->bias, *add = b->add;
	float *y = b->y + at;

	if (p->cols < 4 * (uint32_t)V) {
		float sums[TILE_MAX_ROWS * PANEL_WIDTH];

#pragma GCC unroll 32
		for (int i = 0; i < R * V; i++)
			vst1q_f32(sums + 4 * i, s[i]);
		store_edge(b, t, p, sums, (uint32_t)R, 4 * (uint32_t)V);
		return;
	}
#pragma GCC unroll 2
	for (int v = 0; v < V; v += 2) {
		float32x4_t b0, b1;

		LOAD_PAIR(b0, b1, bias, 32);
#pragma GCC unroll 8
		for (int r = 0; r < R; r++) {
			s[r * V + v] = vaddq_f32(s[r * V + v], b0);
			s[r * V + v + 1] = vaddq_f32(s[r * V + v + 1], b1);
		}
	}
	if (add) {
		add += at;
#pragma GCC unroll 8
		for (int r = 0; r < R; r++, add += out - 4 * (uintptr_t)V)
#pragma GCC unroll 2
			for (int v = 0; v < V; v += 2) {
				float32x4_t a0, a1;

				LOAD_PAIR(a0, a1, add, 32);
				s[r * V + v] = vaddq_f32(a0, s[r * V + v]);
				s[r * V + v + 1] = vaddq_f32(a1, s[r * V + v + 1]);
			}
	}
#pragma GCC unroll 8
	for (int r = 0; r < R; r++, y += out - 4 * (uintptr_t)V)
#pragma GCC unroll 2
		for (int v = 0; v < V; v += 2)
			STORE_PAIR(y, s[r * V + v], s[r * V + v + 1]);
}

#if TILE_BITS == 8
/* a x[r] */
ALWAYS_INLINE float32x4_t times_lane(float32x4_t a, const float *x, int r, const int R)
{
#ifdef __aarch64__
	float32x4_t four;

	if (R == 4) { /* one load for all rows */
		four = vld1q_f32(x);
		return r == 0	? vmulq_laneq_f32(a, four, 0)
		       : r == 1 ? vmulq_laneq_f32(a, four, 1)
		       : r == 2 ? vmulq_laneq_f32(a, four, 2)
				: vmulq_laneq_f32(a, four, 3);
	}
#endif
	(void)R;
	return vmulq_n_f32(a, x[r]);
}

/* The same for sums of int8 products. */
ALWAYS_INLINE void store_sums(const struct product *b, uint32_t t, const struct panel *p,
	const int32x4_t *sum, const int R, const int V)
{
	float32x4_t s[TILE_ROWS * 4];

#pragma GCC unroll 4
	for (int v = 0; v < V; v++) {
		float32x4_t scale = vld1q_f32(p->column_scale + 4 * v);

#pragma GCC unroll 8
		for (int r = 0; r < R; r++)
			s[r * V + v] = vmulq_f32(vcvtq_f32_s32(sum[r * V + v]),
				times_lane(scale, b->x_scale + t, r, R));
	}
	store_tile(b, t, p, s, R, V);
}
#endif

#if TILE_TAIL
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

/* Columns beyond a multiple of four are left. */
#if defined(__aarch64__) && TILE_BITS != 32
/* For values that are about to be quantised. */
static __attribute__((noinline)) void near_gelu_rows(
	float *y, uint32_t n, uint32_t cols, uint32_t stride)
{
	const uint8x16x4_t c0 = near_table(0), c1 = near_table(1);
	const uint8x16x4_t c2 = near_table(2), c3 = near_table(3);

	if (cols == 16) {
		for (; n; n--, y += stride - 16) {
			float32x4x4_t v = load16(y);

#pragma GCC unroll 4
			for (int i = 0; i < 4; i++, y += 4)
				vst1q_f32(y, vector_near_gelu(v.val[i], c0, c1, c2, c3));
		}
		return;
	}
	for (; n; n--, y += stride - cols / 4 * 4)
		for (uint32_t k = cols / 4; k; k--, y += 4)
			vst1q_f32(y, vector_near_gelu(vld1q_f32(y), c0, c1, c2, c3));
}
#endif

ALWAYS_INLINE void act_rows(float *y, uint32_t n, uint32_t cols, uint32_t stride, int act)
{
	for (; n; n--, y += stride - cols / 4 * 4)
		for (uint32_t k = cols / 4; k; k--, y += 4)
			vst1q_f32(y, vector_act(vld1q_f32(y), act));
}

static __attribute__((noinline)) void act_panel(
	float *y, uint32_t n, uint32_t cols, const struct linear *l)
{
	uint32_t part = cols % 4;

	if (l->act == KERNEL_GELU)
#if defined(__aarch64__) && TILE_BITS != 32
		near_gelu_rows(y, n, cols, l->out);
#else
		act_rows(y, n, cols, l->out, KERNEL_GELU);
#endif
	else if (l->act == KERNEL_SILU)
		act_rows(y, n, cols, l->out, KERNEL_SILU);
	else
		act_rows(y, n, cols, l->out, KERNEL_RELU);
	for (y += cols - part; part && n; n--, y += l->out) {
		float32x4_t v = load_part(y, part);

		v = l->act == KERNEL_GELU   ? vector_gelu(v)
		    : l->act == KERNEL_SILU ? vector_silu(v)
					    : vector_act(v, KERNEL_RELU);
		store_part(y, v, part);
	}
}

/* ---- loops */

#ifdef __aarch64__
#define TILE_CASE(R)                                                                     \
	case R:                                                                          \
		for (; R <= TILE_ROWS && count; count--, t += R)                         \
			tile(b, t, p, R <= TILE_ROWS ? R : 1, V);                        \
		break;

/* The larger tiles, then those with a row less. */
ALWAYS_INLINE void each_tile(
	const struct product *b, uint32_t n, const struct panel *p, const int V)
{
	uint32_t tiles = (n + TILE_ROWS - 1) / TILE_ROWS, t = 0;
	uint32_t rows = n / tiles + 1, count = n % tiles;

	for (int i = 0; i < 2; i++, rows--, count = tiles - n % tiles) {
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
#if TILE_BITS == 8
	for (uint32_t c = 0; c < (p->cols + 7) / 8 * 8; c += 4)
		vst1q_f32(p->column_scale + c, load_bf16(p->scales + c));
#endif
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
