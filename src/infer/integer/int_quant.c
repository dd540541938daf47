#include "src/infer/integer/fixed.h"

void int_quant(uint32_t n, struct int_factor inverse, const int32_t *x, int8_t *q)
{
	struct fixed_ratio r = fixed_inverse(inverse);

	for (uint32_t i = 0; i < n; i++)
		q[i] = fixed_to_int8(x[i], &r);
}
