#include "src/infer/integer/linear.h"
#include "src/infer/kernels.h"

#define MORE_BITS 8 /* that sums of groups carry below fixed */

static int nibble(const uint8_t *w, uint32_t i)
{
	return (w[i / 2] >> 4 * (i % 2) & 15) - 8;
}

static int64_t dot(const struct int_linear *l, const uint8_t *w, const uint16_t *scales,
	const int8_t *x)
{
	int64_t total = 0;

	for (uint32_t from = 0; from < l->in; from += KERNEL_GROUP) {
		uint32_t end = l->in - from < KERNEL_GROUP ? l->in : from + KERNEL_GROUP;
		struct int_factor scale = fixed_bf16(*scales++);
		int32_t sum = 0;

		for (uint32_t i = from; i < end; i++)
			sum += nibble(w, i) * x[i];
		scale.exp += MORE_BITS;
		total += fixed_product(sum, scale, l->x);
	}
	return fixed_shift(total, MORE_BITS);
}

void int_linear_i4(const struct int_linear *l, uint32_t n, const int8_t *x,
	const int32_t *add, struct int_out out)
{
	uint32_t groups = (l->in + KERNEL_GROUP - 1) / KERNEL_GROUP;

	for (uint32_t o = 0; o < l->out; o++) {
		const uint8_t *w =
			(const uint8_t *)l->w + (uint64_t)o * ((l->in + 1) / 2);
		const uint16_t *scales = l->scales + (uint64_t)o * groups;

		for (uint32_t t = 0; t < n; t++)
			linear_finish(l, o, dot(l, w, scales, x + (uint64_t)t * l->in),
				add, out, (uint64_t)t * l->out + o);
	}
}
