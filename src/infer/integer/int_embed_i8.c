#include "src/infer/integer/fixed.h"

void int_embed_i8(
	const struct int_linear *table, uint32_t n, const int32_t *ids, int32_t *y)
{
	for (uint32_t t = 0; t < n; t++) {
		const int8_t *row =
			(const int8_t *)table->w + (uint64_t)ids[t] * table->in;
		struct int_factor scale = fixed_bf16(table->scales[ids[t]]);

		for (uint32_t c = 0; c < table->in; c++)
			*y++ = fixed_scaled(
				(int64_t)row[c] * scale.mul, scale.exp + FIXED_BITS);
	}
}
