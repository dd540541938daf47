#include "src/infer/opt/x86-avx512vnni/panels.h"

void linear_back_f32(const struct linear *l, const float *x, float *y)
{
	const float *w = l->w;

	for (uint32_t i = 0; i < l->in; i++)
		y[i] = 0;
	for (uint32_t o = 0; o < l->out; o++) {
		struct panel_row r = {(uintptr_t)o * l->in, 1};

		if (l->panels)
			r = panel_row(l, o, l->in, 1);
		for (uint32_t i = 0; i < l->in; i++)
			y[i] += x[o] * w[r.at + i * r.step];
	}
}
