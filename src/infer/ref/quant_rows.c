#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

static float row_largest(const float *x, uint32_t d)
{
	float largest = 0;

	for (uint32_t i = 0; i < d; i++) {
		float a = fmath_abs(x[i]);

		largest = a > largest ? a : largest;
	}
	return largest;
}

/* Forward only: byte i is written after float i was read, so q may lie on x. */
void quant_rows(uint32_t n, uint32_t d, const float *x, int8_t *q, float *scale)
{
	for (uint32_t t = 0; t < n; t++) {
		const float *row = x + (uintptr_t)t * d;
		int8_t *out = q + (uintptr_t)t * d;
		float largest = row_largest(row, d);
		float inverse = largest < 1e-30f ? 0 : 127 / largest;

		for (uint32_t i = 0; i < d; i++) {
			float v = row[i] * inverse;
			int32_t whole = (int32_t)v;
			float rest = v - (float)whole;

			out[i] = (int8_t)(whole + (rest >= 0.5f) - (rest <= -0.5f));
		}
		scale[t] = largest / 127;
	}
}
