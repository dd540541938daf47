/* The few functions of the mathematical library that the core needs, without a library.
 *
 * Straight-line code, so that a compiler can vectorise loops of them. Inputs are finite.
 * Bounds, tested over dense grids in tests/unit/test_infer.c:
 *
 *   fmath_exp      relative error <= 2.5e-7 for -87 <= x <= 88; below -87 at most 1.7e-38
 *                  (nothing denormal comes out), above 88 clipped to exp(88)
 *   fmath_rsqrt    relative error <= 3e-7 for 1e-30 <= x <= 1e30
 *   fmath_sigmoid  absolute error <= 2e-7
 *   fmath_erf      absolute error <= 6e-7
 *   fmath_gelu     absolute error <= 2e-7 * (1 + |x|)
 *   fmath_to_half  to the nearest fp16, ties to even, +-65504 at most; fmath_half is exact
 *
 * Sources: exp by Cody and Waite's two-part reduction and a Taylor polynomial on
 * |r| <= ln2 / 2; erf by Abramowitz and Stegun 7.1.26.
 */
#ifndef HAWSER_INFER_FMATH_H
#define HAWSER_INFER_FMATH_H

#include <stdint.h>

union fmath_bits {
	float f;
	uint32_t u;
};

static inline float fmath_abs(float x)
{
	union fmath_bits b = {.f = x};

	b.u &= 0x7fffffffu;
	return b.f;
}

static inline float fmath_exp(float x)
{
	const float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
	float n, r, p;
	int32_t k;
	union fmath_bits two_k;

	x = x < -87.0f ? -87.0f : x;
	x = x > 88.0f ? 88.0f : x;
	n = x * 1.44269504f;
	k = (int32_t)(n + (n < 0 ? -0.5f : 0.5f));
	n = (float)k;
	r = (x - n * ln2_high) - n * ln2_low;
	p = 1.0f / 5040;
	p = p * r + 1.0f / 720;
	p = p * r + 1.0f / 120;
	p = p * r + 1.0f / 24;
	p = p * r + 1.0f / 6;
	p = p * r + 0.5f;
	p = p * r + 1.0f;
	p = p * r + 1.0f;
	two_k.u = (uint32_t)(k + 127) << 23;
	return p * two_k.f;
}

static inline float fmath_rsqrt(float x)
{
	union fmath_bits b = {.f = x};
	float y;

	b.u = 0x5f3759dfu - (b.u >> 1);
	y = b.f;
	y = y * (1.5f - 0.5f * x * y * y);
	y = y * (1.5f - 0.5f * x * y * y);
	y = y * (1.5f - 0.5f * x * y * y);
	return y;
}

static inline float fmath_sigmoid(float x)
{
	return 1.0f / (1.0f + fmath_exp(-x));
}

static inline float fmath_erf(float x)
{
	float a = fmath_abs(x);
	float t = 1.0f / (1.0f + 0.3275911f * a);
	float p = 1.061405429f;
	float e;

	p = p * t - 1.453152027f;
	p = p * t + 1.421413741f;
	p = p * t - 0.284496736f;
	p = p * t + 0.254829592f;
	e = 1.0f - p * t * fmath_exp(-a * a);
	return x < 0 ? -e : e;
}

static inline float fmath_gelu(float x)
{
	return 0.5f * x * (1.0f + fmath_erf(x * 0.70710678f));
}

/* bf16, as scales are stored. */
static inline float fmath_bf16(uint16_t b)
{
	union fmath_bits f = {.u = (uint32_t)b << 16};

	return f.f;
}

/* fp16, as keys and values may be kept; neither infinite nor NaN. */
static inline float fmath_half(uint16_t h)
{
	union fmath_bits f;

	if ((h & 0x7c00) == 0)
		f.f = (float)(h & 0x3ff) * 0x1p-24f;
	else
		f.u = ((uint32_t)(h & 0x7fff) << 13) + (112u << 23);
	f.u |= (uint32_t)(h & 0x8000) << 16;
	return f.f;
}

static inline uint16_t fmath_to_half(float x)
{
	union fmath_bits f = {.f = x}, small;
	uint32_t sign = f.u >> 16 & 0x8000, h;

	f.u &= 0x7fffffffu;
	/* Adding a half leaves multiples of 2^-24 in the low bits. */
	small.f = f.f + 0.5f;
	if (f.f < 0x1p-14f)
		h = small.u - 0x3f000000u;
	else
		h = (f.u - (112u << 23) + 0xfffu + (f.u >> 13 & 1)) >> 13;
	h = f.f >= 65504.0f ? 0x7bff : h;
	return (uint16_t)(sign | h);
}

#endif
