#include "src/infer/integer/back.h"
#include "src/infer/kernels.h"

void int_back_i4(const struct int_linear *l, const int32_t *x, int32_t *y)
{
	uint32_t groups = (l->in + KERNEL_GROUP - 1) / KERNEL_GROUP;
	const uint8_t *w = l->w;

	for (uint32_t c = 0; c < l->in; c++) {
		int64_t sum = 0;

		for (uint32_t o = 0; o < l->out; o++) {
			uint8_t pair = w[(uint64_t)o * ((l->in + 1) / 2) + c / 2];
			uint32_t group = o * groups + c / KERNEL_GROUP;

			sum += (int64_t)((pair >> 4 * (c % 2) & 15) - 8) *
			       back_scaled(x[o], l->scales[group]);
		}
		y[c] = fixed_clamp(fixed_shift(sum, BACK_BITS));
	}
}
