/* Two queries of a head at a time, whose width is a multiple of 8; no biases of distances.
 *
 * Scores of four keys for both, at once 2^score without the largest taken off: softmax is
 * the same whatever is taken off. A score beyond +-128 leaves the FPU's sticky flag of
 * invalid operations set; what else is no float, or not exact enough, shows in the sums.
 */
#ifndef HAWSER_INFER_OPT_CORTEXM_DSP_PAIR_H
#define HAWSER_INFER_OPT_CORTEXM_DSP_PAIR_H

#include "src/infer/fmath.h"
#include "src/infer/opt/cortexm-dsp/exp2.h"

#define PAIR_HEAD 18 /* floats before the queries: two factors, zeros */

#define ALL_FLOATS                                                                       \
	"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", \
		"s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22",    \
		"s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31"

/* What pairs have in common, in the order that the assembly reads it. Strides are bytes. */
struct pair {
	const float *q;		       /* eight zeros, then what pair_queries leaves */
	uint32_t eights;	       /* of a head's width */
	uint32_t step[3];	       /* from key to key among four */
	uint32_t back;		       /* from behind a key to the fourth after it */
	const float *stop;	       /* end of the weights that are to be written */
	uint32_t eights_again, stride; /* from value to value */
	float *zeros;	    /* 16, and before them both factors: 1 / sum of weights */
	float *w;	    /* weights, [keys, 2] */
	float *fours, *end; /* their ends: of whole fours of keys, of all keys */
	float *last;	    /* of begun fours */
	float by;	    /* on queries */
	uint32_t seen, m;   /* keys that the first and the second query see */
};

/* clang-format off */
#define TWO(x, first, a, second, b)                                                      \
	"vfma.f32 " first ", " x ", " a "\n\t"                                           \
	"vfma.f32 " second ", " x ", " b "\n\t"
/* Eight floats of a key by those of both queries. */
#define PAIR_DOT(key, first, second)                                                     \
	"vldmia " key "!, {s0-s7}\n\t"                                                   \
	TWO("s0", first, "s8", second, "s16")                                            \
	TWO("s1", first, "s9", second, "s17")                                            \
	TWO("s2", first, "s10", second, "s18")                                           \
	TWO("s3", first, "s11", second, "s19")                                           \
	TWO("s4", first, "s12", second, "s20")                                           \
	TWO("s5", first, "s13", second, "s21")                                           \
	TWO("s6", first, "s14", second, "s22")                                           \
	TWO("s7", first, "s15", second, "s23")
#define PAIR_DOTS                                                                        \
	"vldmia r4!, {s8-s23}\n\t"                                                       \
	PAIR_DOT("%[key]", "s24", "s25")                                                 \
	PAIR_DOT("r10", "s26", "s27")                                                    \
	PAIR_DOT("r11", "s28", "s29")                                                    \
	PAIR_DOT("r12", "s30", "s31")
/* Eight floats of a value by the weights for both. */
#define PAIR_MIX(first, second)                                                          \
	"vldmia r5, {s0-s7}\n\t"                                                         \
	"add r5, r5, r8\n\t"                                                             \
	TWO("s0", "s16", first, "s24", second)                                           \
	TWO("s1", "s17", first, "s25", second)                                           \
	TWO("s2", "s18", first, "s26", second)                                           \
	TWO("s3", "s19", first, "s27", second)                                           \
	TWO("s4", "s20", first, "s28", second)                                           \
	TWO("s5", "s21", first, "s29", second)                                           \
	TWO("s6", "s22", first, "s30", second)                                           \
	TWO("s7", "s23", first, "s31", second)
#define TIMES(x, by) "vmul.f32 " x ", " x ", " by "\n\t"
#define TIMES_EIGHT(by, a, b, c, d, e, f, g, h)                                          \
	TIMES(a, by) TIMES(b, by) TIMES(c, by) TIMES(d, by)                              \
	TIMES(e, by) TIMES(f, by) TIMES(g, by) TIMES(h, by)
#define ADD(x, sum) "vadd.f32 " sum ", " sum ", " x "\n\t"
#define PAIR_EXP2                                                                        \
	"ldmia %[w], {r4-r6, r8}\n\t"                                                    \
	EXP2("r4", "r10", "r11")                                                         \
	EXP2("r5", "r10", "r11")                                                         \
	EXP2("r6", "r10", "r11")                                                         \
	EXP2("r8", "r10", "r11")                                                         \
	"stmia %[w]!, {r4-r6, r8}\n\t"

