#include "src/infer/integer/back.h"

void int_back_i8(const struct int_linear *l, const int32_t *x, int32_t *y)
{
	const int8_t *w = l->w;

	for (uint32_t c = 0; c < l->in; c++) {
		int64_t sum = 0;

		for (uint32_t o = 0; o < l->out; o++)
			sum += (int64_t)w[(uint64_t)o * l->in + c] *
			       back_scaled(x[o], l->scales[o]);
		y[c] = fixed_clamp(fixed_shift(sum, BACK_BITS));
	}
}
