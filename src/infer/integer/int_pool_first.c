#include "src/infer/integer/integer.h"

void int_pool_first(uint32_t n, uint32_t d, const int32_t *x, int32_t *y)
{
	(void)n;
	for (uint32_t c = 0; c < d; c++)
		y[c] = x[c];
}
