#include "src/infer/kernels.h"

void pool_max(uint32_t n, uint32_t d, const float *x, float *y)
{
	for (uint32_t i = 0; i < d; i++)
		y[i] = x[i];
	for (uint32_t t = 1; t < n; t++)
		for (uint32_t i = 0; i < d; i++) {
			float v = x[(uintptr_t)t * d + i];

			y[i] = v > y[i] ? v : y[i];
		}
}
