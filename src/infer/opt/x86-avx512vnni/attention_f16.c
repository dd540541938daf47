#include "src/infer/opt/x86-avx512vnni/one_query.h"

void attention_f16(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data)
{
	kept_queries(a, n, n_past, data, KEPT_F16);
}
