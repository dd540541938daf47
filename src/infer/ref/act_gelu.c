#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

void act_gelu(uint32_t n, float *x)
{
	for (uint32_t i = 0; i < n; i++)
		x[i] = fmath_gelu(x[i]);
}
