/* |x| as the unsigned and w, inverted where x is negative, as the signed operand of
 * vpmaddubsw: |x| (w ^ -1) = x w - |x|, so a row's sums start at the sum of its negative
 * |x|. Pairs are at most 2 * 128 * 127: nothing saturates, and the sums are exact. An
 * exclusive or runs on any port, vpsignb on few; of the exact ways tried (signs, weights
 * or activations widened to sixteen bits) this one is the fastest by a tenth and more.
 *
 * |x| and the masks of a tile's rows are made once for all panels, in a scratch of fixed
 * size; only rows longer than it are made again for each panel. The instructions are
 * written out so that sums stay in registers. */
#include "src/infer/opt/x86-avx2/tile.h"
#include "src/infer/opt/x86-avx2/vmath.h"

#define AHEAD 2048 /* bytes of weights: they stream from L2 or beyond */
#define SPLIT_COLS 4096
#define SPLIT_ROW (2 * SPLIT_COLS + 64) /* rows not a page apart */

struct block {
	const struct linear *l;
	const int8_t *x;
	const float *x_scale, *add;
	float *y;
	uint32_t steps; /* fours of columns that `split` holds */
	/* For each four columns four of |x|, then their masks. */
	_Alignas(32) uint8_t split[TILE_ROWS][SPLIT_ROW];
	int32_t start[TILE_ROWS];
};

/* Returns the negative ones' sum, in lanes. */
ALWAYS_INLINE __m256i split32(const int8_t *x, uint8_t *out)
{
	__m256i v = _mm256_permute4x64_epi64(
		_mm256_loadu_si256((const void *)x), 0xd8); /* as unpacking wants it */
	__m256i size = _mm256_abs_epi8(v);
	__m256i mask = _mm256_cmpgt_epi8(_mm256_setzero_si256(), v);

	_mm256_store_si256((void *)out, _mm256_unpacklo_epi32(size, mask));
	_mm256_store_si256((void *)(out + 32), _mm256_unpackhi_epi32(size, mask));
	return _mm256_sad_epu8(_mm256_and_si256(size, mask), _mm256_setzero_si256());
}

/* Columns from.. of R rows, at most SPLIT_COLS. */
static void split_rows(struct block *b, uint32_t t, uint32_t R, uint32_t from)
{
	uint32_t in = b->l->in, n = in - from < SPLIT_COLS ? in - from : SPLIT_COLS;

	b->steps = (n + 3) / 4;
	for (uint32_t r = 0; r < R; r++) {
		const int8_t *x = b->x + (uintptr_t)(t + r) * in + from;
		uint8_t *out = b->split[r];
		__m256i sum = _mm256_setzero_si256();
		uint32_t i = 0;

		for (; i + 32 <= n; i += 32, out += 64)
			sum = _mm256_add_epi32(sum, split32(x + i, out));
		if (i < n) {
			int8_t rest[32] = {0};

			for (uint32_t j = 0; j < n - i; j++)
				rest[j] = x[i + j];
			sum = _mm256_add_epi32(sum, split32(rest, out));
		}
		b->start[r] = reduce_add_epi32(sum);
	}
}

/* One row by one step of a panel. */
ALWAYS_INLINE void dot4(__m256i *sum, const __m256i *w, const uint8_t *x, const int V)
{
	const __m256i ones = _mm256_set1_epi16(1);
	__m256i size = four_bytes(x), mask = four_bytes(x + 4), v;

	if (V == 2)
		__asm__("vpxor %[w0], %[mask], %[v]\n\tvpmaddubsw %[v], %[size], %[v]\n\t"
			"vpmaddwd %[ones], %[v], %[v]\n\tvpaddd %[v], %[s0], %[s0]\n\t"
			"vpxor %[w1], %[mask], %[mask]\n\t"
			"vpmaddubsw %[mask], %[size], %[mask]\n\t"
			"vpmaddwd %[ones], %[mask], %[mask]\n\t"
			"vpaddd %[mask], %[s1], %[s1]"
			: [s0] "+x"(sum[0]), [s1] "+x"(sum[1]), [v] "=&x"(v),
			[mask] "+x"(mask)
			: [size] "x"(size), [ones] "x"(ones), [w0] "m"(w[0]),
			[w1] "m"(w[1]));
	else
		__asm__("vpxor %[w0], %[mask], %[mask]\n\t"
			"vpmaddubsw %[mask], %[size], %[mask]\n\t"
			"vpmaddwd %[ones], %[mask], %[mask]\n\t"
			"vpaddd %[mask], %[s0], %[s0]"
			: [s0] "+x"(sum[0]), [mask] "+x"(mask)
			: [size] "x"(size), [ones] "x"(ones), [w0] "m"(w[0]));
}

