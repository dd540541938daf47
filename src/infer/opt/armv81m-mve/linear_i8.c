#include "src/infer/opt/armv81m-mve/finish.h"
#include "src/infer/opt/armv81m-mve/sums_i8.h"

static void columns(const struct product *b, const int8_t *x, uint32_t n, uint32_t first)
{
	uint32_t in = b->l->in, left = b->l->out - first;
	uint32_t cols = left < FINISH_COLUMNS ? left : FINISH_COLUMNS;
	int32_t sums[2 * FINISH_COLUMNS];
	struct sums_call call = {
		.w = (const int8_t *)b->l->w + (uintptr_t)first * ((in + 15) / 16 * 16),
		.out = sums,
		.count = in + ((cols + 3) / 4 - 1) * 65536,
	};

	for (uint32_t t = 0; t < n; t += 2) {
		uint32_t rows = n - t < 2 ? 1 : 2;

		call.x0 = call.x1 = x + (uintptr_t)t * in;
		call.x1 += rows > 1 ? in : 0;
		(rows > 1 ? sums_of_2 : sums_of_1)(&call);
		finish(b, sums, t, rows, first, cols, 0);
	}
}

void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	const struct product b = {l, x_scale, add, y};

	for (uint32_t first = 0; first < l->out; first += FINISH_COLUMNS)
		columns(&b, x, n, first);
}
