#include "src/infer/opt/cortexm-dsp/norm.h"

void norm_ln(uint32_t n, uint32_t d, const float *x, const float *gain, const float *bias,
	float *y)
{
	struct norm o = {.d = d, .gain = gain, .bias = bias};

	for (; n; n--, x += d, y += d) {
		o.mean = row_mean(x, d);
		o.scale = row_scale(x, d, o.mean);
		norm_row(&o, x, y);
	}
}
