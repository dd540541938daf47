#include "src/infer/integer/integer.h"

#define MANTISSA_BITS 23
#define EXPONENT_ZERO 127

static uint32_t float_bits(int32_t x)
{
	uint32_t a = (uint32_t)(x < 0 ? -x : x), exponent = MANTISSA_BITS;

	if (!a)
		return 0;
	for (; a >> (MANTISSA_BITS + 1); a >>= 1)
		exponent++;
	for (; !(a >> MANTISSA_BITS); a <<= 1)
		exponent--;
	a &= (1u << MANTISSA_BITS) - 1;
	a |= (exponent + EXPONENT_ZERO - FIXED_BITS) << MANTISSA_BITS;
	return x < 0 ? a | 0x80000000u : a;
}

void int_logits(uint32_t n, const int32_t *x, float *y)
{
	for (uint32_t i = 0; i < n; i++) {
		union {
			uint32_t u;
			float f;
		} bits = {float_bits(x[i])};

		y[i] = bits.f;
	}
}
