#include "src/infer/opt/x86-avx512vnni/norm.h"

void norm_rms(uint32_t n, uint32_t d, const float *x, const float *gain, float *y)
{
	norm_all(n, d, x, gain, 0, y, 1);
}
