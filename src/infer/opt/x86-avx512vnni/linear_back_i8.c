#include "src/infer/fmath.h"
#include "src/infer/opt/x86-avx512vnni/panels.h"

static void add_panel_row(
	const uint8_t *w, struct panel_row r, uint32_t n, float s, float *y)
{
	for (uint32_t i = 0; i < n; i++)
		y[i] += s * (float)(w[r.at + i / 4 * r.step + i % 4] - 128);
}

static void add_row(const int8_t *w, uint32_t n, float s, float *y)
{
	for (uint32_t i = 0; i < n; i++)
		y[i] += s * (float)w[i];
}

void linear_back_i8(const struct linear *l, const float *x, float *y)
{
	for (uint32_t i = 0; i < l->in; i++)
		y[i] = 0;
	for (uint32_t o = 0; o < l->out; o++) {
		float s = x[o] * fmath_bf16(l->scales[o]);

		if (l->panels)
			add_panel_row(
				l->w, panel_row(l, o, (l->in + 3) / 4, 4), l->in, s, y);
		else
			add_row((const int8_t *)l->w + (uintptr_t)o * l->in, l->in, s, y);
	}
}
