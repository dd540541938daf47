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

/* A sum of products times both scales, in units of fixed. |sum| < 2^30. */
static inline int64_t fixed_product(int32_t sum, struct int_factor w, struct int_factor x)
{
	return fixed_wide((int64_t)sum * (int64_t)((uint64_t)w.mul * x.mul),
		w.exp + x.exp + FIXED_BITS);
}

static inline int8_t fixed_to_int8(int32_t v, struct int_factor inverse)
{
	uint64_t a = (uint64_t)(v < 0 ? -(int64_t)v : v) * inverse.mul;
	int32_t s = FIXED_BITS - inverse.exp;

	if (s > 0)
		a = s > 62 ? 0 : (a + (UINT64_C(1) << (s - 1))) >> s;
	else if (a)
		a = s < -7 || a > 127 ? 127 : a << -s;
	a = a > 127 ? 127 : a;
	return (int8_t)(v < 0 ? -(int32_t)a : (int32_t)a);
}

static inline int32_t fixed_act(const struct int_act *act, int32_t v)
{
	int32_t s = FIXED_BITS - (int32_t)act->step_bits, y = v > 0 ? v : 0;
	uint32_t a = (uint32_t)(v < 0 ? -v : v), i = a >> s;
	int32_t part = (int32_t)(a & ((1u << s) - 1)), first, second, d;

	if (i >= act->n)
		return y;
	/* Newton's forward differences; in units of 2^-(17 + s), and s is 11 */
	first = act->delta[i + 1] - act->delta[i];
	second = act->delta[i + 2] - act->delta[i + 1] - first;
	d = act->delta[i] * (1 << s) + first * part;
	d += second * (part * (part - (1 << s))) / (1 << (s + 1));
	return y - ((d + (1 << s)) >> (s + 1));
}

static inline void fixed_store(
	struct int_out out, uint64_t at, struct int_factor inverse, int32_t v)
{
	if (out.y)
		out.y[at] = v;
	if (out.q)
		out.q[at] = fixed_to_int8(v, inverse);
}

#endif
