/* |x| as the unsigned and w, inverted where x is negative, as the signed operand of
 * vpmaddubsw: |x| (w ^ -1) = x w - |x|, so a row's sums start at the sum of its negative
 * |x|. Pairs are at most 2 * 128 * 127: nothing saturates, and the sums are exact. An
 * exclusive or runs on any port, vpsignb on few; of the exact ways tried (signs, weights
 * or activations widened to sixteen bits, Winograd's identity on those) this one is the
 * fastest.
 *
 * Tiles are low and wide, two rows by three panels: |x| and masks, which are made once for
 * all panels, are then loaded for twelve vectors of weights, and these come as operands of
 * the exclusive or. Weights of a tile stream from L2: while the rows go by one after the
 * other, each tile fetches a part of the next panels to there. The instructions are written
 * out so that sums stay in registers. */
#define TILE_ROWS 2
#define TILE_VECTORS 6
#define FINISH_ROWS 8 /* of several tiles: scales and biases are read once for them */

#include "src/infer/opt/x86-avx2/tile.h"
#include "src/infer/opt/x86-avx2/vmath.h"

#define PANELS (TILE_VECTORS / 2)
#define AHEAD 1024 /* bytes of a panel, from L2 */
#define MOST_ROWS 64
#define SPLIT_BYTES (2 * 65536) /* of the longest row, or of several */

struct block {
	const struct linear *l;
	const int8_t *x;
	const float *x_scale, *add;
	float *y;
	uint32_t stride; /* of rows in `split` */
	/* For each four columns four of |x|, then their masks. */
	_Alignas(32) uint8_t split[SPLIT_BYTES];
	int32_t start[MOST_ROWS];
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

/* Returns what the row's sums start at. */
static int32_t split_row(uint32_t in, const int8_t *x, uint8_t *out)
{
	__m256i sum = _mm256_setzero_si256();
	uint32_t i = 0;

	for (; i + 32 <= in; i += 32, out += 64)
		sum = _mm256_add_epi32(sum, split32(x + i, out));
	if (i < in) {
		int8_t rest[32] = {0};

		for (uint32_t j = 0; j < in - i; j++)
			rest[j] = x[i + j];
		sum = _mm256_add_epi32(sum, split32(rest, out));
	}
	return reduce_add_epi32(sum);
}

/* Four columns of a row by eight of a panel. */
ALWAYS_INLINE void dot4(__m256i *sum, __m256i size, __m256i mask, const void *w)
{
	const __m256i ones = _mm256_set1_epi16(1);
	__m256i v;

	__asm__("vpxor %[w], %[mask], %[v]\n\tvpmaddubsw %[v], %[size], %[v]\n\t"
		"vpmaddwd %[ones], %[v], %[v]\n\tvpaddd %[v], %[sum], %[sum]"
		: [sum] "+x"(*sum), [v] "=&x"(v)
		: [mask] "x"(mask), [size] "x"(size), [ones] "x"(ones),
		[w] "m"(*(const __m256i *)w));
}

/* R rows by V vectors, two from a panel; the last panel may have one only. */
ALWAYS_INLINE void tile(const struct block *b, uint32_t t, const struct panel *p,
	__m256i *sum, const uint32_t R, const uint32_t V)
{
	const uintptr_t steps = (b->l->in + 3) / 4, stride = b->stride;
	const uint8_t *x = b->split + t * stride, *end = x + steps * 8, *w[PANELS];
	/* A third of the next panels; nothing new from the fourth tile on. */
	const uint8_t *next = p->w + (PANELS + t / TILE_ROWS % PANELS) * steps * 64;
	__m256i s[TILE_ROWS * TILE_VECTORS];

#pragma GCC unroll 3
	for (uint32_t i = 0; i < (V + 1) / 2; i++) {
		w[i] = p->w + i * steps * 64;
		__asm__("" : "+r"(w[i])); /* a register each, no sums of addresses */
	}
#pragma GCC unroll 12
	for (uint32_t i = 0; i < R * V; i++)
		s[i] = _mm256_set1_epi32(b->start[t + i / V]);
	for (; x < end; x += 8, next += 64) {
		_mm_prefetch((const char *)next, _MM_HINT_T1);
#pragma GCC unroll 2
		for (uint32_t r = 0; r < R; r++) {
			__m256i size = four_bytes(x + r * stride);
			__m256i mask = four_bytes(x + r * stride + 4);

#pragma GCC unroll 6
			for (uint32_t v = 0; v < V; v++)
				dot4(s + r * V + v, size, mask, w[v / 2] + v % 2 * 32);
		}
#pragma GCC unroll 3
		for (uint32_t i = 0; i < (V + 1) / 2; i++) {
			_mm_prefetch((const char *)w[i] + AHEAD, _MM_HINT_T0);
			w[i] += 2 * i + 1 < V ? 64 : 32;
		}
	}
#pragma GCC unroll 12
	for (uint32_t i = 0; i < R * V; i++)
		sum[i] = s[i];
}

#define INSTANCES(V) TILE_INSTANCE(1, V, __m256i) TILE_INSTANCE(2, V, __m256i)
#define NAMES(V)                                                                         \
	{                                                                                \
		tile_1_##V, tile_2_##V                                                   \
	}

INSTANCES(1)
INSTANCES(2)
INSTANCES(3)
INSTANCES(4)
INSTANCES(5)
INSTANCES(6)

static void (*const tiles[TILE_VECTORS][TILE_ROWS])(const struct block *, uint32_t,
	const struct panel *,
	__m256i *) = {NAMES(1), NAMES(2), NAMES(3), NAMES(4), NAMES(5), NAMES(6)};

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

static void rows(struct block *b, uint32_t n)
{
	const struct linear *l = b->l;
	uintptr_t bytes = (uintptr_t)(l->in + 3) / 4 * 4;
	__m256i sum[FINISH_ROWS * TILE_VECTORS];

	for (uint32_t t = 0; t < n; t++)
		b->start[t] = split_row(l->in, b->x + (uintptr_t)t * l->in,
			b->split + (uintptr_t)t * b->stride);
	for (uint32_t o = 0; o < l->out; o += TILE_COLS) {
		struct panel p = panel_at(l->out, o, l->w, bytes);

		for (uint32_t t = 0; t < n; t += FINISH_ROWS) {
			uint32_t R = n - t < FINISH_ROWS ? n - t : FINISH_ROWS;

			for (uint32_t r = 0; r < R; r += TILE_ROWS)
				tiles[p.vectors - 1][R - r > 1](
					b, t + r, &p, sum + r * p.vectors);
			finish(b, t, &p, sum, R);
		}
	}
}

void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	uint32_t most, n_blocks;
	struct block b;

	b.l = l;
	b.stride = (l->in + 31) / 32 * 64;
	most = SPLIT_BYTES / b.stride;
	most = most < MOST_ROWS ? most : MOST_ROWS;
	n_blocks = (n + most - 1) / most;
	for (uint32_t i = 0, t = 0; i < n_blocks; i++) {
		uint32_t n_rows = tile_rows(n, n_blocks, i);

		b.x = x + (uintptr_t)t * l->in;
		b.x_scale = x_scale + t;
		b.add = add ? add + (uintptr_t)t * l->out : 0;
		b.y = y + (uintptr_t)t * l->out;
		rows(&b, n_rows);
		t += n_rows;
	}
}
