/* What the int8 and int4 products share: tiles of four tokens, or of one, by STRIP rows of
 * the matrix. Tokens are expanded once a tile to pairs of 16 bits, as SXTB16 leaves them:
 * of four columns first the even two, then the odd two, of each with all tokens of the
 * tile side by side, so that one LDM brings a pair of every token. Weights are expanded
 * on their way. Rows longer than COLUMNS go in several parts; integer sums do not mind.
 *
 * Instructions count here, so loads are of as many registers as there are.
 */
#ifndef HAWSER_INFER_OPT_CORTEXM_DSP_TILE_H
#define HAWSER_INFER_OPT_CORTEXM_DSP_TILE_H

#include <stdint.h>

#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

#define TILE_ROWS 4
#define STRIP 24	 /* a multiple of 4 */
#define STRIP_BYTES "96" /* of one token's sums */
#define COLUMNS 128	 /* a multiple of KERNEL_GROUP */

struct tile {
	const struct linear *l;
	const int8_t *x; /* first token */
	const float *x_scale, *add;
	float *y;
	uint32_t rows; /* tokens: 1, or up to TILE_ROWS of which all are computed */
	uint32_t pairs[TILE_ROWS * COLUMNS / 2];
};

/* What the assembly that sums rows of the matrix reads, in this order: it needs all
 * registers. Weights from w on, a row's expanded tokens, where sums go for all tokens and
 * where the last ones end, bytes of a row here, bytes to the next one. */
struct strip {
	const void *w;
	const uint32_t *x;
	void *s, *end;
	uint32_t bytes, skip;
};

