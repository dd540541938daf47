#include "src/infer/kernels.h"

void act_relu(uint32_t n, float *x)
{
	for (uint32_t i = 0; i < n; i++)
		x[i] = x[i] > 0 ? x[i] : 0;
}
