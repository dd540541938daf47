#include "src/infer/integer/linear.h"

static int32_t dot(uint32_t n, const int8_t *w, const int8_t *x)
{
	int32_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += w[i] * x[i];
	return sum;
}

void int_linear_i8(const struct int_linear *l, uint32_t n, const int8_t *x,
	const int32_t *add, struct int_out out)
{
	for (uint32_t o = 0; o < l->out; o++) {
		const int8_t *w = (const int8_t *)l->w + (uint64_t)o * l->in;
		struct int_factor scale = fixed_bf16(l->scales[o]);

		for (uint32_t t = 0; t < n; t++) {
			int32_t sum = dot(l->in, w, x + (uint64_t)t * l->in);

			linear_finish(l, o, fixed_product(sum, scale, l->x), add, out,
				(uint64_t)t * l->out + o);
		}
	}
}
