#include "src/infer/ref/scores.h"

/* In the order of reduce_dot. */
static float dot(const float *q, const uint16_t *k, uint32_t d)
{
	float s[REDUCE_LANES] = {0};

	for (uint32_t i = 0; i < d; i++)
		s[i % REDUCE_LANES] += q[i] * fmath_half(k[i]);
	return reduce_lanes(s);
}

static void mix(const struct attention_data *data, float inverse, uint32_t m, uint32_t kv,
	const struct attention *a, float *out)
{
	uint32_t d = a->d_head, heads = a->n_kv_heads;
	const uint16_t *v = (const uint16_t *)data->kept_v + kv * d;

	for (uint32_t c = 0; c < d; c++)
		out[c] = 0;
	for (uint32_t j = 0; j < m; j++, v += heads * d) {
		float p = data->row[j];

		for (uint32_t c = 0; c < d; c++)
			out[c] += p * fmath_half(v[c]);
	}
	for (uint32_t c = 0; c < d; c++)
		out[c] *= inverse;
}

/* A head's slice of q is read before the same slice of out is written: out may be q. */
void attention_f16(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data)
{
	uint32_t d = a->d_head, heads = a->n_kv_heads;

	for (uint32_t t = 0; t < n; t++) {
		uint32_t i = n_past + t;
		uint32_t m = a->causal ? i + 1 : n_past + n;

		for (uint32_t h = 0; h < a->n_heads; h++) {
			uint32_t kv = h / (a->n_heads / heads);
			uintptr_t at = ((uintptr_t)t * a->n_heads + h) * d;
			const uint16_t *k = (const uint16_t *)data->kept_k + kv * d;

			for (uint32_t j = 0; j < m; j++, k += heads * d)
				data->row[j] = a->scale * dot(data->q + at, k, d) +
					       rel_bias(a, h, i, j);
			mix(data, softmax(data->row, m), m, kv, a, data->out + at);
		}
	}
}
