#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	const int8_t *w = l->w;

	for (uint32_t t = 0; t < n; t++) {
		const int8_t *row = x + (uintptr_t)t * l->in;
		uintptr_t at = (uintptr_t)t * l->out;

		for (uint32_t o = 0; o < l->out; o++) {
			const int8_t *wo = w + (uintptr_t)o * l->in;
			int32_t sum = 0;
			float s;

			for (uint32_t i = 0; i < l->in; i++)
				sum += row[i] * wo[i];
			s = (float)sum * (x_scale[t] * fmath_bf16(l->scales[o]));
			s += l->bias ? l->bias[o] : 0;
			y[at + o] = add ? add[at + o] + s : s;
		}
	}
}
