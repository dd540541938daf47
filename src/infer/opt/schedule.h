/* How the rows of a product are cut into register tiles, as linear.schedule says. A sum is
 * made in the same order whatever the cut, so that all schedules give the same bits.
 */
#ifndef HAWSER_INFER_OPT_SCHEDULE_H
#define HAWSER_INFER_OPT_SCHEDULE_H

#include <stdint.h>

#include "src/infer/kernels.h"

struct cut {
	uint32_t n, n_tiles;
	uint32_t
		full; /* rows of every tile but the last; 0: all as even as they can be */
};

/* n rows into tiles of at most `most`; low ones are a quarter lower. */
static inline struct cut cut_of(uint8_t schedule, uint32_t n, uint32_t most)
{
	struct cut c = {n, 0, 0};

	if (schedule == SCHEDULE_LOW)
		most -= (most + 3) / 4;
	else if (schedule == SCHEDULE_FULL)
		c.full = most;
	c.n_tiles = (n + most - 1) / most;
	return c;
}

/* Rows of tile i, which starts at row t. */
static inline uint32_t cut_rows(const struct cut *c, uint32_t i, uint32_t t)
{
	if (c->full)
		return c->n - t < c->full ? c->n - t : c->full;
	return c->n / c->n_tiles + (i < c->n % c->n_tiles);
}

#endif
