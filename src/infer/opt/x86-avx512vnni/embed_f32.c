#include "src/infer/opt/x86-avx512vnni/panels.h"

void embed_f32(const struct linear *table, uint32_t n, const int32_t *ids, float *y)
{
	const float *w = table->w;

	for (uint32_t t = 0; t < n; t++, y += table->in) {
		struct panel_row r = {(uintptr_t)ids[t] * table->in, 1};

		if (table->panels)
			r = panel_row(table, (uint32_t)ids[t], table->in, 1);
		for (uint32_t i = 0; i < table->in; i++)
			y[i] = w[r.at + i * r.step];
	}
}
