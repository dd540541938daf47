#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

void linear_back_i8(const struct linear *l, const float *x, float *y)
{
	const int8_t *w = l->w;

	for (uint32_t i = 0; i < l->in; i++)
		y[i] = 0;
	for (uint32_t o = 0; o < l->out; o++) {
		float s = x[o] * fmath_bf16(l->scales[o]);

		for (uint32_t i = 0; i < l->in; i++)
			y[i] += s * (float)w[(uintptr_t)o * l->in + i];
	}
}
