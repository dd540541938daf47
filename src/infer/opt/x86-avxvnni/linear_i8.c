/* u8 weights (w + 128, made from the panels' s8 by an exclusive or for all rows of a tile)
 * by s8 activations: vpdpbusd, four input columns at a time. The sums start at -128 times
 * the sum of the row, which takes the offset out again. */
#include "src/infer/opt/x86-avx2/tile.h"
#include "src/infer/opt/x86-avxvnni/dot.h"

#define AHEAD 2048 /* bytes of weights: they stream from L2 or beyond */

struct block {
	const struct linear *l;
	const int8_t *x;
	const float *x_scale, *add;
	float *y;
	int32_t start[TILE_ROWS];
	int8_t tail[TILE_ROWS][4]; /* the last in % 4 columns, then zeros */
};

ALWAYS_INLINE void step(__m256i *sum, const uint8_t *w, const int8_t *x, uintptr_t stride,
	const int R, const int V)
{
	const __m256i top = _mm256_set1_epi8(-128);
	__m256i wv[2];

#pragma GCC unroll 2
	for (int v = 0; v < V; v++)
		wv[v] = _mm256_xor_si256(
			top, _mm256_loadu_si256((const void *)(w + 32 * v)));
#pragma GCC unroll 6
	for (int r = 0; r < R; r++)
		dot4(sum + r * V, wv, x + (uintptr_t)(uint32_t)r * stride, V);
}

ALWAYS_INLINE void tile(const struct block *b, uint32_t t, const struct panel *p,
	__m256i *sum, const int R, const int V)
{
	uint32_t in = b->l->in;
	const int8_t *x = b->x + (uintptr_t)t * in;
	const uint8_t *w = p->w;
	__m256i s[TILE_ROWS * 2];

#pragma GCC unroll 6
	for (int r = 0; r < R; r++)
#pragma GCC unroll 2
		for (int v = 0; v < V; v++)
			s[r * V + v] = _mm256_set1_epi32(b->start[r]);
	for (uint32_t k = in / 4; k; k--, x += 4, w += 32 * V) {
		_mm_prefetch((const char *)w + AHEAD, _MM_HINT_T0);
		step(s, w, x, in, R, V);
	}
	if (in % 4)
		step(s, w, b->tail[0], sizeof(b->tail[0]), R, V);
#pragma GCC unroll 12
	for (int i = 0; i < R * V; i++)
		sum[i] = s[i];
}

TILE_TABLE(__m256i)

#define SUM __m256i
#define NEAR 1

ALWAYS_INLINE __m256 scale_at(const struct block *b, uint32_t o)
{
	return load_bf16(b->l->scales + o);
}

ALWAYS_INLINE __m256 scaled(__m256i sum, const float *x_scale, __m256 scale, __m256 bias)
{
	return _mm256_fmadd_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), scale),
		_mm256_set1_ps(*x_scale), bias);
}

#include "src/infer/opt/x86-avx2/finish.h"

static void start_row(struct block *b, uint32_t t, uint32_t r)
{
	const __m256i ones = _mm256_set1_epi8(1);
	uint32_t in = b->l->in, i = 0;
	const int8_t *x = b->x + (uintptr_t)(t + r) * in;
	__m256i sum = _mm256_setzero_si256();
	int32_t rest = 0;

	for (; i + 32 <= in; i += 32)
		sum = _mm256_add_epi32(
			sum, _mm256_madd_epi16(
				     _mm256_maddubs_epi16(ones,
					     _mm256_loadu_si256((const void *)(x + i))),
				     _mm256_set1_epi16(1)));
	for (; i < in; i++)
		rest += x[i];
	b->start[r] = -128 * (reduce_add_epi32(sum) + rest);
	for (i = 0; i < 4; i++)
		b->tail[r][i] = i < in % 4 ? x[in / 4 * 4 + i] : 0;
}

void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	uint32_t n_tiles = (n + TILE_ROWS - 1) / TILE_ROWS;
	uintptr_t bytes = (uintptr_t)(l->in + 3) / 4 * 4;
	struct block b = {.l = l, .x = x, .x_scale = x_scale, .add = add, .y = y};
	__m256i sum[TILE_ROWS * 2];

	for (uint32_t i = 0, t = 0; i < n_tiles; i++) {
		uint32_t R = tile_rows(n, n_tiles, i);

		for (uint32_t r = 0; r < R; r++)
			start_row(&b, t, r);
		for (uint32_t o = 0; o < l->out; o += TILE_COLS) {
			struct panel p = panel_at(l->out, o, l->w, bytes);

			tiles[p.vectors - 1][R - 1](&b, t, &p, sum);
			finish(&b, t, &p, sum, R);
		}
		t += R;
	}
}
