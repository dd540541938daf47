/* Instructions of the hot loops, written out for AArch64; 32-bit Arm has the intrinsics.
 * They are volatile, which keeps their order: gcc 12 copies accumulators around the
 * intrinsics and loads weights so early that sums go to the stack.
 */
#ifndef HAWSER_INFER_OPT_ARM64_NEON_WRITTEN_H
#define HAWSER_INFER_OPT_ARM64_NEON_WRITTEN_H

#include <arm_neon.h>
#include <stdint.h>

#ifdef __aarch64__
/* Two vectors from w, which moves on by `step` bytes. */
#define LOAD_PAIR(a, b, w, step)                                                         \
	__asm__ volatile("ldp %q0, %q1, [%2], %4"                                        \
			 : "=w"(a), "=w"(b), "+r"(w)                                     \
			 : "m"(*(const char(*)[32])(const void *)(w)), "i"(step))
/* Four vectors named w0 to w3 from w, which moves on by a step in a register. They need
 * registers in a row, so these have names. */
#define FOUR_VECTORS(type)                                                               \
	register type w0 __asm__("v28"), w1 __asm__("v29"), w2 __asm__("v30"),           \
		w3 __asm__("v31")
#define LOAD_FOUR(w, step)                                                               \
	__asm__ volatile(                                                                \
		"ld1 {%0.16b, %1.16b, %2.16b, %3.16b}, [%4], %5"                         \
		: "=w"(w0), "=w"(w1), "=w"(w2), "=w"(w3), "+r"(w)                        \
		: "r"((uintptr_t)(step)), "m"(*(const char(*)[64])(const void *)(w)))
/* Two vectors of floats to y, which moves on. */
#define STORE_PAIR(y, a, b)                                                              \
	__asm__ volatile("stp %q2, %q3, [%0], 32"                                        \
			 : "+r"(y), "=m"(*(char(*)[32])(void *)(y))                      \
			 : "w"(a), "w"(b))
/* sum += w * x[lane] in floats. */
#define MLA_LANE(sum, w, x, lane)                                                        \
	__asm__ volatile("fmla %0.4s, %1.4s, %2.s[" #lane "]"                            \
			 : "+w"(sum)                                                     \
			 : "w"(w), "w"(x))
/* sum += four sums of four products of int8, of x all from one lane. */
#define DOT_LANE(sum, w, x, lane)                                                        \
	__asm__ volatile("sdot %0.4s, %1.16b, %2.4b[%3]"                                 \
			 : "+w"(sum)                                                     \
			 : "w"(w), "w"(x), "i"(lane))
/* sum += the 2 x 2 products of two rows of eight int8 each. */
#define DOT_BLOCK(sum, x, w)                                                             \
	__asm__ volatile("smmla %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(x), "w"(w))
/* Products of eight int8; those of the upper eight added; pairs added to sums. */
#define MULTIPLY_LOW(p, w, x)                                                            \
	__asm__ volatile("smull %0.8h, %1.8b, %2.8b" : "=w"(p) : "w"(w), "w"(x))
#define MULTIPLY_HIGH(p, w, x)                                                           \
	__asm__ volatile("smlal2 %0.8h, %1.16b, %2.16b" : "+w"(p) : "w"(w), "w"(x))
#define ADD_PAIRS(sum, p) __asm__ volatile("sadalp %0.4s, %1.8h" : "+w"(sum) : "w"(p))
#else
#define LOAD_PAIR(a, b, w, step)                                                         \
	((a) = vld1q_f32(w), (b) = vld1q_f32((w) + 4), (w) += (step) / 4)
#define STORE_PAIR(y, a, b) (vst1q_f32(y, a), vst1q_f32((y) + 4, b), (y) += 8)
/* Rounds twice. */
#define MLA_LANE(sum, w, x, lane)                                                        \
	((sum) = vmlaq_lane_f32(                                                         \
		 sum, w, (lane) < 2 ? vget_low_f32(x) : vget_high_f32(x), (lane)&1))
#define MULTIPLY_LOW(p, w, x) ((p) = vmull_s8(vget_low_s8(w), vget_low_s8(x)))
#define MULTIPLY_HIGH(p, w, x) ((p) = vmlal_s8(p, vget_high_s8(w), vget_high_s8(x)))
#define ADD_PAIRS(sum, p) ((sum) = vpadalq_s16(sum, p))
#endif

#endif
