/* What linear_i8 and linear_i8_quant share: the tiles, which are there once, in linear_i8.c.
 * A model that calls the latter calls linear_i8 too, behind its attention. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_LINEAR_I8_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_LINEAR_I8_H

#include "src/infer/opt/x86-avx512vnni/tile.h"
#include "src/infer/opt/x86-avx512vnni/vector.h"

struct block {
	const struct linear *l;
	const int8_t *x;
	/* Takes a tile's sums [R, V] of rows t..; 0: they go to y with scale and add. */
	void (*take)(const struct block *b, uint32_t t, const struct panel *p,
		const __m512i *sum, uint32_t R);
	const float *x_scale, *add;
	float *y;
	uint8_t one_scale; /* all x_scale are equal */
	const void *to; /* for `take` */
	int32_t start[TILE_BLOCK]; /* a multiple of four rows */
	int8_t tail[TILE_BLOCK][4]; /* the last in % 4 columns, then zeros */
};

/* n rows, at most TILE_BLOCK; fills `start` and `tail`. */
void x86_avx512vnni_rows_i8(struct block *b, uint32_t n);

#endif
