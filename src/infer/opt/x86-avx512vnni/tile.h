/* How products are cut into register tiles: up to eight rows by one panel of 48, 32 or 16
 * columns, 24 accumulators at most. Rows are cut evenly unless linear.schedule says
 * otherwise, so that nine tokens are five and four and no tile waits for its own chain of
 * sums.
 *
 * A kernel defines tile(b, t, panel, R, V) with R and V constant and makes instances for
 * each size, chosen by a table. linear_i8 and linear_i4 finish sums in registers. Where
 * finishing is long, they go through memory (L1) to code that is there once an activation
 * and not once a size: in linear_f32, and for products that quantise in finish_quant.h.
 */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_TILE_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_TILE_H

#include <stdint.h>

#include "src/infer/opt/schedule.h"

#define TILE_ROWS 8
#define TILE_COLS 48
#define TILE_BLOCK 64 /* rows whose sums are kept at once */

/* Output columns o.. of a panel, whose weights start at w. */
struct panel {
	uint32_t o, width;	  /* 16, 32 or 48: with padding */
	const uint8_t *w, *ahead; /* a part of the next one, to be fetched meanwhile */
};

/* Fills `p` with the panel at column o of `out`; bytes of weights a column. */
static inline struct panel panel_at(
	uint32_t out, uint32_t o, const void *w, uintptr_t bytes)
{
	uint32_t left = (out - o + 15) / 16 * 16;
	struct panel p = {o, left < TILE_COLS ? left : TILE_COLS,
		(const uint8_t *)w + (uintptr_t)o * bytes, 0};

	return p;
}

/* What the i-th tile of a panel fetches of the next panel, a line a step: a third of it,
 * nothing new from the fourth tile on. Weights that lie in the third level of cache come
 * in time by this; the processor's own prefetchers are late for them. */
static inline const uint8_t *panel_share(
	const struct panel *p, uintptr_t bytes, uint32_t i)
{
	return p->w + p->width * bytes + (i < 3 ? i * (TILE_COLS / 3) * bytes : 0);
}

/* finish_column(b, t, o, sums, R, V, act) of each column of sixteen from p->o. */
#define TILE_FINISH(type)                                                                \
	static __attribute__((noinline)) void finish(const struct block *b, uint32_t t,  \
		const struct panel *p, const type *sum, uint32_t R, uint32_t V)          \
	{                                                                                \
		for (uint32_t v = 0; v < V; v++) {                                       \
			uint32_t o = p->o + 16 * v;                                      \
			if (b->l->act == KERNEL_GELU)                                    \
				finish_column(b, t, o, sum + v, R, V, KERNEL_GELU);      \
			else if (b->l->act == KERNEL_SILU)                               \
				finish_column(b, t, o, sum + v, R, V, KERNEL_SILU);      \
			else if (b->l->act == KERNEL_RELU)                               \
				finish_column(b, t, o, sum + v, R, V, KERNEL_RELU);      \
			else                                                             \
				finish_column(b, t, o, sum + v, R, V, KERNEL_NO_ACT);    \
		}                                                                        \
	}

#define TILE_INSTANCE(R, V)                                                              \
	static void tile_##R##_##V(                                                      \
		const struct block *b, uint32_t t, const struct panel *p)                \
	{                                                                                \
		tile(b, t, p, R, V);                                                     \
	}
#define TILE_INSTANCES(V)                                                                \
	TILE_INSTANCE(1, V)                                                              \
	TILE_INSTANCE(2, V)                                                              \
	TILE_INSTANCE(3, V)                                                              \
	TILE_INSTANCE(4, V)                                                              \
	TILE_INSTANCE(5, V)                                                              \
	TILE_INSTANCE(6, V)                                                              \
	TILE_INSTANCE(7, V)                                                              \
	TILE_INSTANCE(8, V)
#define TILE_NAMES(V)                                                                    \
	{                                                                                \
		tile_1_##V, tile_2_##V, tile_3_##V, tile_4_##V, tile_5_##V, tile_6_##V,  \
			tile_7_##V, tile_8_##V                                           \
	}

#endif
