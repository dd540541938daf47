#include "src/infer/opt/x86-avx512vnni/norm_quant.h"

void norm_ln_quant(uint32_t n, uint32_t d, const float *x, const float *gain,
	const float *bias, float *y, int8_t *q, float *scale)
{
	norm_quant_all(n, d, x, gain, bias, y, q, scale, 0);
}