ALWAYS_INLINE uint32_t load_word(const void *p)
{
	uint32_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

/* The last columns of a row, fewer than four, zeros behind. */
ALWAYS_INLINE uint32_t last_columns(const int8_t *x, uint32_t n)
{
	uint32_t v = 0;

	for (uint32_t i = 0; i < n; i++)
		v |= (uint32_t)(uint8_t)x[i] << 8 * i;
	return v;
}

ALWAYS_INLINE void put_pairs(uint32_t four, uint32_t stride, uint32_t *to)
{
	uint32_t even, odd;

	__asm("sxtb16 %0, %1" : "=r"(even) : "r"(four));
	__asm("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(four));
	to[0] = even;
	to[stride] = odd;
}

/* Whole fours of four tokens; the fours begin on any byte. */
static __attribute__((noinline)) uint32_t *expand_fours(
	const int8_t *x, uint32_t stride, uint32_t fours, uint32_t *to)
{
	const uint32_t *end = to + 8 * fours;

	__asm volatile(
		"1:\n\t"
		"ldr r5, [%[x], %[one]]\n\t"
		"ldr r6, [%[x], %[one], lsl #1]\n\t"
		"ldr r7, [%[x], %[three]]\n\t"
		"ldr r4, [%[x]], #4\n\t"
		"sxtb16 r8, r4\n\t"
		"sxtb16 r9, r5\n\t"
		"sxtb16 r10, r6\n\t"
		"sxtb16 r11, r7\n\t"
		"stmia %[to]!, {r8-r11}\n\t"
		"sxtb16 r4, r4, ror #8\n\t"
		"sxtb16 r5, r5, ror #8\n\t"
		"sxtb16 r6, r6, ror #8\n\t"
		"sxtb16 r7, r7, ror #8\n\t"
		"stmia %[to]!, {r4-r7}\n\t"
		"cmp %[to], %[end]\n\t"
		"bne 1b"
		: [x] "+r"(x), [to] "+r"(to)
		: [end] "r"(end), [one] "r"(stride), [three] "r"(3 * stride)
		: "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "cc", "memory");
	return to;
}

/* Columns k.. k + n of the tile's tokens; zeros up to a multiple of eight. */
static inline void expand(struct tile *t, uint32_t k, uint32_t n)
{
	uint32_t in = t->l->in, lanes = t->rows == 1 ? 1 : TILE_ROWS;
	uint32_t done = 0, padded = (n + 7) / 8 * 8;
	uint32_t *to = t->pairs;
	const int8_t *x = t->x + k;

	if (t->rows == TILE_ROWS && n >= 4) {
		to = expand_fours(x, in, n / 4, to);
		done = n / 4 * 4;
	}
	for (; done < padded; done += 4, to += 2 * lanes)
		for (uint32_t r = 0; r < lanes; r++) {
			const int8_t *at = x + (r < t->rows ? r : 0) * in + done;
			uint32_t left = done < n ? n - done : 0;

			put_pairs(left < 4 ? last_columns(at, left) : load_word(at),
				lanes, to + r);
		}
}

/* What a matrix without a bias adds. */
static const float no_bias[STRIP];

ALWAYS_INLINE const float *bias_of(const struct linear *l, uint32_t o)
{
	return l->bias ? l->bias + o : no_bias;
}

/* y = sums * scale + bias + add, four outputs; pointers go on behind them. */
#define FINISH(sums, add_them)                                                           \
	__asm volatile("vldmia %[s]!, {s0-s3}\n\t"                                       \
		       "vldmia %[b]!, {s8-s11}\n\t" sums add_them                        \
		       "vstmia %[y]!, {s8-s11}"                                          \
		       : [s] "+r"(s), [w] "+r"(w), [b] "+r"(b), [a] "+r"(a), [y] "+r"(y) \
		       : [xs] "t"(xs)                                                    \
		       : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9",     \
		       "s10", "s11", "memory")
#define FINISH_INTEGERS                                                                  \
	"vldmia %[w]!, {s4-s7}\n\t"                                                      \
	"vcvt.f32.s32 s0, s0\n\t"                                                        \
	"vcvt.f32.s32 s1, s1\n\t"                                                        \
	"vcvt.f32.s32 s2, s2\n\t"                                                        \
	"vcvt.f32.s32 s3, s3\n\t"                                                        \
	"vmul.f32 s4, s4, %[xs]\n\t"                                                     \
	"vmul.f32 s5, s5, %[xs]\n\t"                                                     \
	"vmul.f32 s6, s6, %[xs]\n\t"                                                     \
	"vmul.f32 s7, s7, %[xs]\n\t"                                                     \
	"vfma.f32 s8, s0, s4\n\t"                                                        \
	"vfma.f32 s9, s1, s5\n\t"                                                        \
	"vfma.f32 s10, s2, s6\n\t"                                                       \
	"vfma.f32 s11, s3, s7\n\t"
#define FINISH_FLOATS                                                                    \
	"vfma.f32 s8, s0, %[xs]\n\t"                                                     \
	"vfma.f32 s9, s1, %[xs]\n\t"                                                     \
	"vfma.f32 s10, s2, %[xs]\n\t"                                                    \
	"vfma.f32 s11, s3, %[xs]\n\t"
#define FINISH_ADD                                                                       \
	"vldmia %[a]!, {s0-s3}\n\t"                                                      \
	"vadd.f32 s8, s8, s0\n\t"                                                        \
	"vadd.f32 s9, s9, s1\n\t"                                                        \
	"vadd.f32 s10, s10, s2\n\t"                                                      \
	"vadd.f32 s11, s11, s3\n\t"

/* One token's `n` outputs from o on, of their integer sums and the matrix's scales. */
static inline void finish_integers(const struct tile *t, uint32_t r, uint32_t o,
	uint32_t n, const int32_t *s, const float *w)
{
	float xs = t->x_scale[r];
	uintptr_t at = (uintptr_t)r * t->l->out + o;
	float *y = t->y + at;
	const float *a = t->add ? t->add + at : 0, *b = bias_of(t->l, o);
	uint32_t fours = n / 4;

	if (a)
		for (; fours; fours--)
			FINISH(FINISH_INTEGERS, FINISH_ADD);
	for (; fours; fours--)
		FINISH(FINISH_INTEGERS, "");
	for (uint32_t i = 0; i < n % 4; i++) {
		float v = __builtin_fmaf((float)s[i], w[i] * xs, b[i]);

		y[i] = a ? a[i] + v : v;
	}
}

/* The same of sums that have their scales, but for a sixteenth. */
static inline void finish_floats(
	const struct tile *t, uint32_t r, uint32_t o, uint32_t n, const float *s)
{
	float xs = t->x_scale[r] / 16;
	uintptr_t at = (uintptr_t)r * t->l->out + o;
	float *y = t->y + at;
	const float *a = t->add ? t->add + at : 0, *b = bias_of(t->l, o), *w = s;
	uint32_t fours = n / 4;

	if (a)
		for (; fours; fours--)
			FINISH(FINISH_FLOATS, FINISH_ADD);
	for (; fours; fours--)
		FINISH(FINISH_FLOATS, "");
	for (uint32_t i = 0; i < n % 4; i++) {
		float v = __builtin_fmaf(s[i], xs, b[i]);

		y[i] = a ? a[i] + v : v;
	}
}

/* Tiles of as many tokens as there are; a tile of two costs more than two of one. */
ALWAYS_INLINE uint32_t tile_rows(uint32_t left)
{
	return left >= TILE_ROWS ? TILE_ROWS : left == 3 ? 3 : 1;
}

ALWAYS_INLINE void tile_begin(struct tile *t, const struct linear *l, const int8_t *x,
	const float *x_scale, const float *add, float *y)
{
	t->l = l;
	t->x = x;
	t->x_scale = x_scale;
	t->add = add;
	t->y = y;
}

ALWAYS_INLINE void tile_next(struct tile *t)
{
	t->x += (uintptr_t)t->rows * t->l->in;
	t->x_scale += t->rows;
	t->add += t->add ? (uintptr_t)t->rows * t->l->out : 0;
	t->y += (uintptr_t)t->rows * t->l->out;
}

#endif
