/* What the products of int8 and int4 share: sums become results. */
#ifndef HAWSER_INFER_INTEGER_LINEAR_H
#define HAWSER_INFER_INTEGER_LINEAR_H

#include "src/infer/integer/fixed.h"

/* One output of `n` tokens from `first` on, of values without bias, |value| <= 2^29. What is
 * stored may be bytes, which might be anything's behind a pointer: so all is read before. */
static inline void linear_finish(const struct int_linear *l, const int32_t *add,
	struct int_out out, uint32_t first, uint32_t n, uint32_t o, const int32_t *value)
{
	const struct fixed_ratio inverse = fixed_inverse(l->inverse);
	const int32_t bias = l->bias ? l->bias[o] : 0;
	const struct int_act act = l->act ? *l->act : (struct int_act){0, 0};
	const uint32_t acts = l->act != 0, step = l->out;
	uint32_t at = first * step + o;

	for (uint32_t t = 0; t < n; t++, at += step) {
		int32_t v = value[t] + bias;

		v += add ? add[at] : 0;
		v = v > FIXED_MAX ? FIXED_MAX : v < -FIXED_MAX ? -FIXED_MAX : v;
		fixed_store(out, at, &inverse, acts ? fixed_act(&act, v) : v);
	}
}

#endif
