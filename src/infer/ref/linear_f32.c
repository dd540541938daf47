#include "src/infer/kernels.h"
#include "src/infer/ref/reduce.h"

void linear_f32(
	const struct linear *l, uint32_t n, const float *x, const float *add, float *y)
{
	const float *w = l->w;

	for (uint32_t t = 0; t < n; t++) {
		const float *row = x + (uintptr_t)t * l->in;
		uintptr_t at = (uintptr_t)t * l->out;

		for (uint32_t o = 0; o < l->out; o++) {
			float s = reduce_dot(row, w + (uintptr_t)o * l->in, l->in);

			s += l->bias ? l->bias[o] : 0;
			y[at + o] = add ? add[at + o] + s : s;
		}
	}
}
