#include "src/infer/integer/fixed.h"
#include "src/infer/kernels.h"

void int_embed_i4(
	const struct int_linear *table, uint32_t n, const int32_t *ids, int32_t *y)
{
	uint32_t groups = (table->in + KERNEL_GROUP - 1) / KERNEL_GROUP;

	for (uint32_t t = 0; t < n; t++) {
		const uint8_t *row = (const uint8_t *)table->w +
				     (uint64_t)ids[t] * ((table->in + 1) / 2);
		const uint16_t *scales = table->scales + (uint64_t)ids[t] * groups;

		for (uint32_t c = 0; c < table->in; c++) {
			struct int_factor scale = fixed_bf16(scales[c / KERNEL_GROUP]);
			int q = (row[c / 2] >> 4 * (c % 2) & 15) - 8;

			*y++ = fixed_scaled(
				q * (int64_t)scale.mul, scale.exp + FIXED_BITS);
		}
	}
}
