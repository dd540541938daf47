/* Four rows at a time, so that one row's reductions wait behind the others' work. The last
 * vector of a row is done apart, with masks. */
#include "src/infer/opt/x86-avx2/vmath.h"

#define ROWS 4

ALWAYS_INLINE float rsqrt(float x)
{
	return _mm_cvtss_f32(_mm_div_ss(_mm_set_ss(1), _mm_sqrt_ss(_mm_set_ss(x))));
}

struct rows {
	const float *x, *gain, *bias;
	float *y;
	uint32_t d;
	__m256 mean[ROWS], scale[ROWS];
};

ALWAYS_INLINE void add_lanes(
	const struct rows *n, uint32_t i, __m256 *sum, const uint32_t R, int full)
{
	__m256i m = lanes_left(n->d, i);

#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++)
		sum[r] = _mm256_add_ps(sum[r], load_lanes(n->x + r * n->d + i, m, full));
}

ALWAYS_INLINE void add_squares(
	const struct rows *n, uint32_t i, __m256 *sum, const uint32_t R, int full)
{
	__m256i m = lanes_left(n->d, i);

#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++) {
		__m256 v = _mm256_sub_ps(
			load_lanes(n->x + r * n->d + i, m, full), n->mean[r]);

		if (!full)
			v = _mm256_and_ps(v, _mm256_castsi256_ps(m));
		sum[r] = _mm256_fmadd_ps(v, v, sum[r]);
	}
}

ALWAYS_INLINE void write_lanes(
	const struct rows *n, uint32_t i, const uint32_t R, int full)
{
	__m256i m = lanes_left(n->d, i);
	__m256 g = load_lanes(n->gain + i, m, full);
	__m256 b = load_lanes(n->bias + i, m, full);

#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++) {
		__m256 v = _mm256_sub_ps(
			load_lanes(n->x + r * n->d + i, m, full), n->mean[r]);

		store_lanes(n->y + r * n->d + i, m, full,
			_mm256_fmadd_ps(_mm256_mul_ps(v, n->scale[r]), g, b));
	}
}

ALWAYS_INLINE void norm_rows(struct rows *n, const uint32_t R)
{
	uint32_t whole = n->d / 8 * 8;
	__m256 sum[ROWS];

#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++)
		sum[r] = _mm256_setzero_ps();
	for (uint32_t i = 0; i < whole; i += 8)
		add_lanes(n, i, sum, R, 1);
	if (whole < n->d)
		add_lanes(n, whole, sum, R, 0);
#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++) {
		n->mean[r] = _mm256_set1_ps(reduce_add_ps(sum[r]) / (float)n->d);
		sum[r] = _mm256_setzero_ps();
	}
	for (uint32_t i = 0; i < whole; i += 8)
		add_squares(n, i, sum, R, 1);
	if (whole < n->d)
		add_squares(n, whole, sum, R, 0);
#pragma GCC unroll 4
	for (uint32_t r = 0; r < R; r++)
		n->scale[r] = _mm256_set1_ps(
			rsqrt(reduce_add_ps(sum[r]) / (float)n->d + 1e-5f));
	for (uint32_t i = 0; i < whole; i += 8)
		write_lanes(n, i, R, 1);
	if (whole < n->d)
		write_lanes(n, whole, R, 0);
}

void norm_ln(uint32_t n, uint32_t d, const float *x, const float *gain, const float *bias,
	float *y)
{
	struct rows rows = {.x = x, .gain = gain, .bias = bias, .y = y, .d = d};

	for (; n >= ROWS; n -= ROWS) {
		norm_rows(&rows, ROWS);
		rows.x += ROWS * (uintptr_t)d;
		rows.y += ROWS * (uintptr_t)d;
	}
	for (; n; n--) {
		norm_rows(&rows, 1);
		rows.x += d;
		rows.y += d;
	}
}
