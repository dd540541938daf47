#include "src/infer/opt/x86-avx2/vmath.h"

void act_gelu(uint32_t n, float *x)
{
	uint32_t i = 0;

	for (; i + 8 <= n; i += 8)
		_mm256_storeu_ps(x + i, vector_gelu(_mm256_loadu_ps(x + i), 0));
	if (i < n) {
		__m256i m = lanes_left(n, i);

		_mm256_maskstore_ps(
			x + i, m, vector_gelu(_mm256_maskload_ps(x + i, m), 0));
	}
}
