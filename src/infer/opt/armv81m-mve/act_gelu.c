#include "src/infer/opt/armv81m-mve/vector.h"

void act_gelu(uint32_t n, float *x)
{
	each_vector(n, x, KERNEL_GELU);
}
