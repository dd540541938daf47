#include "src/infer/opt/arm64-neon/vector.h"
#include "src/infer/opt/arm64-neon/written.h"

void add(uint32_t n, const float *x, float *y)
{
	for (uint32_t k = n / 16; k; k--, x += 16) {
		float32x4x4_t a = load16(y), b = load16(x);

		STORE_PAIR(
			y, vaddq_f32(a.val[0], b.val[0]), vaddq_f32(a.val[1], b.val[1]));
		STORE_PAIR(
			y, vaddq_f32(a.val[2], b.val[2]), vaddq_f32(a.val[3], b.val[3]));
	}
	for (uint32_t k = n % 16; k; k--)
		*y++ += *x++;
}
