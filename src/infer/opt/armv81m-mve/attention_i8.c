#include "src/infer/opt/armv81m-mve/kept.h"

void attention_i8(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data)
{
	kept_attention(a, n, n_past, data, 8);
}
