#include "src/infer/integer/linear.h"
#include "src/infer/kernels.h"

#define MORE_BITS 2 /* that sums of groups carry below fixed */

static int nibble(const uint8_t *w, uint32_t i)
{
	return (w[i / 2] >> 4 * (i % 2) & 15) - 8;
}

static int32_t dot(const struct int_linear *l, const uint8_t *w, const uint16_t *scales,
	const int8_t *x)
{
	int64_t total = 0;

	for (uint32_t from = 0; from < l->in; from += KERNEL_GROUP) {
		uint32_t end = l->in - from < KERNEL_GROUP ? l->in : from + KERNEL_GROUP;
		struct fixed_ratio scale = fixed_product(*scales++, l->x, MORE_BITS);
		int32_t sum = 0;

		for (uint32_t i = from; i < end; i++)
			sum += nibble(w, i) * x[i];
		total += fixed_times(sum, &scale);
	}
	return fixed_clamp(fixed_shift(total, MORE_BITS));
}

void int_linear_i4(const struct int_linear *l, uint32_t n, const int8_t *x,
	const int32_t *add, struct int_out out)
{
	uint32_t groups = (l->in + KERNEL_GROUP - 1) / KERNEL_GROUP;

	for (uint32_t o = 0; o < l->out; o++) {
		const uint8_t *w = (const uint8_t *)l->w + o * ((l->in + 1) / 2);
		const uint16_t *scales = l->scales + o * groups;

		for (uint32_t t = 0; t < n; t++) {
			int32_t value = dot(l, w, scales, x + t * l->in);

			linear_finish(l, add, out, t, 1, o, &value);
		}
	}
}
