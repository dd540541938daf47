#include "src/infer/fmath.h"
#include "src/infer/kernels.h"
#include "src/infer/ref/reduce.h"

/* Bias of seeing token j from token i. */
static float rel_bias(const struct attention *a, uint32_t head, uint32_t i, uint32_t j)
{
	uint32_t r = a->rel_radius, at;

	if (!a->rel)
		return 0;
	if (j >= i)
		at = r + (j - i < r ? j - i : r);
	else
		at = r - (i - j < r ? i - j : r);
	return a->rel[head * (2 * r + 1) + at];
}

/* Leaves unnormalised weights in row[0..m); returns 1 / their sum. */
static float softmax(float *row, uint32_t m)
{
	float largest = row[0];

	for (uint32_t j = 1; j < m; j++)
		largest = row[j] > largest ? row[j] : largest;
	for (uint32_t j = 0; j < m; j++)
		row[j] = fmath_exp(row[j] - largest);
	return 1 / reduce_sum(row, m);
}

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
