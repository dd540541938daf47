/* Unsigned nibbles (w + 8) by s8 activations: pairs of vpmaddubsw are at most 2 * 15 *
 * 127, so a group of 32 columns adds up in sixteen bits. The offset is taken out of the
 * group's sum with -8 times the sum of the row's group. */
#include "src/infer/opt/x86-avx2/tile.h"
#include "src/infer/opt/x86-avx2/vmath.h"

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

/* sum[v] += w[v] . x in pairs; written out so that sums stay in registers. */
ALWAYS_INLINE void dot4(__m256i *sum, const __m256i *w, const int8_t *x, const int V)
{
	__m256i xv = four_bytes(x), pairs;

	if (V == 2)
		__asm__("vpmaddubsw %[x], %[w0], %[p]\n\tvpaddw %[p], %[s0], %[s0]\n\t"
			"vpmaddubsw %[x], %[w1], %[x]\n\tvpaddw %[x], %[s1], %[s1]"
			: [s0] "+x"(sum[0]), [s1] "+x"(sum[1]), [p] "=&x"(pairs),
			[x] "+x"(xv)
			: [w0] "x"(w[0]), [w1] "x"(w[1]));
	else
		__asm__("vpmaddubsw %[x], %[w0], %[x]\n\tvpaddw %[x], %[s0], %[s0]"
			: [s0] "+x"(sum[0]), [x] "+x"(xv)
			: [w0] "x"(w[0]));
}

/* Eight columns of R rows, the low nibbles' four and the high ones'. */
ALWAYS_INLINE void step(__m256i *sum, const uint8_t *w, const int8_t *x, uintptr_t stride,
	const int R, const int V)
{
	const __m256i low = _mm256_set1_epi8(15);
	__m256i wv[2];

#pragma GCC unroll 2
	for (int high = 0; high < 2; high++) {
#pragma GCC unroll 2
		for (int v = 0; v < V; v++) {
			wv[v] = _mm256_loadu_si256((const void *)(w + 32 * v));
			if (high)
				wv[v] = _mm256_srli_epi16(wv[v], 4);
			wv[v] = _mm256_and_si256(wv[v], low);
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
#pragma GCC unroll 4
	for (uint32_t k = 0; k < steps; k++)
		step(sum, w + k * 32 * (uint32_t)V, x + 8 * k, stride, R, V);
#pragma GCC unroll 2
	for (int v = 0; v < V; v++) {
		__m256 scale = load_bf16(scales + 8 * v);

#pragma GCC unroll 6
		for (int r = 0; r < R; r++) {
			__m256i s = _mm256_add_epi32(
				_mm256_madd_epi16(sum[r * V + v], _mm256_set1_epi16(1)),
				_mm256_set1_epi32(b->start[r][g]));

			y[r * V + v] = _mm256_fmadd_ps(
				_mm256_cvtepi32_ps(s), scale, y[r * V + v]);
		}
	}
}

ALWAYS_INLINE void tile(const struct block *b, uint32_t t, const struct panel *p,
	__m256 *y, const int R, const int V)
{
	const uint32_t steps = KERNEL_GROUP / 8;
	uint32_t in = b->l->in, rest = in % KERNEL_GROUP;
	uint32_t groups = (in + KERNEL_GROUP - 1) / KERNEL_GROUP;
	const uint16_t *scales = b->l->scales + (uintptr_t)p->o * groups;
	const int8_t *x = b->x + (uintptr_t)t * in;
	const uint8_t *w = p->w;

#pragma GCC unroll 12
	for (int i = 0; i < R * V; i++)
		y[i] = _mm256_setzero_ps();
	for (uint32_t g = 0; g < b->n_groups; g++, scales += 8 * V, x += KERNEL_GROUP) {
		group(b, g, w, scales, x, in, steps, y, R, V);
		w += steps * 32 * (uint32_t)V;
	}
	if (rest)
		group(b, b->n_groups, w, scales, b->tail[0], KERNEL_GROUP, (rest + 7) / 8,
			y, R, V);
}

TILE_TABLE(__m256)

#define SUM __m256
#define NEAR 1

ALWAYS_INLINE __m256 scale_at(const struct block *b, uint32_t o)
{
	(void)b, (void)o; /* is in the sums */
	return _mm256_setzero_ps();
}

ALWAYS_INLINE __m256 scaled(__m256 sum, const float *x_scale, __m256 scale)
{
	(void)scale;
	return _mm256_mul_ps(sum, _mm256_set1_ps(*x_scale));
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
	const struct cut c = cut_of(SCHEDULE_EVEN, n, TILE_ROWS);
	__m256 sum[TILE_ROWS * 2];
	struct block b;

	b.l = l;
	b.n_groups = l->in / KERNEL_GROUP;
	b.x = x;
	b.x_scale = x_scale;
	b.add = add;
	b.y = y;
	for (uint32_t i = 0, t = 0; i < c.n_tiles; i++) {
		uint32_t R = cut_rows(&c, i, t);

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
