#include "src/infer/opt/x86-avx512vnni/norm.h"

void norm_ln(uint32_t n, uint32_t d, const float *x, const float *gain, const float *bias,
	float *y)
{
	norm_all(n, d, x, gain, bias, y, 0);
}
