#include "src/infer/opt/x86-avx512vnni/norm_static.h"

void norm_ln_quant_static(uint32_t n, uint32_t d, const float *x, const float *gain,
	const float *bias, float *y, float inverse, int8_t *q)
{
	norm_static_all(n, d, x, gain, bias, y, inverse, q, 0);
}
