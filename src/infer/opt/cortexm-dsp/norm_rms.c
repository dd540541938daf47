#include "src/infer/opt/cortexm-dsp/norm.h"

void norm_rms(uint32_t n, uint32_t d, const float *x, const float *gain, float *y)
{
	struct norm o = {.d = d, .gain = gain};

	for (; n; n--, x += d, y += d) {
		o.scale = row_scale(x, d, 0);
		norm_row(&o, x, y);
	}
}