/* The sums over the columns in `split`. */
ALWAYS_INLINE void tile(const struct block *b, uint32_t t, const struct panel *p,
	__m256i *sum, const int R, const int V)
{
	const uint8_t *x = b->split[0], *w = p->w;
	__m256i s[TILE_ROWS * 2];

	(void)t;
#pragma GCC unroll 6
	for (int r = 0; r < R; r++)
#pragma GCC unroll 2
		for (int v = 0; v < V; v++)
			s[r * V + v] = _mm256_set1_epi32(b->start[r]);
#pragma GCC unroll 2
	for (uint32_t k = b->steps; k; k--, x += 8, w += 32 * V) {
		_mm_prefetch((const char *)w + AHEAD, _MM_HINT_T0);
#pragma GCC unroll 6
		for (int r = 0; r < R; r++)
			dot4(s + r * V, (const __m256i *)(const void *)w,
				x + r * SPLIT_ROW, V);
	}
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

ALWAYS_INLINE __m256 scaled(__m256i sum, const float *x_scale, __m256 scale)
{
	return _mm256_mul_ps(
		_mm256_cvtepi32_ps(sum), _mm256_mul_ps(_mm256_set1_ps(*x_scale), scale));
}

#include "src/infer/opt/x86-avx2/finish.h"

/* A panel by rows that are longer than `split`. */
static void long_rows(struct block *b, uint32_t t, uint32_t R, struct panel p)
{
	__m256i sum[TILE_ROWS * 2], part[TILE_ROWS * 2];
	struct panel rest = p;

	for (uint32_t i = 0; i < R * p.vectors; i++)
		sum[i] = _mm256_setzero_si256();
	for (uint32_t from = 0; from < b->l->in; from += SPLIT_COLS) {
		split_rows(b, t, R, from);
		tiles[p.vectors - 1][R - 1](b, t, &rest, part);
		for (uint32_t i = 0; i < R * p.vectors; i++)
			sum[i] = _mm256_add_epi32(sum[i], part[i]);
		rest.w += 32 * p.vectors * (uintptr_t)(SPLIT_COLS / 4);
	}
	finish(b, t, &p, sum, R);
}

static void rows(struct block *b, uint32_t t, uint32_t R)
{
	const struct linear *l = b->l;
	uintptr_t bytes = (uintptr_t)(l->in + 3) / 4 * 4;
	__m256i sum[TILE_ROWS * 2];

	if (l->in <= SPLIT_COLS)
		split_rows(b, t, R, 0);
	for (uint32_t o = 0; o < l->out; o += TILE_COLS) {
		struct panel p = panel_at(l->out, o, l->w, bytes);

		if (l->in > SPLIT_COLS) {
			long_rows(b, t, R, p);
			continue;
		}
		tiles[p.vectors - 1][R - 1](b, t, &p, sum);
		finish(b, t, &p, sum, R);
	}
}

void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	const struct cut c = cut_of(l->schedule, n, TILE_ROWS);
	struct block b;

	b.l = l;
	b.x = x;
	b.x_scale = x_scale;
	b.add = add;
	b.y = y;
	for (uint32_t i = 0, t = 0; i < c.n_tiles; t += cut_rows(&c, i++, t))
		rows(&b, t, cut_rows(&c, i, t));
}
