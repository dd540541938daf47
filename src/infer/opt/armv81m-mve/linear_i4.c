/* A group of 32 input columns of an output column is a vector, low nibbles the first
 * sixteen. A nibble is used sixteen times too large, as the upper half of a byte: a group's
 * sum is at most 455168, and the sixteenth is part of the token's scale. */
#include "src/infer/opt/armv81m-mve/finish.h"

/* In the order in which the functions below load it. */
struct groups_call {
	const uint8_t *w;
	const int8_t *x0, *x1;
	const uint16_t *scales;
	void *out; /* float [FINISH_COLUMNS / 4][2][4] */
	uint32_t in, n_panels;
};

/* Registers: r1 w, r3 and r5 the tokens, r7 scales, r9 out, r11 columns left; on the stack
 * the columns of a row and the panels left. The first token's sums are in r0 to r6, the
 * second's in r8 to lr; its groups are added up in q6, the second's in q7. */
#define GROUPS(TWO)                                                                      \
	__asm volatile(".macro column a, b, at\n"                                        \
		       "	.if \\at\n"                                                     \
		       "	vldrb.8 q4, [r1, #\\at]\n"                                      \
		       "	.else\n"                                                        \
		       "	vldrb.8 q4, [r1], #64\n"                                        \
		       "	.endif\n"                                                       \
		       "	vshl.i8 q5, q4, #4\n"                                           \
		       "	vmladav.s8 \\a, q0, q5\n"                                       \
		       "	vbic.i16 q4, #0x0f\n"                                           \
		       "	.if " TWO "\n"                                           \
		       "	vmladav.s8 \\b, q2, q5\n"                                       \
		       "	.endif\n"                                                       \
		       "	vbic.i16 q4, #0x0f00\n"                                         \
		       "	vmladava.s8 \\a, q1, q4\n"                                      \
		       "	.if " TWO "\n"                                           \
		       "	vmladava.s8 \\b, q3, q4\n"                                      \
		       "	.endif\n"                                                       \
		       ".endm\n"                                                         \
		       "	push {r4-r11, lr}\n"                                            \
		       "	vpush {d8-d15}\n"                                               \
		       "	ldm r0, {r1, r3, r5, r7, r9}\n"                                 \
		       "	ldrd r2, r4, [r0, #20]\n"                                       \
		       "	push {r2, r4}\n"                                                \
		       "1:	ldr r11, [sp]\n"                                              \
		       "	vmov.i32 q6, #0\n"                                              \
		       "	vmov.i32 q7, #0\n"                                              \
		       "	subs r11, #32\n"                                                \
		       "	blt 4f\n"                                                       \
		       "2:	vldrb.8 q0, [r3], #16\n"                                      \
		       "	vldrb.8 q1, [r3], #16\n"                                        \
		       "	.if " TWO "\n"                                           \
		       "	vldrb.8 q2, [r5], #16\n"                                        \
		       "	vldrb.8 q3, [r5], #16\n"                                        \
		       "	.endif\n"                                                       \
		       "3:	column r2, r10, 16\n"                                         \
		       "	column r4, r12, 32\n"                                           \
		       "	column r6, lr, 48\n"                                            \
		       "	column r0, r8, 0\n"                                             \
		       "	vldrh.u32 q5, [r7], #8\n"                                       \
		       "	vmov q4[2], q4[0], r0, r4\n"                                    \
		       "	vmov q4[3], q4[1], r2, r6\n"                                    \
		       "	vshl.i32 q5, q5, #16\n"                                         \
		       "	vcvt.f32.s32 q4, q4\n"                                          \
		       "	vfma.f32 q6, q4, q5\n"                                          \
		       "	.if " TWO "\n"                                           \
		       "	vmov q4[2], q4[0], r8, r12\n"                                   \
		       "	vmov q4[3], q4[1], r10, lr\n"                                   \
		       "	vcvt.f32.s32 q4, q4\n"                                          \
		       "	vfma.f32 q7, q4, q5\n"                                          \
		       "	.endif\n"                                                       \
		       "	subs r11, #32\n"                                                \
		       "	bge 2b\n"                                                       \
		       "4:	adds r11, #32\n"                                              \
		       "	bgt 5f\n"                                                       \
		       "	vstrw.32 q7, [r9, #16]\n"                                       \
		       "	vstrw.32 q6, [r9], #32\n"                                       \
		       "	ldrd r2, r4, [sp]\n"                                            \
		       "	subs r3, r2\n"                                                  \
		       "	subs r5, r2\n"                                                  \
		       "	subs r4, #1\n"                                                  \
		       "	str r4, [sp, #4]\n"                                             \
		       "	bne 1b\n"                                                       \
		       "	add sp, #8\n"                                                   \
		       "	vpop {d8-d15}\n"                                                \
		       "	pop {r4-r11, pc}\n"                                             \
		       "5:	subs r2, r11, #16\n" /* what is left of a row */         \
		       "	it mi\n"                                                        \
		       "	movmi r2, #0\n"                                                 \
		       "	vctp.8 r11\n"                                                   \
		       "	vpstt\n"                                                        \
		       "	vldrbt.8 q0, [r3]\n"                                            \
		       "	vldrbt.8 q2, [r5]\n"                                            \
		       "	vctp.8 r2\n"                                                    \
		       "	vpstt\n"                                                        \
		       "	vldrbt.8 q1, [r3, #16]\n"                                       \
		       "	vldrbt.8 q3, [r5, #16]\n"                                       \
		       "	add r3, r11\n"                                                  \
		       "	add r5, r11\n"                                                  \
		       "	mov r11, #0\n"                                                  \
		       "	b 3b\n"                                                         \
		       "	.purgem column\n")

__attribute__((naked, noinline, noclone)) static void groups_of_2(
	const struct groups_call *call)
{
	(void)call;
	GROUPS("1");
}

__attribute__((naked, noinline, noclone)) static void groups_of_1(
	const struct groups_call *call)
{
	(void)call;
	GROUPS("0");
}

static void columns(const struct product *b, const int8_t *x, uint32_t n, uint32_t first)
{
	uint32_t in = b->l->in, left = b->l->out - first;
	uint32_t cols = left < FINISH_COLUMNS ? left : FINISH_COLUMNS;
	uintptr_t groups = (in + KERNEL_GROUP - 1) / KERNEL_GROUP;
	int32_t sums[2 * FINISH_COLUMNS]; /* floats */
	struct groups_call call = {
		.w = (const uint8_t *)b->l->w + first * groups * (KERNEL_GROUP / 2),
		.out = sums,
		.scales = b->l->scales + first * groups,
		.in = in,
		.n_panels = (cols + 3) / 4,
	};

	for (uint32_t t = 0; t < n; t += 2) {
		uint32_t rows = n - t < 2 ? 1 : 2;

		call.x0 = call.x1 = x + (uintptr_t)t * in;
		call.x1 += rows > 1 ? in : 0;
		(rows > 1 ? groups_of_2 : groups_of_1)(&call);
		finish(b, sums, t, rows, first, cols, 1);
	}
}

void linear_i4(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	const struct product b = {l, x_scale, add, y};

	for (uint32_t first = 0; first < l->out; first += FINISH_COLUMNS)
		columns(&b, x, n, first);
}
