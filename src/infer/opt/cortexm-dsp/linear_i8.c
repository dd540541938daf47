/* Four tokens by eight weights: two words of weights, four LDMs of tokens, 16 SMLADs. */
#include "src/infer/opt/cortexm-dsp/tile.h"

#define FOUR(weights)                                                                    \
	"sxtb16 r10, " weights "\n\t"                                                    \
	"ldmia %[x]!, {r4-r7}\n\t"                                                       \
	"smlad %[a], r4, r10, %[a]\n\t"                                                  \
	"smlad %[b], r5, r10, %[b]\n\t"                                                  \
	"smlad %[c], r6, r10, %[c]\n\t"                                                  \
	"smlad %[d], r7, r10, %[d]\n\t"                                                  \
	"sxtb16 " weights ", " weights ", ror #8\n\t"                                    \
	"ldmia %[x]!, {r4-r7}\n\t"                                                       \
	"smlad %[a], r4, " weights ", %[a]\n\t"                                          \
	"smlad %[b], r5, " weights ", %[b]\n\t"                                          \
	"smlad %[c], r6, " weights ", %[c]\n\t"                                          \
	"smlad %[d], r7, " weights ", %[d]\n\t"
#define EIGHT "ldmia %[w]!, {r8-r9}\n\t" FOUR("r8") FOUR("r9")
#define DOT4(text)                                                                       \
	__asm volatile(text                                                              \
		       : [w] "+r"(w), [x] "+r"(x), [a] "+r"(a), [b] "+r"(b),             \
		       [c] "+r"(c), [d] "+r"(d)                                          \
		       : [end] "r"(end)                                                  \
		       : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "cc", "memory")

/* s[0], s[STRIP].. += of every token with the weights w..end. */
ALWAYS_INLINE void dot4(const int8_t *w, const int8_t *end, const uint32_t *x, int32_t *s)
{
	int32_t a = s[0], b = s[STRIP], c = s[2 * STRIP], d = s[3 * STRIP];

	if ((end - w) & 8)
		DOT4(EIGHT);
	if (w != end)
		DOT4("1:\n\t" EIGHT EIGHT "cmp %[w], %[end]\n\t"
		     "bne 1b");
	s[0] = a;
	s[STRIP] = b;
	s[2 * STRIP] = c;
	s[3 * STRIP] = d;
}

ALWAYS_INLINE void dot1(const int8_t *w, const int8_t *end, const uint32_t *x, int32_t *s)
{
	int32_t a = s[0];

	__asm volatile("1:\n\t"
		       "ldmia %[w]!, {r8-r9}\n\t"
		       "ldmia %[x]!, {r4-r7}\n\t"
		       "sxtb16 r10, r8\n\t"
		       "sxtb16 r8, r8, ror #8\n\t"
		       "smlad %[a], r4, r10, %[a]\n\t"
		       "smlad %[a], r5, r8, %[a]\n\t"
		       "sxtb16 r10, r9\n\t"
		       "sxtb16 r9, r9, ror #8\n\t"
		       "smlad %[a], r6, r10, %[a]\n\t"
		       "smlad %[a], r7, r9, %[a]\n\t"
		       "cmp %[w], %[end]\n\t"
		       "bne 1b"
		       : [w] "+r"(w), [x] "+r"(x), [a] "+r"(a)
		       : [end] "r"(end)
		       : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "cc", "memory");
	s[0] = a;
}

/* Strips' sums of `n` rows of weights, `padded` columns each. Not inlined: the assembly
 * takes all registers. */
static __attribute__((noinline)) void rows4(const int8_t *w, uintptr_t stride, uint32_t n,
	uint32_t padded, const uint32_t *x, int32_t *s)
{
	for (; n; n--, w += stride, s++)
		dot4(w, w + padded, x, s);
}

static __attribute__((noinline)) void rows1(const int8_t *w, uintptr_t stride, uint32_t n,
	uint32_t padded, const uint32_t *x, int32_t *s)
{
	for (; n; n--, w += stride, s++)
		dot1(w, w + padded, x, s);
}

/* Integer sums of `n` rows of the matrix from o on, token after token. */
static void sum_strip(struct tile *t, uint32_t o, uint32_t n, int32_t *s)
{
	uint32_t in = t->l->in, stride = (in + 7) / 8 * 8;

	for (uint32_t i = 0; i < TILE_ROWS * STRIP; i++)
		s[i] = 0;
	for (uint32_t k = 0; k < in; k += COLUMNS) {
		uint32_t some = in - k < COLUMNS ? in - k : COLUMNS;
		uint32_t padded = (some + 7) / 8 * 8;
		const int8_t *w = (const int8_t *)t->l->w + (uintptr_t)o * stride + k;

		if (!o || in > COLUMNS)
			expand(t, k, some);
		(t->rows == 1 ? rows1 : rows4)(w, stride, n, padded, t->pairs, s);
	}
}

static void multiply(struct tile *t)
{
	uint32_t out = t->l->out;

	for (uint32_t o = 0; o < out; o += STRIP) {
		uint32_t n = out - o < STRIP ? out - o : STRIP;
		int32_t s[TILE_ROWS * STRIP];
		float w[STRIP], b[STRIP];

		for (uint32_t i = 0; i < n; i++) {
			w[i] = fmath_bf16(t->l->scales[o + i]);
			b[i] = t->l->bias ? t->l->bias[o + i] : 0;
		}
		sum_strip(t, o, n, s);
		for (uint32_t r = 0; r < t->rows; r++)
			finish_row(t, r, o, n, s + r * STRIP, w, b);
	}
}

void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	struct tile t;

	tile_begin(&t, l, x, x_scale, add, y);
	for (; n; n -= t.rows) {
		t.rows = tile_rows(n);
		multiply(&t);
		tile_next(&t);
	}
}
