#include "src/infer/kernels.h"

void pool_mean(uint32_t n, uint32_t d, const float *x, float *y)
{
	float inverse = 1 / (float)n;

	for (uint32_t i = 0; i < d; i++)
		y[i] = 0;
	for (uint32_t t = 0; t < n; t++)
		for (uint32_t i = 0; i < d; i++)
			y[i] += x[(uintptr_t)t * d + i];
	for (uint32_t i = 0; i < d; i++)
		y[i] *= inverse;
}
