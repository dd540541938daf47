#include "src/infer/opt/arm64-neon/vector.h"

void act_gelu(uint32_t n, float *x)
{
	for (uint32_t k = n / 4; k; k--, x += 4)
		vst1q_f32(x, vector_gelu(vld1q_f32(x)));
	if (n % 4)
		store_part(x, vector_gelu(load_part(x, n % 4)), n % 4);
}
