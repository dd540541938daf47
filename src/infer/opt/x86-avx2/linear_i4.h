/* The int4 product, a template: a set defines, before it includes this,
 *
 *   dot4(sum, w, x, V)   sum[v] += w[v] . x for a step of four columns: bytes of w, which
 *                        are nibbles, by four bytes at x
 *   group_sums(sum)      eight sums in 32 bits, from what dot4 adds up over a group
 *
 * Nibbles are w + 8. The offset is taken out of a group's sum with -8 times the sum of
 * the row's group.
 */
#ifndef HAWSER_INFER_OPT_X86_AVX2_LINEAR_I4_H
#define HAWSER_INFER_OPT_X86_AVX2_LINEAR_I4_H

#include "src/infer/opt/x86-avx2/tile.h"
#include "src/infer/opt/x86-avx2/vmath.h"

#define AHEAD 2048 /* bytes of weights: they stream from L2 or beyond */
#define MAX_GROUPS (65536 / KERNEL_GROUP)

struct block {
	const struct linear *l;
	uint32_t n_groups; /* whole ones; a short last one lies in `tail` */
	const int8_t *x;
	const float *x_scale, *add;
	float *y;
	int8_t tail[TILE_ROWS][KERNEL_GROUP]; /* zeros behind the row's end */
	int32_t start[TILE_ROWS][MAX_GROUPS];
};

/* Low nibbles. The mask stays in memory: with it there are more vectors than registers, and
 * gcc 12 keeps it on the stack then. */
ALWAYS_INLINE __m256i low_nibbles(__m256i v)
{
	static const __m256i mask = {0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f,
		0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f};

	__asm__("vpand %1, %0, %0" : "+x"(v) : "m"(mask));
	return v;
}

/* Eight columns of R rows, the low nibbles' four and the high ones'. */
ALWAYS_INLINE void step(__m256i *sum, const uint8_t *w, const int8_t *x, uintptr_t stride,
	const int R, const int V)
{
	__m256i wv[2];

#pragma GCC unroll 2
	for (int high = 0; high < 2; high++) {
#pragma GCC unroll 2
		for (int v = 0; v < V; v++) {
			wv[v] = _mm256_loadu_si256((const void *)(w + 32 * v));
			if (high)
				wv[v] = _mm256_srli_epi16(wv[v], 4);
			wv[v] = low_nibbles(wv[v]);
		}
#pragma GCC unroll 6
		for (int r = 0; r < R; r++)
			dot4(sum + r * V, wv,
				x + (uintptr_t)(uint32_t)r * stride + 4 * high, V);
	}
}

ALWAYS_INLINE void group(const struct block *b, uint32_t g, const uint8_t *w,
	const uint16_t *scales, const int8_t *x, uintptr_t stride, uint32_t steps,
	__m256 *y, const int R, const int V)
{
	__m256i sum[TILE_ROWS * 2];

#pragma GCC unroll 12
	for (int i = 0; i < R * V; i++)
		sum[i] = _mm256_setzero_si256();
#pragma GCC unroll 1 /* gcc 12 runs out of registers over four */
	for (; steps; steps--, w += 32 * V, x += 8) {
		_mm_prefetch((const char *)w + AHEAD, _MM_HINT_T0);
		step(sum, w, x, stride, R, V);
	}
	/* y is read and written where it is: gcc 12 would keep a copy on the stack. */
	__asm__("" ::: "memory");
#pragma GCC unroll 2
	for (int v = 0; v < V; v++) {
		__m256 scale = load_bf16(scales + 8 * v);

#pragma GCC unroll 6
		for (int r = 0; r < R; r++) {
			__m256i s = _mm256_add_epi32(group_sums(sum[r * V + v]),
				_mm256_set1_epi32(b->start[r][g]));

			y[r * V + v] = _mm256_fmadd_ps(
				_mm256_cvtepi32_ps(s), scale, y[r * V + v]);
		}
	}
}

ALWAYS_INLINE void tile(const struct block *b, uint32_t t, const struct panel *p,
	__m256 *y, const int R, const int V)
{
	uint32_t in = b->l->in, groups = (in + KERNEL_GROUP - 1) / KERNEL_GROUP;
	const uint16_t *scales = b->l->scales + (uintptr_t)p->o * groups;
	const int8_t *x = b->x + (uintptr_t)t * in;
	const uint8_t *w = p->w;
	uintptr_t stride = in;
	uint32_t steps = KERNEL_GROUP / 8;

#pragma GCC unroll 12
	for (int i = 0; i < R * V; i++)
		y[i] = _mm256_setzero_ps();
	for (uint32_t g = 0; g < groups; g++, scales += 8 * V, x += KERNEL_GROUP) {
		if (g == b->n_groups) {
			x = b->tail[0];
			stride = KERNEL_GROUP;
			steps = (in % KERNEL_GROUP + 7) / 8;
		}
		group(b, g, w, scales, x, stride, steps, y, R, V);
		w += KERNEL_GROUP / 8 * 32 * (uint32_t)V;
	}
}

TILE_TABLE(__m256)

#define SUM __m256
#define NEAR 1

ALWAYS_INLINE __m256 scale_at(const struct block *b, uint32_t o)
{
	(void)b, (void)o; /* is in the sums */
	return _mm256_setzero_ps();
}

ALWAYS_INLINE __m256 scaled(__m256 sum, const float *x_scale, __m256 scale, __m256 bias)
{
	(void)scale;
	return _mm256_fmadd_ps(sum, _mm256_set1_ps(*x_scale), bias);
}

#include "src/infer/opt/x86-avx2/finish.h"

static int32_t group_start(const int8_t *x)
{
	__m256i v = _mm256_loadu_si256((const void *)x);
	__m256i s = _mm256_madd_epi16(
		_mm256_maddubs_epi16(_mm256_set1_epi8(1), v), _mm256_set1_epi16(1));

	return -8 * reduce_add_epi32(s);
}

static void start_row(struct block *b, uint32_t t, uint32_t r)
{
	uint32_t in = b->l->in, rest = in % KERNEL_GROUP;
	const int8_t *x = b->x + (uintptr_t)(t + r) * in;

	for (uint32_t g = 0; g < b->n_groups; g++)
		b->start[r][g] = group_start(x + (uintptr_t)g * KERNEL_GROUP);
	if (!rest)
		return;
	for (uint32_t i = 0; i < KERNEL_GROUP; i++)
		b->tail[r][i] = i < rest ? x[in - rest + i] : 0;
	b->start[r][b->n_groups] = group_start(b->tail[r]);
}

void linear_i4(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	uint32_t n_tiles = (n + TILE_ROWS - 1) / TILE_ROWS;
	__m256 sum[TILE_ROWS * 2];
	struct block b;

	b.l = l;
	b.n_groups = l->in / KERNEL_GROUP;
	b.x = x;
	b.x_scale = x_scale;
	b.add = add;
	b.y = y;
	for (uint32_t i = 0, t = 0; i < n_tiles; i++) {
		uint32_t R = tile_rows(n, n_tiles, i);

		for (uint32_t r = 0; r < R; r++)
			start_row(&b, t, r);
		for (uint32_t o = 0; o < l->out; o += TILE_COLS) {
			struct panel p =
				panel_at(l->out, o, l->w, (uintptr_t)(l->in + 7) / 8 * 4);

			tiles[p.vectors - 1][R - 1](&b, t, &p, sum);
			finish(&b, t, &p, sum, R);
		}
		t += R;
	}
}

#endif
