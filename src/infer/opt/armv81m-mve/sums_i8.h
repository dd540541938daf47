/* Sums of products of int8: two tokens by a panel of four columns are eight VMLADAVA, each
 * sixteen multiply-adds into one of the eight even registers, for six loads. That leaves LR
 * to no loop, so loops of two tokens count by hand; one token alone has the low-overhead
 * loop that cuts its own tail.
 */
#ifndef HAWSER_INFER_OPT_ARMV81M_MVE_SUMS_I8_H
#define HAWSER_INFER_OPT_ARMV81M_MVE_SUMS_I8_H

#include <stdint.h>

/* In the order in which the functions below load it. */
struct sums_call {
	const int8_t *w, *x0, *x1;
	int32_t *out;	/* [panels][2][4] */
	uint32_t count; /* in + 65536 (panels - 1) */
};

/* r1 w, r3 and r5 the tokens, r7 columns left, r9 out, r11 count; sums of the first token in
 * r0 to r6, of the second in r8 to lr. A block is 64 input columns; its first sixteen come
 * last, as a load that moves its pointer has no offset. */
__attribute__((naked, noinline, noclone)) static void sums_of_2(
	const struct sums_call *call)
{
	(void)call;
	__asm volatile(".macro load_x at\n"
		       "	vldrb.8 q0, [r3\\at\n"
		       "	vldrb.8 q1, [r5\\at\n"
		       ".endm\n"
		       ".macro multiply mla, w, step\n"
		       "	vldrw.32 q2, [r1, #\\w+16]\n"
		       "	\\mla\\().s8 r2, q0, q2\n"
		       "	vldrw.32 q3, [r1, #\\w+32]\n"
		       "	\\mla\\().s8 r10, q1, q2\n"
		       "	\\mla\\().s8 r4, q0, q3\n"
		       "	vldrw.32 q2, [r1, #\\w+48]\n"
		       "	\\mla\\().s8 r12, q1, q3\n"
		       "	\\mla\\().s8 r6, q0, q2\n"
		       "	.if \\step\n"
		       "	vldrw.32 q3, [r1], #\\step\n"
		       "	.else\n"
		       "	vldrw.32 q3, [r1, #\\w]\n"
		       "	.endif\n"
		       "	\\mla\\().s8 lr, q1, q2\n"
		       "	\\mla\\().s8 r0, q0, q3\n"
		       "	\\mla\\().s8 r8, q1, q3\n"
		       ".endm\n"
		       ".macro block first\n"
		       "	load_x \", #16]\"\n"
		       "	multiply \\first, 64, 0\n"
		       "	load_x \", #32]\"\n"
		       "	multiply vmladava, 128, 0\n"
		       "	load_x \", #48]\"\n"
		       "	multiply vmladava, 192, 0\n"
		       "	load_x \"], #64\"\n"
		       "	multiply vmladava, 0, 256\n"
		       ".endm\n"
		       "	push {r4-r11, lr}\n"
		       "	ldm r0, {r1, r3, r5, r9, r11}\n"
		       "1:	uxth r7, r11\n"
		       "	subs r7, #64\n"
		       "	blt 6f\n"
		       "	block vmladav\n"
		       "	subs r7, #64\n"
		       "	bge 3f\n"
		       "	adds r7, #64\n"
		       "	bne 4f\n"
		       "2:	strd r4, r6, [r9, #8]\n"
		       "	strd r8, r10, [r9, #16]\n"
		       "	strd r12, lr, [r9, #24]\n"
		       "	strd r0, r2, [r9], #32\n"
		       "	uxth r7, r11\n"
		       "	subs r3, r7\n"
		       "	subs r5, r7\n"
		       "	subs r11, #65536\n"
		       "	bcs 1b\n"
		       "	pop {r4-r11, pc}\n"
		       "3:	block vmladava\n"
		       "	subs r7, #64\n"
		       "	bge 3b\n"
		       "	adds r7, #64\n"
		       "	beq 2b\n"
		       "4:	subs r7, #16\n"
		       "	blt 5f\n"
		       "7:	load_x \"], #16\"\n"
		       "	multiply vmladava, 0, 64\n"
		       "	subs r7, #16\n"
		       "	bge 7b\n"
		       "5:	adds r7, #16\n"
		       "	beq 2b\n"
		       "	vctp.8 r7\n"
		       "	vpstt\n"
		       "	vldrbt.8 q0, [r3]\n"
		       "	vldrbt.8 q1, [r5]\n"
		       "	multiply vmladava, 0, 64\n"
		       "	add r3, r7\n"
		       "	add r5, r7\n"
		       "	b 2b\n"
		       "6:	movs r0, #0\n"
		       "	movs r2, #0\n"
		       "	movs r4, #0\n"
		       "	movs r6, #0\n"
		       "	mov r8, r0\n"
		       "	mov r10, r0\n"
		       "	mov r12, r0\n"
		       "	mov lr, r0\n"
		       "	adds r7, #64\n"
		       "	b 4b\n"
		       "	.purgem load_x\n"
		       "	.purgem multiply\n"
		       "	.purgem block\n");
}

/* r1 w, r3 the token, r5 where it begins, r7 columns, r9 out, r11 count. */
__attribute__((naked, noinline, noclone)) static void sums_of_1(
	const struct sums_call *call)
{
	(void)call;
	__asm volatile("	push {r4-r11, lr}\n"
		       "	ldm r0, {r1, r3, r5, r9, r11}\n"
		       "	uxth r7, r11\n"
		       "1:	mov r3, r5\n"
		       "	movs r0, #0\n"
		       "	movs r2, #0\n"
		       "	movs r4, #0\n"
		       "	movs r6, #0\n"
		       "	dlstp.8 lr, r7\n"
		       "2:	vldrb.8 q0, [r3], #16\n"
		       "	vldrb.8 q1, [r1, #16]\n"
		       "	vmladava.s8 r2, q0, q1\n"
		       "	vldrb.8 q2, [r1, #32]\n"
		       "	vmladava.s8 r4, q0, q2\n"
		       "	vldrb.8 q3, [r1, #48]\n"
		       "	vmladava.s8 r6, q0, q3\n"
		       "	vldrb.8 q1, [r1], #64\n"
		       "	vmladava.s8 r0, q0, q1\n"
		       "	letp lr, 2b\n"
		       "	strd r4, r6, [r9, #8]\n"
		       "	strd r0, r2, [r9], #32\n"
		       "	subs r11, #65536\n"
		       "	bcs 1b\n"
		       "	pop {r4-r11, pc}\n");
}

#endif
