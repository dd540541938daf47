#include "src/infer/kernels.h"

void pool_first(uint32_t n, uint32_t d, const float *x, float *y)
{
	(void)n;
	for (uint32_t i = 0; i < d; i++)
		y[i] = x[i];
}