/* Both queries times `by` to q [eights, 2, 8]. */
static inline void pair_queries(
	const struct pair *p, const float *first, const float *second)
{
	uint32_t eights = p->eights;
	float *q = p->zeros + 16;

	__asm volatile(
		"1:\n\t"
		"vldmia %[first]!, {s0-s7}\n\t"
		"vldmia %[second]!, {s8-s15}\n\t"
		TIMES_EIGHT("%[by]", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7")
		TIMES_EIGHT("%[by]", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15")
		"vstmia %[q]!, {s0-s15}\n\t"
		"subs %[eights], #1\n\t"
		"bne 1b"
		: [first] "+r"(first), [second] "+r"(second), [q] "+r"(q),
		[eights] "+r"(eights)
		: [by] "t"(p->by)
		: "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10",
		"s11", "s12", "s13", "s14", "s15", "cc", "memory");
}

/* w [keys, 2] = 2^(q . k) of four keys or more fours. */
static inline void pair_scores(const struct pair *p, const float *key, float *w)
{
	__asm volatile(
		"1:\n\t"
		"ldmia %[p], {r4-r6, r8, r12}\n\t"
		"add r10, %[key], r6\n\t"
		"add r11, r10, r8\n\t"
		"add r12, r11, r12\n\t"
		"vldmia r4!, {s24-s31}\n"
		"2:\n\t"
		PAIR_DOTS
		"subs r5, #2\n\t"
		"blo 3f\n\t"
		PAIR_DOTS
		"bne 2b\n"
		"3:\n\t"
		EXP2_FIXED("s24") EXP2_FIXED("s25") EXP2_FIXED("s26") EXP2_FIXED("s27")
		EXP2_FIXED("s28") EXP2_FIXED("s29") EXP2_FIXED("s30") EXP2_FIXED("s31")
		"vstmia %[w], {s24-s31}\n\t"
		PAIR_EXP2
		PAIR_EXP2
		"ldrd r4, r5, [%[p], #20]\n\t"
		"cmp %[w], r5\n\t"
		"add %[key], %[key], r4\n\t"
		"bne 1b"
		: [key] "+r"(key), [w] "+r"(w)
		: [p] "r"(p), [table] "r"(exp2_table), [slope] "r"(exp2_slope)
		: "r4", "r5", "r6", "r8", "r10", "r11", "r12", ALL_FLOATS, "cc", "memory");
}

/* Of four keys or more fours. */
static inline void pair_sums(const struct pair *p, float sum[2])
{
	const float *w = p->w;
	float a = 0, b = 0;

	__asm volatile(
		"1:\n\t"
		"vldmia %[w]!, {s0-s7}\n\t"
		ADD("s0", "%[a]") ADD("s1", "%[b]") ADD("s2", "%[a]") ADD("s3", "%[b]")
		ADD("s4", "%[a]") ADD("s5", "%[b]") ADD("s6", "%[a]") ADD("s7", "%[b]")
		"cmp %[w], %[end]\n\t"
		"bne 1b"
		: [w] "+r"(w), [a] "+t"(a), [b] "+t"(b)
		: [end] "r"(p->last)
		: "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "cc", "memory");
	sum[0] = a;
	sum[1] = b;
}

/* Both answers: factors times what the weights make of the values. */
static inline void pair_mix(
	const struct pair *p, const float *v, float *first, float *second)
{
	__asm volatile(
		"add r4, %[p], #28\n\t"
		"ldmia r4, {r6, r8-r12}\n"
		"1:\n\t"
		"vldmia r9, {s16-s31}\n\t"
		"mov r4, r10\n\t"
		"mov r5, %[v]\n\t"
		"cmp r4, r11\n\t"
		"beq 3f\n"
		"2:\n\t"
		"vldmia r4!, {s8-s15}\n\t"
		PAIR_MIX("s8", "s9")
		PAIR_MIX("s10", "s11")
		PAIR_MIX("s12", "s13")
		PAIR_MIX("s14", "s15")
		"cmp r4, r11\n\t"
		"bne 2b\n"
		"3:\n\t"
		"cmp r4, r12\n\t"
		"beq 4f\n\t"
		"vldmia r4!, {s8-s9}\n\t"
		PAIR_MIX("s8", "s9")
		"b 3b\n"
		"4:\n\t"
		"vldr s0, [r9, #-8]\n\t"
		"vldr s1, [r9, #-4]\n\t"
		TIMES_EIGHT("s0", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23")
		TIMES_EIGHT("s1", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31")
		"vstmia %[first]!, {s16-s23}\n\t"
		"vstmia %[second]!, {s24-s31}\n\t"
		"add %[v], %[v], #32\n\t"
		"subs r6, #1\n\t"
		"bne 1b"
		: [v] "+r"(v), [first] "+r"(first), [second] "+r"(second)
		: [p] "r"(p)
		: "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", ALL_FLOATS, "cc",
		"memory");
}
/* clang-format on */

#endif
