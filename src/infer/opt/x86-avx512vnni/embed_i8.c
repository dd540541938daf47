#include "src/infer/fmath.h"
#include "src/infer/opt/x86-avx512vnni/panels.h"

static void from_rows(const int8_t *w, uint32_t n, float scale, float *y)
{
	for (uint32_t i = 0; i < n; i++)
		y[i] = (float)w[i] * scale;
}

static void from_panels(
	const uint8_t *w, struct panel_row r, uint32_t n, float scale, float *y)
{
	for (uint32_t i = 0; i < n; i++)
		y[i] = (float)(w[r.at + i / 4 * r.step + i % 4] - 128) * scale;
}

void embed_i8(const struct linear *table, uint32_t n, const int32_t *ids, float *y)
{
	uint32_t in = table->in;

	for (uint32_t t = 0; t < n; t++, y += in) {
		uint32_t id = (uint32_t)ids[t];
		float scale = fmath_bf16(table->scales[id]);

		if (table->panels)
			from_panels(table->w, panel_row(table, id, (in + 3) / 4, 4), in,
				scale, y);
		else
			from_rows((const int8_t *)table->w + (uintptr_t)id * in, in,
				scale, y);
	}
}
