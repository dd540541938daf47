#include "src/infer/kernels.h"

void linear_back_f32(const struct linear *l, const float *x, float *y)
{
	const float *w = l->w;

	for (uint32_t i = 0; i < l->in; i++)
		y[i] = 0;
	for (uint32_t o = 0; o < l->out; o++)
		for (uint32_t i = 0; i < l->in; i++)
			y[i] += x[o] * w[(uintptr_t)o * l->in + i];
}
