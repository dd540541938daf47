/* Arithmetic that the kernels without floating point share. Every function is defined for
 * all arguments in the stated ranges; none overflows.
 */
#ifndef HAWSER_INFER_INTEGER_FIXED_H
#define HAWSER_INFER_INTEGER_FIXED_H

#include "src/infer/integer/integer.h"

_Static_assert((-1 >> 1) == -1, "shifts to the right keep the sign");

static inline int32_t fixed_clamp(int64_t v)
{
	return v > FIXED_MAX ? FIXED_MAX : v < -FIXED_MAX ? -FIXED_MAX : (int32_t)v;
}

/* v / 2^s to the nearest, halves upwards; |v| < 2^62, s >= 0. */
static inline int64_t fixed_shift(int64_t v, int32_t s)
{
	if (s <= 0)
		return v;
	return s > 62 ? 0 : (v + (INT64_C(1) << (s - 1))) >> s;
}

/* v * 2^exp, saturated to 40 bits, of which thousands add up; |v| < 2^62. */
static inline int64_t fixed_wide(int64_t v, int32_t exp)
{
	const int64_t most = (INT64_C(1) << 40) - 1;

	if (exp <= 0)
		v = fixed_shift(v, -exp);
	else if (v > most >> 1 || v < -(most >> 1) || exp > 40)
		return v > 0 ? most : v < 0 ? -most : 0;
	for (; exp > 0 && v <= most && v >= -most; exp--)
		v *= 2;
	return v > most ? most : v < -most ? -most : v;
}

/* The same as fixed. */
static inline int32_t fixed_scaled(int64_t v, int32_t exp)
{
	return fixed_clamp(fixed_wide(v, exp));
}

/* bf16 above zero (or zero, as the smallest) as mul * 2^exp, mul < 2^8. */
static inline struct int_factor fixed_bf16(uint16_t bits)
{
	struct int_factor f = {(bits & 0x7fu) | 0x80u, (int32_t)(bits >> 7) - 134};

	return f;
}

/* What many numbers are multiplied with, a factor whose product is cut off at FIXED_MAX or
 * somewhat above: v is limited so that the upper half of one 32 by 32 bit product has it. */
struct fixed_ratio {
	int32_t limit, mul, half;
	int32_t up, down; /* v * 2^up * mul / 2^32 / 2^down */
};

/* mul * 2^exp, mul < 2^32; mul 0 is zero. */
static inline struct fixed_ratio fixed_ratio(uint32_t mul, int32_t exp)
{
	struct fixed_ratio r = {1, 0, 1, 0, 1};
	int32_t shift;

	if (mul == 0)
		return r;
	for (; mul < 1u << 30; mul *= 2)
		exp--;
	if (mul > INT32_MAX) {
		mul = mul / 2 + (mul & 1);
		exp++;
	}
	if (mul > INT32_MAX) { /* 2^31 */
		mul /= 2;
		exp++;
	}
	shift = -exp;
	if (shift > 62)
		return r;
	/* from 2^(shift - 3) on the product is at least 2^27 */
	shift = shift < 3 ? 3 : shift;
	r.limit = shift > 33 ? 1 << 30 : 1 << (shift - 3);
	r.mul = (int32_t)mul;
	r.up = shift < 33 ? 33 - shift : 0;
	r.down = shift < 33 ? 1 : shift - 32;
	r.half = 1 << (r.down - 1);
	return r;
}

static inline int64_t fixed_times_exactly(int32_t v, const struct fixed_ratio *r)
{
	v = v > r->limit ? r->limit : v < -r->limit ? -r->limit : v;
	return (int64_t)(v * (1 << r->up)) * r->mul;
}

/* To the nearest, halves upwards; |result| <= 2^29. */
static inline int32_t fixed_times(int32_t v, const struct fixed_ratio *r)
{
	return ((int32_t)(fixed_times_exactly(v, r) >> 32) + r->half) >> r->down;
}

/* Of a sum of products: both scales, in units of 2^-(FIXED_BITS + more_bits). */
static inline struct fixed_ratio fixed_product(
	uint16_t w_scale, struct int_factor x, int32_t more_bits)
{
	struct int_factor w = fixed_bf16(w_scale);

	return fixed_ratio(w.mul * x.mul, w.exp + x.exp + FIXED_BITS + more_bits);
}

/* Of fixed to int8. */
static inline struct fixed_ratio fixed_inverse(struct int_factor inverse)
{
	return fixed_ratio(inverse.mul, inverse.exp - FIXED_BITS);
}

/* To the nearest, halves away from zero. */
static inline int8_t fixed_to_int8(int32_t v, const struct fixed_ratio *inverse)
{
	int64_t exact = fixed_times_exactly(v, inverse) - (v < 0);
	int32_t q = ((int32_t)(exact >> 32) + inverse->half) >> inverse->down;

	return (int8_t)(q > 127 ? 127 : q < -127 ? -127 : q);
}

/* GELU and the like, see struct int_act; Newton's forward differences. */
static inline int32_t fixed_act(const struct int_act *act, int32_t v)
{
	const int32_t s = FIXED_BITS - INT_ACT_BITS;
	int32_t y = v > 0 ? v : 0, part, first, second, d;
	uint32_t a = (uint32_t)(v < 0 ? -v : v), i = a >> s;

	if (i >= act->n)
		return y;
	part = (int32_t)(a & ((1u << s) - 1));
	first = act->delta[i + 1] - act->delta[i];
	second = act->delta[i + 2] - act->delta[i + 1] - first;
	/* in units of 2^-(17 + s) */
	d = act->delta[i] * (1 << s) + first * part;
	d += (second * (part * (part - (1 << s)))) >> (s + 1);
	return y - ((d + (1 << s)) >> (s + 1));
}

static inline void fixed_store(
	struct int_out out, uint32_t at, const struct fixed_ratio *inverse, int32_t v)
{
	if (out.y)
		out.y[at] = v;
	if (out.q)
		out.q[at] = fixed_to_int8(v, inverse);
}

#endif
