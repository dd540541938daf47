/* A word is eight weights, byte j column j in the low nibble and 4 + j in the high one.
 * Masked, a byte is sixteen times its nibble, which the scales take back. Sums are in
 * integers over a group of 32 columns, then in floats. */
#include "src/infer/opt/cortexm-dsp/tile.h"

/* Eight weights of r8 by four tokens; the first products of a group begin the sums. */
#define FOUR(first, word)                                                                \
	"and r9, r11, " word "\n\t"                                                      \
	"sxtb16 r10, r9\n\t"                                                             \
	"ldmia %[x]!, {r4-r7}\n\t" first("r10") "sxtb16 r9, r9, ror #8\n\t"              \
						"ldmia %[x]!, {r4-r7}\n\t" GO_ON("r9")
#define BEGIN(w)                                                                         \
	"smuad %[a], r4, " w "\n\t"                                                      \
	"smuad %[b], r5, " w "\n\t"                                                      \
	"smuad %[c], r6, " w "\n\t"                                                      \
	"smuad %[d], r7, " w "\n\t"
#define GO_ON(w)                                                                         \
	"smlad %[a], r4, " w ", %[a]\n\t"                                                \
	"smlad %[b], r5, " w ", %[b]\n\t"                                                \
	"smlad %[c], r6, " w ", %[c]\n\t"                                                \
	"smlad %[d], r7, " w ", %[d]\n\t"
#define EIGHT(first) "ldr r8, [%[w]], #4\n\t" FOUR(first, "r8, lsl #4") FOUR(GO_ON, "r8")
#define MASK "mov r11, #0xf0f0f0f0\n\t"
#define DOT4(text)                                                                       \
	__asm volatile(                                                                  \
		MASK text                                                                \
		: [w] "+r"(w), [x] "+r"(x), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c),    \
		[d] "=&r"(d)                                                             \
		:                                                                        \
		: "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "cc", "memory")
#define MORE(text)                                                                       \
	__asm volatile(                                                                  \
		MASK text                                                                \
		: [w] "+r"(w), [x] "+r"(x), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c),       \
		[d] "+r"(d)                                                              \
		:                                                                        \
		: "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "cc", "memory")

/* s[0], s[STRIP].. += scale times every token by `words` words of weights, at most four. */
ALWAYS_INLINE void group4(
	const uint32_t *w, uint32_t words, const uint32_t *x, float scale, float *s)
{
	int32_t a, b, c, d;

	if (words == 4) {
		DOT4(EIGHT(BEGIN) EIGHT(GO_ON) EIGHT(GO_ON) EIGHT(GO_ON));
	} else {
		DOT4(EIGHT(BEGIN));
		while (--words)
			MORE(EIGHT(GO_ON));
	}
	s[0] = __builtin_fmaf((float)a, scale, s[0]);
	s[STRIP] = __builtin_fmaf((float)b, scale, s[STRIP]);
	s[2 * STRIP] = __builtin_fmaf((float)c, scale, s[2 * STRIP]);
	s[3 * STRIP] = __builtin_fmaf((float)d, scale, s[3 * STRIP]);
}

ALWAYS_INLINE void group1(
	const uint32_t *w, uint32_t words, const uint32_t *x, float scale, float *s)
{
	int32_t a = 0;

	for (; words; words--)
		__asm volatile(
			MASK "ldr r8, [%[w]], #4\n\t"
			     "ldmia %[x]!, {r4-r7}\n\t"
			     "and r9, r11, r8, lsl #4\n\t"
			     "sxtb16 r10, r9\n\t"
			     "sxtb16 r9, r9, ror #8\n\t"
			     "smlad %[a], r4, r10, %[a]\n\t"
			     "smlad %[a], r5, r9, %[a]\n\t"
			     "and r9, r11, r8\n\t"
			     "sxtb16 r10, r9\n\t"
			     "sxtb16 r9, r9, ror #8\n\t"
			     "smlad %[a], r6, r10, %[a]\n\t"
			     "smlad %[a], r7, r9, %[a]\n\t"
			: [w] "+r"(w), [x] "+r"(x), [a] "+r"(a)
			:
			: "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "memory");
	s[0] = __builtin_fmaf((float)a, scale, s[0]);
}

/* Of one row of the matrix the columns that are expanded, from k on. */
ALWAYS_INLINE void sum_row(const struct tile *t, const uint32_t *w,
	const uint16_t *scales, uint32_t words, float *s)
{
	uint32_t lanes = t->rows == 1 ? 1 : TILE_ROWS;
	const uint32_t *x = t->pairs;

	for (; words; scales++) {
		uint32_t some = words < KERNEL_GROUP / 8 ? words : KERNEL_GROUP / 8;
		float scale = fmath_bf16(*scales) / 16;

		if (lanes == 1)
			group1(w, some, x, scale, s);
		else
			group4(w, some, x, scale, s);
		w += some;
		x += 4 * lanes * some;
		words -= some;
	}
}

/* Sums of `n` rows of the matrix from o on, with their scales, token after token. */
static void sum_strip(struct tile *t, uint32_t o, uint32_t n, float *s)
{
	uint32_t in = t->l->in, stride = (in + 7) / 8;
	uint32_t groups = (in + KERNEL_GROUP - 1) / KERNEL_GROUP;

	for (uint32_t i = 0; i < TILE_ROWS * STRIP; i++)
		s[i] = 0;
	for (uint32_t k = 0; k < in; k += COLUMNS) {
		uint32_t some = in - k < COLUMNS ? in - k : COLUMNS;
		const uint32_t *w =
			(const uint32_t *)t->l->w + (uintptr_t)o * stride + k / 8;
		const uint16_t *scales =
			t->l->scales + (uintptr_t)o * groups + k / KERNEL_GROUP;

		if (!o || in > COLUMNS)
			expand(t, k, some);
		for (uint32_t i = 0; i < n; i++, w += stride, scales += groups)
			sum_row(t, w, scales, (some + 7) / 8, s + i);
	}
}

/* One token's `n` outputs from o on. */
ALWAYS_INLINE void finish(
	const struct tile *t, uint32_t r, uint32_t o, uint32_t n, const float *s)
{
	float xs = t->x_scale[r];
	uintptr_t at = (uintptr_t)r * t->l->out + o;
	const float *bias = t->l->bias ? t->l->bias + o : 0, *add = t->add + at;
	float *y = t->y + at;

	for (uint32_t i = 0; i < n; i++) {
		float v = __builtin_fmaf(s[i], xs, bias ? bias[i] : 0);

		y[i] = t->add ? add[i] + v : v;
	}
}

static void multiply(struct tile *t)
{
	uint32_t out = t->l->out;

	for (uint32_t o = 0; o < out; o += STRIP) {
		uint32_t n = out - o < STRIP ? out - o : STRIP;
		float s[TILE_ROWS * STRIP];

		sum_strip(t, o, n, s);
		for (uint32_t r = 0; r < t->rows; r++)
			finish(t, r, o, n, s + r * STRIP);
	}
}

void linear_i4(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
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
