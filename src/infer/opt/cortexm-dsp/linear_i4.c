/* A word is eight weights, byte j column j in the low nibble and 4 + j in the high one.
 * Masked, a byte is sixteen times its nibble, which is taken back at the end. Sums are in
 * integers over a group of 32 columns, then in floats. */
#include "src/infer/opt/cortexm-dsp/tile.h"

/* Sums in r0-r3, tokens in r4-r7, a word of weights in r8, the mask in lr; r11 and r12 go
 * over tokens and weights. The first products of a group begin the sums. */
#define BEGIN(w)                                                                         \
	"smuad r0, r4, " w "\n\t"                                                        \
	"smuad r1, r5, " w "\n\t"                                                        \
	"smuad r2, r6, " w "\n\t"                                                        \
	"smuad r3, r7, " w "\n\t"
#define GO_ON(w)                                                                         \
	"smlad r0, r4, " w ", r0\n\t"                                                    \
	"smlad r1, r5, " w ", r1\n\t"                                                    \
	"smlad r2, r6, " w ", r2\n\t"                                                    \
	"smlad r3, r7, " w ", r3\n\t"
#define FOUR(first, word)                                                                \
	"and r9, lr, " word "\n\t"                                                       \
	"sxtb16 r10, r9\n\t"                                                             \
	"ldmia r11!, {r4-r7}\n\t" first("r10") "sxtb16 r9, r9, ror #8\n\t"               \
					       "ldmia r11!, {r4-r7}\n\t" GO_ON("r9")
#define EIGHT(first) "ldr r8, [r12], #4\n\t" FOUR(first, "r8, lsl #4") FOUR(GO_ON, "r8")

/* s8-s11 += r0-r3 times the next scale, whose address is s5. */
#define SCALE_GROUP                                                                      \
	"vmov r4, s5\n\t"                                                                \
	"ldrh r5, [r4], #2\n\t"                                                          \
	"vmov s5, r4\n\t"                                                                \
	"lsl r5, r5, #16\n\t"                                                            \
	"vmov s12, s13, r0, r1\n\t"                                                      \
	"vmov s14, s15, r2, r3\n\t"                                                      \
	"vmov s7, r5\n\t"                                                                \
	"vcvt.f32.s32 s12, s12\n\t"                                                      \
	"vcvt.f32.s32 s13, s13\n\t"                                                      \
	"vcvt.f32.s32 s14, s14\n\t"                                                      \
	"vcvt.f32.s32 s15, s15\n\t"                                                      \
	"vfma.f32 s8, s12, s7\n\t"                                                       \
	"vfma.f32 s9, s13, s7\n\t"                                                       \
	"vfma.f32 s10, s14, s7\n\t"                                                      \
	"vfma.f32 s11, s15, s7\n\t"

