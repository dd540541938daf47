/* Four tokens by eight weights: two words of weights, four LDMs of tokens, 16 SMLADs. */
#include "src/infer/opt/cortexm-dsp/tile.h"

/* Sums in r0-r3, tokens in r4-r7, weights in r8 and r9; r11 and r12 go over them. */
#define FOUR(weights)                                                                    \
	"sxtb16 r10, " weights "\n\t"                                                    \
	"ldmia r11!, {r4-r7}\n\t"                                                        \
	"smlad r0, r4, r10, r0\n\t"                                                      \
	"smlad r1, r5, r10, r1\n\t"                                                      \
	"smlad r2, r6, r10, r2\n\t"                                                      \
	"smlad r3, r7, r10, r3\n\t"                                                      \
	"sxtb16 " weights ", " weights ", ror #8\n\t"                                    \
	"ldmia r11!, {r4-r7}\n\t"                                                        \
	"smlad r0, r4, " weights ", r0\n\t"                                              \
	"smlad r1, r5, " weights ", r1\n\t"                                              \
	"smlad r2, r6, " weights ", r2\n\t"                                              \
	"smlad r3, r7, " weights ", r3\n\t"
#define EIGHT "ldmia r12!, {r8-r9}\n\t" FOUR("r8") FOUR("r9")
#define ROWS4(begin)                                                                     \
	__asm volatile("ldmia r0, {r1-r6}\n\t"                                           \
		       "mov r12, r1\n\t"                                                 \
		       "vmov s0, s1, r2, r5\n\t"                                         \
		       "vmov s2, s3, r3, r4\n\t"                                         \
		       "vmov s4, r6\n"                                                   \
		       "1:\n\t"                                                          \
		       "vmov r11, lr, s0, s1\n\t" begin "tst lr, #8\n\t"                 \
		       "add lr, lr, r12\n\t"                                             \
		       "beq 2f\n\t" EIGHT "cmp r12, lr\n\t"                              \
		       "beq 3f\n"                                                        \
		       "2:\n\t" EIGHT EIGHT "cmp r12, lr\n\t"                            \
		       "bne 2b\n"                                                        \
		       "3:\n\t"                                                          \
		       "vmov r4, r5, s2, s3\n\t"                                         \
		       "str r1, [r4, #" STRIP_BYTES "]\n\t"                              \
		       "str r2, [r4, #2*" STRIP_BYTES "]\n\t"                            \
		       "str r3, [r4, #3*" STRIP_BYTES "]\n\t"                            \
		       "str r0, [r4], #4\n\t"                                            \
		       "vmov s2, r4\n\t"                                                 \
		       "vmov r6, s4\n\t"                                                 \
		       "add r12, r12, r6\n\t"                                            \
		       "cmp r4, r5\n\t"                                                  \
		       "bne 1b"                                                          \
		       : "+r"(p)                                                         \
		       :                                                                 \
		       : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10",    \
		       "r11", "r12", "lr", "s0", "s1", "s2", "s3", "s4", "cc", "memory")

/* Of four tokens; `go_on`: adds to the sums that are there. */
static __attribute__((noinline)) void rows4(const struct strip *strip, int go_on)
{
	register const struct strip *p __asm("r0") = strip;

	if (go_on)
		ROWS4("vmov r4, s2\n\t"
		      "ldr r0, [r4]\n\t"
		      "ldr r1, [r4, #" STRIP_BYTES "]\n\t"
		      "ldr r2, [r4, #2*" STRIP_BYTES "]\n\t"
		      "ldr r3, [r4, #3*" STRIP_BYTES "]\n\t");
	else
		ROWS4("mov r0, #0\n\t"
		      "mov r1, #0\n\t"
		      "mov r2, #0\n\t"
		      "mov r3, #0\n\t");
}

/* Of one token. */
static __attribute__((noinline)) void rows1(const struct strip *p, int go_on)
{
	const int8_t *w = p->w;

	for (int32_t *s = p->s; s != p->end; s++, w += p->skip) {
		const int8_t *end = w + p->bytes;
		const uint32_t *x = p->x;
		int32_t a = go_on ? *s : 0;

		__asm volatile(
			"1:\n\t"
			"ldmia %[w]!, {r8-r9}\n\t"
			"ldmia %[x]!, {r4-r6, r10}\n\t"
			"sxtb16 r11, r8\n\t"
			"sxtb16 r8, r8, ror #8\n\t"
			"smlad %[a], r4, r11, %[a]\n\t"
			"smlad %[a], r5, r8, %[a]\n\t"
			"sxtb16 r11, r9\n\t"
			"sxtb16 r9, r9, ror #8\n\t"
			"smlad %[a], r6, r11, %[a]\n\t"
			"smlad %[a], r10, r9, %[a]\n\t"
			"cmp %[w], %[end]\n\t"
			"bne 1b"
			: [w] "+r"(w), [x] "+r"(x), [a] "+r"(a)
			: [end] "r"(end)
			: "r4", "r5", "r6", "r8", "r9", "r10", "r11", "cc", "memory");
		*s = a;
	}
}

/* Integer sums of `n` rows of the matrix from o on, token after token. */
static void sum_strip(struct tile *t, uint32_t o, uint32_t n, int32_t *s)
{
	uint32_t in = t->l->in, stride = (in + 7) / 8 * 8;

	for (uint32_t k = 0; k < in; k += COLUMNS) {
		uint32_t some = in - k < COLUMNS ? in - k : COLUMNS;
		struct strip p = {(const int8_t *)t->l->w + (uintptr_t)o * stride + k,
			t->pairs, s, s + n, (some + 7) / 8 * 8, 0};

		p.skip = stride - p.bytes;
		if (!o || in > COLUMNS)
			expand(t, k, some);
		(t->rows == 1 ? rows1 : rows4)(&p, k != 0);
	}
}

/* bf16 to floats; two at a time. */
ALWAYS_INLINE void widen(const uint16_t *from, uint32_t n, uint32_t *to)
{
	uint32_t i = 0;

	for (; i + 4 <= n; i += 4) {
		uint32_t a = load_word(from + i), b = load_word(from + i + 2);

		to[i] = a << 16;
		to[i + 1] = a & 0xffff0000;
		to[i + 2] = b << 16;
		to[i + 3] = b & 0xffff0000;
	}
	for (; i < n; i++)
		to[i] = (uint32_t)from[i] << 16;
}

static void multiply(struct tile *t)
{
	uint32_t out = t->l->out;

	for (uint32_t o = 0; o < out; o += STRIP) {
		uint32_t n = out - o < STRIP ? out - o : STRIP;
		int32_t s[TILE_ROWS * STRIP];
		union {
			uint32_t bits[STRIP];
			float f[STRIP];
		} w;

		widen(t->l->scales + o, n, w.bits);
		sum_strip(t, o, n, s);
		for (uint32_t r = 0; r < t->rows; r++)
			finish_integers(t, r, o, n, s + r * STRIP, w.f);
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
