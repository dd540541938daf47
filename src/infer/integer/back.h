/* The way back through a factorised embedding: y = x w, a row of w after the other. */
#ifndef HAWSER_INFER_INTEGER_BACK_H
#define HAWSER_INFER_INTEGER_BACK_H

#include "src/infer/integer/fixed.h"

#define BACK_BITS 6 /* that x times a scale carries below fixed */

/* x times a weight's scale. */
static inline int64_t back_scaled(int32_t x, uint16_t scale)
{
	struct int_factor f = fixed_bf16(scale);

	return fixed_wide((int64_t)x * f.mul, f.exp + BACK_BITS);
}

#endif
