#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

void embed_i8(const struct linear *table, uint32_t n, const int32_t *ids, float *y)
{
	const int8_t *w = table->w;

	for (uint32_t t = 0; t < n; t++) {
		const int8_t *row = w + (uintptr_t)ids[t] * table->in;
		float s = fmath_bf16(table->scales[ids[t]]);

		for (uint32_t i = 0; i < table->in; i++)
			y[(uintptr_t)t * table->in + i] = (float)row[i] * s;
	}
}
