#include "src/infer/integer/integer.h"

void int_pool_max(uint32_t n, uint32_t d, const int32_t *x, int32_t *y)
{
	for (uint32_t c = 0; c < d; c++) {
		y[c] = x[c];
		for (uint32_t t = 1; t < n; t++)
			if (x[(uint64_t)t * d + c] > y[c])
				y[c] = x[(uint64_t)t * d + c];
	}
}
