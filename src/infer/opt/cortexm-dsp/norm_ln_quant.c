#include "src/infer/opt/cortexm-dsp/norm.h"

void norm_ln_quant(uint32_t n, uint32_t d, const float *x, const float *gain,
	const float *bias, float *y, int8_t *q, float *scale)
{
	struct norm o = {.d = d, .gain = gain, .bias = bias};

	for (uint32_t t = 0; t < n; t++, x += d, q += d) {
		o.mean = row_mean(x, d);
		o.scale = row_scale(x, d, o.mean);
		scale[t] = norm_and_quantise(&o, x, y, q);
		y += y ? d : 0;
	}
}
