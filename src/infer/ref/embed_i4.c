#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

void embed_i4(const struct linear *table, uint32_t n, const int32_t *ids, float *y)
{
	const uint8_t *w = table->w;
	uint32_t stride = (table->in + 1) / 2;
	uint32_t groups = (table->in + KERNEL_GROUP - 1) / KERNEL_GROUP;

	for (uint32_t t = 0; t < n; t++) {
		const uint8_t *row = w + (uintptr_t)ids[t] * stride;
		const uint16_t *scales = table->scales + (uintptr_t)ids[t] * groups;

		for (uint32_t i = 0; i < table->in; i++) {
			int v = (row[i / 2] >> (i % 2 * 4) & 15) - 8;

			y[(uintptr_t)t * table->in + i] =
				(float)v * fmath_bf16(scales[i / KERNEL_GROUP]);
		}
	}
}
