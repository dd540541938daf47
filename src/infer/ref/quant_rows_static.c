#include "src/infer/kernels.h"

/* Forward only, as quant_rows. */
void quant_rows_static(uint32_t n, uint32_t d, float inverse, const float *x, int8_t *q)
{
	uintptr_t size = (uintptr_t)n * d;

	for (uintptr_t i = 0; i < size; i++) {
		float v = x[i] * inverse, rest;
		int32_t whole;

		v = v < 127 ? v : 127;
		v = v > -127 ? v : -127;
		whole = (int32_t)v;
		rest = v - (float)whole;
		q[i] = (int8_t)(whole + (rest >= 0.5f) - (rest <= -0.5f));
	}
}
