#include "src/infer/ref/scores.h"

static void mix(const float *row, float inverse, uint32_t m, const float *v,
	const struct attention *a, float *out)
{
	uint32_t stride = a->n_kv_heads * a->d_head;

	for (uint32_t c = 0; c < a->d_head; c++)
		out[c] = 0;
	for (uint32_t j = 0; j < m; j++) {
		const float *vj = v + (uintptr_t)j * stride;

		for (uint32_t c = 0; c < a->d_head; c++)
			out[c] += row[j] * vj[c];
	}
	for (uint32_t c = 0; c < a->d_head; c++)
		out[c] *= inverse;
}

/* A head's slice of q is read before the same slice of out is written: out may be q. */
void attention(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data)
{
	uint32_t stride = a->n_kv_heads * a->d_head;
	uint32_t per_kv = a->n_heads / a->n_kv_heads;

	for (uint32_t t = 0; t < n; t++) {
		uint32_t i = n_past + t;
		uint32_t m = a->causal ? i + 1 : n_past + n;

		for (uint32_t h = 0; h < a->n_heads; h++) {
			uintptr_t at = ((uintptr_t)t * a->n_heads + h) * a->d_head;
			const float *k = data->k + h / per_kv * a->d_head;
			const float *v = data->v + h / per_kv * a->d_head;

			for (uint32_t j = 0; j < m; j++)
				data->row[j] =
					a->scale * reduce_dot(data->q + at,
							   k + (uintptr_t)j * stride,
							   a->d_head) +
					rel_bias(a, h, i, j);
			mix(data->row, softmax(data->row, m), m, v, a, data->out + at);
		}
	}
}
