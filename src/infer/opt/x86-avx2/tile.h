/* How products are cut into register tiles: up to TILE_ROWS rows by up to TILE_VECTORS
 * vectors of eight columns, six by two unless a kernel says otherwise: twelve accumulators
 * of the sixteen registers. Rows are cut evenly, so that nine tokens are five and four and
 * no tile waits for its own chain of sums.
 *
 * A kernel defines tile(b, t, p, sum, R, V) with R and V constant and makes instances for
 * each size, chosen by a table. Sums go through memory (L1) to finish.h, which is there once an
 * activation and not once a size: a tenth of the code.
 */
#ifndef HAWSER_INFER_OPT_X86_AVX2_TILE_H
#define HAWSER_INFER_OPT_X86_AVX2_TILE_H

#include <stdint.h>

#ifndef TILE_ROWS
#define TILE_ROWS 6
#define TILE_VECTORS 2
#define FINISH_ROWS TILE_ROWS /* whose sums finish.h takes at once */
#endif
#define TILE_COLS (8 * TILE_VECTORS)

/* Rows of tile i when n rows are cut into n_tiles. */
static inline uint32_t tile_rows(uint32_t n, uint32_t n_tiles, uint32_t i)
{
	return n / n_tiles + (i < n % n_tiles);
}

/* Output columns o.. of a panel, whose weights start at w. */
struct panel {
	uint32_t o, vectors; /* up to TILE_VECTORS, with padding */
	const uint8_t *w;
};

/* The panel at column o of `out`; bytes of weights a column. */
static inline struct panel panel_at(
	uint32_t out, uint32_t o, const void *w, uintptr_t bytes)
{
	uint32_t left = (out - o + 7) / 8;
	struct panel p = {o, left < TILE_VECTORS ? left : TILE_VECTORS,
		(const uint8_t *)w + (uintptr_t)o * bytes};

	return p;
}

#define TILE_INSTANCE(R, V, type)                                                        \
	static void tile_##R##_##V(                                                      \
		const struct block *b, uint32_t t, const struct panel *p, type *sum)     \
	{                                                                                \
		tile(b, t, p, sum, R, V);                                                \
	}
#define TILE_INSTANCES(V, type)                                                          \
	TILE_INSTANCE(1, V, type)                                                        \
	TILE_INSTANCE(2, V, type)                                                        \
	TILE_INSTANCE(3, V, type)                                                        \
	TILE_INSTANCE(4, V, type)                                                        \
	TILE_INSTANCE(5, V, type)                                                        \
	TILE_INSTANCE(6, V, type)
#define TILE_NAMES(V)                                                                    \
	{                                                                                \
		tile_1_##V, tile_2_##V, tile_3_##V, tile_4_##V, tile_5_##V, tile_6_##V   \
	}

/* tiles[vectors - 1][rows - 1](b, t, p, sum) */
#define TILE_TABLE(type)                                                                 \
	TILE_INSTANCES(1, type)                                                          \
	TILE_INSTANCES(2, type)                                                          \
	static void (*const tiles[2][TILE_ROWS])(const struct block *, uint32_t,         \
		const struct panel *, type *) = {TILE_NAMES(1), TILE_NAMES(2)};

#endif
