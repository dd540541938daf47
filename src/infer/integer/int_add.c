#include "src/infer/integer/fixed.h"

void int_add(uint32_t n, const int32_t *x, int32_t *y)
{
	for (uint32_t i = 0; i < n; i++)
		y[i] = fixed_clamp((int64_t)y[i] + x[i]);
}
