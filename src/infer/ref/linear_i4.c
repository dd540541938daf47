#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

/* One group: `n` columns whose first is in the low nibble of w[0]. */
static int32_t group_dot(const int8_t *x, const uint8_t *w, uint32_t n)
{
	int32_t sum = 0;

	for (uint32_t i = 0; i + 1 < n; i += 2) {
		uint8_t pair = w[i / 2];

		sum += x[i] * ((pair & 15) - 8) + x[i + 1] * ((pair >> 4) - 8);
	}
	if (n & 1)
		sum += x[n - 1] * ((w[n / 2] & 15) - 8);
	return sum;
}

static float row_dot(
	const int8_t *x, const uint8_t *w, const uint16_t *scales, uint32_t in)
{
	float s = 0;

	for (uint32_t at = 0; at < in; at += KERNEL_GROUP) {
		uint32_t n = in - at < KERNEL_GROUP ? in - at : KERNEL_GROUP;
		int32_t sum = group_dot(x + at, w + at / 2, n);

		s += (float)sum * fmath_bf16(scales[at / KERNEL_GROUP]);
	}
	return s;
}

void linear_i4(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	const uint8_t *w = l->w;
	uint32_t stride = (l->in + 1) / 2;
	uint32_t groups = (l->in + KERNEL_GROUP - 1) / KERNEL_GROUP;

	for (uint32_t t = 0; t < n; t++) {
		const int8_t *row = x + (uintptr_t)t * l->in;
		uintptr_t at = (uintptr_t)t * l->out;

		for (uint32_t o = 0; o < l->out; o++) {
			float s = row_dot(row, w + (uintptr_t)o * stride,
				l->scales + (uintptr_t)o * groups, l->in);

			s = s * x_scale[t] + (l->bias ? l->bias[o] : 0);
			y[at + o] = add ? add[at + o] + s : s;
		}
	}
}
