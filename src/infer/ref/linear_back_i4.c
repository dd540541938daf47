#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

void linear_back_i4(const struct linear *l, const float *x, float *y)
{
	const uint8_t *w = l->w;
	const uint16_t *scales = l->scales;

	for (uint32_t i = 0; i < l->in; i++)
		y[i] = 0;
	for (uint32_t o = 0; o < l->out; o++) {
		for (uint32_t i = 0; i < l->in; i++) {
			int v = (w[i / 2] >> (i % 2 * 4) & 15) - 8;

			y[i] += x[o] * fmath_bf16(scales[i / KERNEL_GROUP]) * (float)v;
		}
		w += (l->in + 1) / 2;
		scales += (l->in + KERNEL_GROUP - 1) / KERNEL_GROUP;
	}
}
