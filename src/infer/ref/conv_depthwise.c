#include "src/infer/kernels.h"

/* The input row `ahead` tokens after (or before, when negative) token t; 0 outside. */
static const float *input_row(
	const struct conv *c, uint32_t n, const float *x, const float *state, int64_t at)
{
	int64_t before = (int64_t)c->width - 1;

	if (at >= (int64_t)n || (at < 0 && (!state || at < -before)))
		return 0;
	if (at < 0)
		return state + (uintptr_t)(before + at) * c->d;
	return x + (uintptr_t)at * c->d;
}

/* Keeps the last width - 1 inputs. Rows move towards the start, so forward is safe. */
static void keep_last(const struct conv *c, uint32_t n, const float *x, float *state)
{
	int64_t before = (int64_t)c->width - 1;

	for (int64_t r = 0; r < before; r++) {
		const float *from = input_row(c, n, x, state, (int64_t)n - before + r);
		float *to = state + (uintptr_t)r * c->d;

		for (uint32_t i = 0; i < c->d; i++)
			to[i] = from ? from[i] : 0;
	}
}

void conv_depthwise(
	const struct conv *c, uint32_t n, const float *x, float *state, float *y)
{
	for (uint32_t t = 0; t < n; t++) {
		float *out = y + (uintptr_t)t * c->d;

		for (uint32_t i = 0; i < c->d; i++)
			out[i] = 0;
		for (uint32_t j = 0; j < c->width; j++) {
			const float *in = input_row(c, n, x, state,
				(int64_t)t + (int64_t)j - (int64_t)c->now);

			for (uint32_t i = 0; in && i < c->d; i++)
				out[i] += in[i] * c->w[(uintptr_t)i * c->width + j];
		}
	}
	if (state)
		keep_last(c, n, x, state);
}
