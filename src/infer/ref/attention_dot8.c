#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

/* Nearest whole number, half to even, of |x| < 2^22. */
static int32_t nearest(float x)
{
	const float magic = 12582912.0f; /* 1.5 * 2^23 */
	union fmath_bits b = {.f = x + magic};

	return (int32_t)(b.u - 0x4b400000u);
}

/* One head's values over all tokens as integers q [n, d]; returns their scale. */
static float quantise(const float *x, uint32_t stride, uint32_t n, uint32_t d, int8_t *q)
{
	float largest = 0, inverse;

	for (uint32_t t = 0; t < n; t++)
		for (uint32_t c = 0; c < d; c++) {
			float v = fmath_abs(x[(uintptr_t)t * stride + c]);

			largest = v > largest ? v : largest;
		}
	inverse = largest < 1e-30f ? 0 : 127 / largest;
	for (uint32_t t = 0; t < n; t++)
		for (uint32_t c = 0; c < d; c++)
			q[(uintptr_t)t * d + c] =
				(int8_t)nearest(x[(uintptr_t)t * stride + c] * inverse);
	return largest / 127;
}

static int32_t dot(const int8_t *x, const int8_t *y, uint32_t n)
{
	int32_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += x[i] * y[i];
	return sum;
}

static float rel_bias(const struct attention *a, uint32_t head, int32_t away)
{
	int32_t r = (int32_t)a->rel_radius;

	away = away < -r ? -r : away > r ? r : away;
	return a->rel ? a->rel[(int32_t)head * (2 * r + 1) + away + r] : 0;
}

/* s[0..m) to weights of 0..255; returns their sum. */
static int32_t weigh(float *s, uint32_t m, uint8_t *u)
{
	float largest = s[0];
	int32_t sum = 0;

	for (uint32_t j = 1; j < m; j++)
		largest = s[j] > largest ? s[j] : largest;
	for (uint32_t j = 0; j < m; j++)
		sum += u[j] = (uint8_t)nearest(255 * fmath_exp(s[j] - largest));
	return sum;
}

static void mix(const uint8_t *u, uint32_t m, const int8_t *v, uint32_t d, float scale,
	float *out)
{
	for (uint32_t c = 0; c < d; c++) {
		int32_t sum = 0;

		for (uint32_t j = 0; j < m; j++)
			sum += u[j] * v[(uintptr_t)j * d + c];
		out[c] = (float)sum * scale;
	}
}

void attention_dot8(
	const struct attention *a, uint32_t n, const struct attention_data *data)
{
	uint32_t d = a->d_head, per_kv = a->n_heads / a->n_kv_heads;
	uint32_t q_width = a->n_heads * d, kv_width = a->n_kv_heads * d;
	uint32_t q_stride = data->stride ? data->stride : q_width;
	uint32_t kv_stride = data->stride ? data->stride : kv_width;
	float *s = data->row, k_scale = 0, v_scale = 0;
	uint8_t *u = (uint8_t *)(s + n);
	int8_t *q = (int8_t *)(u + n), *k = q + (uintptr_t)n * d,
	       *v = k + (uintptr_t)n * d;

	for (uint32_t h = 0; h < a->n_heads; h++) {
		float scale = quantise(data->q + h * d, q_stride, n, d, q);

		if (h % per_kv == 0) {
			uint32_t at = h / per_kv * d;

			k_scale = quantise(data->k + at, kv_stride, n, d, k);
			v_scale = quantise(data->v + at, kv_stride, n, d, v);
		}
		scale *= k_scale * a->scale;
		for (uint32_t i = 0; i < n; i++) {
			uint32_t m = a->causal ? i + 1 : n;

			for (uint32_t j = 0; j < m; j++)
				s[j] = scale * (float)dot(q + (uintptr_t)i * d,
						       k + (uintptr_t)j * d, d) +
				       rel_bias(a, h, (int32_t)j - (int32_t)i);
			mix(u, m, v, d, v_scale / (float)weigh(s, m, u),
				data->out + (uintptr_t)i * q_width + h * d);
		}
	}
}
