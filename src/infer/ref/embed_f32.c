#include "src/infer/kernels.h"

void embed_f32(const struct linear *table, uint32_t n, const int32_t *ids, float *y)
{
	const float *w = table->w;

	for (uint32_t t = 0; t < n; t++) {
		const float *row = w + (uintptr_t)ids[t] * table->in;

		for (uint32_t i = 0; i < table->in; i++)
			y[(uintptr_t)t * table->in + i] = row[i];
	}
}
