/* |x| as the unsigned and w with x's sign as the signed operand of vpmaddubsw: pairs are
 * at most 2 * 127 * 127, so nothing saturates, and the sums are exact. */
#include "src/infer/fmath.h"
#include "src/infer/opt/x86-avx2/vector.h"

struct block {
	const struct linear *l;
	const int8_t *x;
	const float *x_scale, *add;
	float *y;
};

ALWAYS_INLINE void step(
	__m256i *sum, const uint8_t *w, const __m256i *x, const int R, const int V)
{
	const __m256i ones = _mm256_set1_epi16(1);
	__m256i wv[2];

#pragma GCC unroll 2
	for (int v = 0; v < V; v++)
		wv[v] = _mm256_loadu_si256((const void *)(w + 32 * v));
#pragma GCC unroll 4
	for (int r = 0; r < R; r++) {
		__m256i size = _mm256_abs_epi8(x[r]);

#pragma GCC unroll 2
		for (int v = 0; v < V; v++) {
			__m256i pairs =
				_mm256_maddubs_epi16(size, _mm256_sign_epi8(wv[v], x[r]));

			sum[r * V + v] = _mm256_add_epi32(
				sum[r * V + v], _mm256_madd_epi16(pairs, ones));
		}
	}
}

ALWAYS_INLINE void tile(const struct block *b, uint32_t t, uint32_t o, const uint8_t *w,
	const int R, const int V)
{
	const struct linear *l = b->l;
	uint32_t in = l->in;
	const int8_t *x = b->x + (uintptr_t)t * in;
	__m256i sum[8], xv[4];

#pragma GCC unroll 8
	for (int i = 0; i < R * V; i++)
		sum[i] = _mm256_setzero_si256();
	for (uint32_t k = in / 4; k; k--, x += 4, w += 32 * V) {
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			xv[r] = four_bytes(x + (uintptr_t)(uint32_t)r * in);
		step(sum, w, xv, R, V);
	}
	if (in % 4) {
#pragma GCC unroll 4
		for (int r = 0; r < R; r++) {
			int8_t rest[4] = {0};

			for (uint32_t i = 0; i < in % 4; i++)
				rest[i] = x[(uintptr_t)(uint32_t)r * in + i];
			xv[r] = four_bytes(rest);
		}
		step(sum, w, xv, R, V);
	}
#pragma GCC unroll 2
	for (int v = 0; v < V; v++) {
		__m256 scale = load_bf16(l->scales + o + 8 * v);

#pragma GCC unroll 4
		for (int r = 0; r < R; r++) {
			uint32_t row = t + (uint32_t)r;
			__m256 s = _mm256_mul_ps(_mm256_set1_ps(b->x_scale[row]), scale);

			s = _mm256_mul_ps(_mm256_cvtepi32_ps(sum[r * V + v]), s);
			store_columns(l, o + 8 * (uint32_t)v, row, s, b->add, b->y);
		}
	}
}

void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	const struct block b = {l, x, x_scale, add, y};

	EACH_TILE(4, &b, n, l->out, l->w, (uintptr_t)(l->in + 3) / 4 * 4)
}
