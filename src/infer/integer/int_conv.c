#include "src/infer/integer/fixed.h"

/* Input `at` of channel c; those before the first come from the state, or are zero. */
static int32_t input(const struct int_conv *c, uint32_t n, const int32_t *x,
	const int32_t *state, int64_t at, uint32_t channel)
{
	if (at >= (int64_t)n)
		return 0;
	if (at >= 0)
		return x[(uint64_t)at * c->d + channel];
	return state ? state[(uint64_t)(at + c->width - 1) * c->d + channel] : 0;
}

void int_conv(const struct int_conv *c, uint32_t n, const int32_t *x, int32_t *state,
	int32_t *y)
{
	uint32_t kept = c->width - 1;

	for (uint32_t t = 0; t < n; t++)
		for (uint32_t ch = 0; ch < c->d; ch++) {
			int64_t sum = 0;

			for (uint32_t j = 0; j < c->width; j++)
				sum += (int64_t)c->w[ch * c->width + j] *
				       input(c, n, x, state, (int64_t)t + j - c->now, ch);
			y[(uint64_t)t * c->d + ch] =
				fixed_clamp(fixed_shift(sum, FIXED_BITS));
		}
	for (uint32_t i = 0; state && i < kept; i++)
		for (uint32_t ch = 0; ch < c->d; ch++)
			state[i * c->d + ch] =
				input(c, n, x, state, (int64_t)n + i - kept, ch);
}
