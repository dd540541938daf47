#include "src/infer/opt/x86-avx512vnni/norm_static.h"

void norm_rms_quant_static(uint32_t n, uint32_t d, const float *x, const float *gain,
	float *y, float inverse, int8_t *q)
{
	norm_static_all(n, d, x, gain, 0, y, inverse, q, 1);
}
