#include "src/infer/integer/integer.h"

void int_pool_mean(uint32_t n, uint32_t d, const int32_t *x, int32_t *y)
{
	for (uint32_t c = 0; c < d; c++) {
		int64_t sum = 0;

		for (uint32_t t = 0; t < n; t++)
			sum += x[(uint64_t)t * d + c];
		sum = 2 * sum + (sum < 0 ? -(int64_t)n : (int64_t)n);
		y[c] = (int32_t)(sum / (2 * (int64_t)n));
	}
}
