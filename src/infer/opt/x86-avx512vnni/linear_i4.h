/* What linear_i4 and linear_i4_quant share, as linear_i8.h. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_LINEAR_I4_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_LINEAR_I4_H

#include "src/infer/opt/x86-avx512vnni/tile.h"
#include "src/infer/opt/x86-avx512vnni/vector.h"

#define ROWS 4
#define MAX_GROUPS (65536 / KERNEL_GROUP)

struct block {
	const struct linear *l;
	uint32_t n_groups; /* whole ones; a short last one lies in `tail` */
	const int8_t *x;
	/* Takes a tile's scaled sums [R, V] of rows t..; 0: they go to y. */
	void (*take)(const struct block *b, uint32_t t, const struct panel *p,
		const __m512 *sum, uint32_t R);
	const float *x_scale, *add;
	float *y;
	const void *to;			 /* for `take` */
	int8_t tail[ROWS][KERNEL_GROUP]; /* zeros behind the row's end */
	int32_t start[ROWS][MAX_GROUPS];
};

/* Fills `n_groups`, `start` and `tail`. */
void x86_avx512vnni_rows_i4(struct block *b, uint32_t n);

#endif
