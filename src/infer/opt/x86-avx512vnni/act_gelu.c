#include "src/infer/opt/x86-avx512vnni/vector.h"

void act_gelu(uint32_t n, float *x)
{
	act_rows(KERNEL_GELU, 1, n, n, x);
}
