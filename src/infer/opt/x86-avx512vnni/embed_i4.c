#include "src/infer/fmath.h"
#include "src/infer/opt/x86-avx512vnni/panels.h"

void embed_i4(const struct linear *table, uint32_t n, const int32_t *ids, float *y)
{
	uint32_t in = table->in;

	for (uint32_t t = 0; t < n; t++, y += in) {
		struct nibble_row r = nibble_row(table, (uint32_t)ids[t]);

		for (uint32_t i = 0; i < in; i++)
			y[i] = nibble_at(&r, i);
	}
}
