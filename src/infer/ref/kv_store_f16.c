#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

void kv_store_f16(uint32_t n, const float *x, uint16_t *y)
{
	for (uint32_t i = 0; i < n; i++)
		y[i] = fmath_to_half(x[i]);
}
