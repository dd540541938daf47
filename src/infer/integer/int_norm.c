/* (x - mean) / sigma by one integer square root and one division a row. */
#include "src/infer/integer/fixed.h"

#define CENTRED_BITS 25	   /* of what is squared: 8192 squares fit 63 bits */
#define EPSILON 42950	   /* 1e-5 in units of 2^-32 */
#define UNIT_BITS 20	   /* of (x - mean) / sigma */
#define RECIPROCAL_BITS 61 /* of 2^61 / root, root in [2^30, 2^31) */

/* Rounded down. */
static uint32_t square_root(uint64_t v)
{
	uint64_t root = 0, bit = UINT64_C(1) << 62;

	for (; bit; bit >>= 2) {
		if (v >= root + bit) {
			v -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return (uint32_t)root;
}

static int32_t mean_of(uint32_t d, const int32_t *x)
{
	int64_t sum = 0;

	for (uint32_t c = 0; c < d; c++)
		sum += x[c];
	sum = 2 * sum + (sum < 0 ? -(int64_t)d : (int64_t)d);
	return (int32_t)(sum / (2 * (int64_t)d));
}

/* How far |x - mean| is shifted so that it has CENTRED_BITS bits at most. */
static int32_t shift_of(uint32_t d, const int32_t *x, int32_t mean)
{
	uint32_t all = 0;
	int32_t shift = 0;

	for (uint32_t c = 0; c < d; c++)
		all |= (uint32_t)(x[c] < mean ? mean - x[c] : x[c] - mean);
	while (all >> shift >> CENTRED_BITS)
		shift++;
	return shift;
}

/* 1 / sigma of centred values, in units of 2^-UNIT_BITS. */
static struct fixed_ratio sigma_of(
	uint32_t d, const int32_t *x, int32_t mean, int32_t shift)
{
	int32_t bits = RECIPROCAL_BITS - UNIT_BITS;
	uint64_t sum = 0, v;

	for (uint32_t c = 0; c < d; c++) {
		int32_t centred = (x[c] - mean) >> shift;

		sum += (uint64_t)((int64_t)centred * centred);
	}
	v = sum / d + (EPSILON >> 2 * shift);
	for (; v < UINT64_C(1) << 60; v <<= 2)
		bits--;
	v = (UINT64_C(1) << RECIPROCAL_BITS) / square_root(v);
	return fixed_ratio((uint32_t)v, -bits);
}

static void normalise(
	const struct int_norm *l, const int32_t *x, struct int_out out, uint32_t at)
{
	int32_t mean = l->rms ? 0 : mean_of(l->d, x);
	int32_t shift = shift_of(l->d, x, mean);
	struct fixed_ratio sigma = sigma_of(l->d, x, mean, shift);
	struct fixed_ratio inverse = fixed_inverse(l->inverse);

	for (uint32_t c = 0; c < l->d; c++) {
		/* at most the root of d */
		int32_t unit = fixed_times((x[c] - mean) >> shift, &sigma);
		int64_t y = (int64_t)unit * l->gain[c] + (1 << (UNIT_BITS - 1));

		y >>= UNIT_BITS;
		y += l->bias ? l->bias[c] : 0;
		fixed_store(out, at + c, &inverse, fixed_clamp(y));
	}
}

void int_norm(const struct int_norm *l, uint32_t n, const int32_t *x, struct int_out out)
{
	for (uint32_t t = 0; t < n; t++)
		normalise(l, x + t * l->d, out, t * l->d);
}