#define ROWS4(begin)                                                                            \
	__asm volatile(                                                                         \
		"ldmia r0, {r2-r7}\n\t"                                                         \
		"mov r12, r2\n\t"                                                               \
		"vmov s0, s1, r3, r6\n\t"                                                       \
		"vmov s2, s3, r4, r5\n\t"                                                       \
		"vmov s4, s5, r7, r1\n\t"                                                       \
		"mov lr, #0xf0f0f0f0\n"                                                         \
		"1:\n\t"				  /* a row */                           \
		"vmov r11, r4, s0, s1\n\t" begin "2:\n\t" /* a group */                         \
		"subs r4, r4, #16\n\t"                                                          \
		"blt 4f\n\t"                                                                    \
		"vmov s6, r4\n\t" EIGHT(BEGIN) EIGHT(GO_ON) EIGHT(GO_ON) EIGHT(GO_ON)           \
			SCALE_GROUP                                                             \
		"vmov r4, s6\n\t"                                                               \
		"cmp r4, #0\n\t"                                                                \
		"bne 2b\n\t"                                                                    \
		"b 6f\n"                                                                        \
		"4:\n\t" /* a short one, the last */                                            \
		"add r4, r4, #12\n\t"                                                           \
		"vmov s6, r4\n\t" EIGHT(                                                        \
			BEGIN) "5:\n\t"                                                         \
			       "vmov r4, s6\n\t"                                                \
			       "subs r4, r4, #4\n\t"                                            \
			       "blt 7f\n\t"                                                     \
			       "vmov s6, r4\n\t" EIGHT(                                         \
				       GO_ON) "b 5b\n"                                          \
					      "7:\n\t" SCALE_GROUP "6:\n\t"                     \
					      "vmov r4, r5, s2, s3\n\t"                         \
					      "vstr s9, [r4, #" STRIP_BYTES "]\n\t"             \
					      "vstr s10, [r4, #2*" STRIP_BYTES "]\n\t"          \
					      "vstr s11, [r4, #3*" STRIP_BYTES "]\n\t"          \
					      "vstmia r4!, {s8}\n\t"                            \
					      "vmov s2, r4\n\t"                                 \
					      "vmov r6, r7, s4, s5\n\t"                         \
					      "add r12, r12, r6\n\t"                            \
					      "add r6, r6, #15\n\t" /* 16 bytes have a scale */ \
					      "lsr r6, r6, #4\n\t"                              \
					      "add r7, r7, r6, lsl #1\n\t"                      \
					      "vmov s5, r7\n\t"                                 \
					      "cmp r4, r5\n\t"                                  \
					      "bne 1b"                                          \
		: "+r"(p), "+r"(scales)                                                         \
		:                                                                               \
		: "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12",          \
		"lr", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10",        \
		"s11", "s12", "s13", "s14", "s15", "cc", "memory")

/* Of four tokens; `go_on`: adds to the sums that are there. In s6 bytes that are left. */
static __attribute__((noinline)) void rows4(
	const struct strip *strip, const uint16_t *first, int go_on)
{
	register const struct strip *p __asm("r0") = strip;
	register const uint16_t *scales __asm("r1") = first;

	if (go_on)
		ROWS4("vmov r5, s2\n\t"
		      "vldr s8, [r5]\n\t"
		      "vldr s9, [r5, #" STRIP_BYTES "]\n\t"
		      "vldr s10, [r5, #2*" STRIP_BYTES "]\n\t"
		      "vldr s11, [r5, #3*" STRIP_BYTES "]\n");
	else
		ROWS4("mov r5, #0\n\t"
		      "vmov s8, s9, r5, r5\n\t"
		      "vmov s10, s11, r5, r5\n");
}

/* One token by `words` words of weights. */
ALWAYS_INLINE int32_t group1(const uint32_t *w, uint32_t words, const uint32_t *x)
{
	int32_t a = 0;

	for (; words; words--)
		__asm volatile("ldr r8, [%[w]], #4\n\t"
			       "ldmia %[x]!, {r4-r6, r11}\n\t"
			       "and r9, %[mask], r8, lsl #4\n\t"
			       "sxtb16 r10, r9\n\t"
			       "sxtb16 r9, r9, ror #8\n\t"
			       "smlad %[a], r4, r10, %[a]\n\t"
			       "smlad %[a], r5, r9, %[a]\n\t"
			       "and r9, %[mask], r8\n\t"
			       "sxtb16 r10, r9\n\t"
			       "sxtb16 r9, r9, ror #8\n\t"
			       "smlad %[a], r6, r10, %[a]\n\t"
			       "smlad %[a], r11, r9, %[a]\n\t"
			       : [w] "+r"(w), [x] "+r"(x), [a] "+r"(a)
			       : [mask] "r"(0xf0f0f0f0)
			       : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "memory");
	return a;
}

static __attribute__((noinline)) void rows1(
	const struct strip *p, const uint16_t *scales, int go_on)
{
	const uint32_t *w = p->w;

	for (float *s = p->s; s != p->end; s++, w += p->skip / 4) {
		const uint32_t *x = p->x;
		float sum = go_on ? *s : 0;

		for (uint32_t left = p->bytes / 4; left; scales++) {
			uint32_t some = left < KERNEL_GROUP / 8 ? left : KERNEL_GROUP / 8;

			sum = __builtin_fmaf(
				(float)group1(w, some, x), fmath_bf16(*scales), sum);
			w += some;
			x += 4 * some;
			left -= some;
		}
		scales += (p->skip + 15) / 16;
		*s = sum;
	}
}

/* Sums of `n` rows of the matrix from o on, with their scales, token after token. */
static void sum_strip(struct tile *t, uint32_t o, uint32_t n, float *s)
{
	uint32_t in = t->l->in, stride = (in + 7) / 8 * 4;
	uint32_t groups = (in + KERNEL_GROUP - 1) / KERNEL_GROUP;

	for (uint32_t k = 0; k < in; k += COLUMNS) {
		uint32_t some = in - k < COLUMNS ? in - k : COLUMNS;
		struct strip p = {
			(const uint8_t *)t->l->w + (uintptr_t)o * stride + k / 2,
			t->pairs, s, s + n, (some + 7) / 8 * 4, 0};

		p.skip = stride - p.bytes;
		if (!o || in > COLUMNS)
			expand(t, k, some);
		(t->rows == 1 ? rows1 : rows4)(&p,
			t->l->scales + (uintptr_t)o * groups + k / KERNEL_GROUP, k != 0);
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
			finish_floats(t, r, o, n, s + r * STRIP);
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
