/* What the products of int8 and int4 share: a sum becomes a result. */
#ifndef HAWSER_INFER_INTEGER_LINEAR_H
#define HAWSER_INFER_INTEGER_LINEAR_H

#include "src/infer/integer/fixed.h"

/* `v` without bias; `at` is the result's place. */
static inline void linear_finish(const struct int_linear *l, uint32_t o, int64_t v,
	const int32_t *add, struct int_out out, uint64_t at)
{
	int32_t y;

	v += l->bias ? l->bias[o] : 0;
	v += add ? add[at] : 0;
	y = fixed_clamp(v);
	fixed_store(out, at, l->inverse, l->act ? fixed_act(l->act, y) : y);
}

#endif
