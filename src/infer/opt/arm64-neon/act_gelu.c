#include "src/infer/opt/arm64-neon/vector.h"

void act_gelu(uint32_t n, float *x)
{
	uint32_t i = 0;

	for (; i + 4 <= n; i += 4)
		vst1q_f32(x + i, vector_gelu(vld1q_f32(x + i)));
	if (i < n)
		store_part(x + i, vector_gelu(load_part(x + i, n - i)), n - i);
}
