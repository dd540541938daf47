#include "src/infer/opt/x86-avx512vnni/vector.h"

void act_gelu(uint32_t n, float *x)
{
	for (uint32_t i = 0; i < n; i += 16) {
		__mmask16 m = lanes_left(n, i);

		_mm512_mask_storeu_ps(
			x + i, m, vector_gelu(_mm512_maskz_loadu_ps(m, x + i)));
	}
}
