#include "src/infer/opt/cortexm-dsp/rows.h"

void quant_rows(uint32_t n, uint32_t d, const float *x, int8_t *q, float *scale)
{
	for (uint32_t t = 0; t < n; t++, x += d, q += d) {
		float largest = row_largest(x, d);

		quantise_row(x, d, inverse_of(largest), q);
		scale[t] = largest / 127;
	}
}
