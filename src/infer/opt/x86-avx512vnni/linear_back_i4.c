#include "src/infer/fmath.h"
#include "src/infer/opt/x86-avx512vnni/panels.h"

void linear_back_i4(const struct linear *l, const float *x, float *y)
{
	for (uint32_t i = 0; i < l->in; i++)
		y[i] = 0;
	for (uint32_t o = 0; o < l->out; o++) {
		struct nibble_row r = nibble_row(l, o);

		for (uint32_t i = 0; i < l->in; i++)
			y[i] += x[o] * nibble_at(&r, i);
	}
}
