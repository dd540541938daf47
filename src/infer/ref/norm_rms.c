#include "src/infer/fmath.h"
#include "src/infer/kernels.h"
#include "src/infer/ref/reduce.h"

void norm_rms(uint32_t n, uint32_t d, const float *x, const float *gain, float *y)
{
	for (uint32_t t = 0; t < n; t++) {
		const float *row = x + (uintptr_t)t * d;
		float *out = y + (uintptr_t)t * d;
		float scale = fmath_rsqrt(reduce_dot(row, row, d) / (float)d + 1e-5f);

		for (uint32_t i = 0; i < d; i++)
			out[i] = row[i] * scale * gain[i];
	}
}
