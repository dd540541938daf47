/* A query at a time. Scores are in units of log 2: what is multiplied into the query. */
#include "src/infer/opt/cortexm-dsp/exp2.h"
#include "src/infer/opt/cortexm-dsp/rows.h"
#include "src/infer/ref/scores.h"

#define LOG2_E 1.44269504f

/* s0-s7 of %[from] by eight registers into one, and eight by one into eight. */
#define DOT8(acc, a, b, c, d, e, f, g, h)                                                \
	"vldmia %[from]!, {s0-s7}\n\t"                                                   \
	"vfma.f32 " acc ", s0, " a "\n\t"                                                \
	"vfma.f32 " acc ", s1, " b "\n\t"                                                \
	"vfma.f32 " acc ", s2, " c "\n\t"                                                \
	"vfma.f32 " acc ", s3, " d "\n\t"                                                \
	"vfma.f32 " acc ", s4, " e "\n\t"                                                \
	"vfma.f32 " acc ", s5, " f "\n\t"                                                \
	"vfma.f32 " acc ", s6, " g "\n\t"                                                \
	"vfma.f32 " acc ", s7, " h "\n\t"
#define MIX8(by, a, b, c, d, e, f, g, h)                                                 \
	"vldmia %[from]!, {s0-s7}\n\t"                                                   \
	"vfma.f32 " a ", s0, " by "\n\t"                                                 \
	"vfma.f32 " b ", s1, " by "\n\t"                                                 \
	"vfma.f32 " c ", s2, " by "\n\t"                                                 \
	"vfma.f32 " d ", s3, " by "\n\t"                                                 \
	"vfma.f32 " e ", s4, " by "\n\t"                                                 \
	"vfma.f32 " f ", s5, " by "\n\t"                                                 \
	"vfma.f32 " g ", s6, " by "\n\t"                                                 \
	"vfma.f32 " h ", s7, " by "\n\t"
#define LOW8 "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23"
#define HIGH8 "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31"
#define EXPAND(macro, ...) macro(__VA_ARGS__)
#define DOT_8(acc) EXPAND(DOT8, acc, LOW8)
#define DOT_16(acc) EXPAND(DOT8, acc, LOW8) EXPAND(DOT8, acc, HIGH8)
#define MIX_8(by) EXPAND(MIX8, by, LOW8)
#define MIX_16(by) EXPAND(MIX8, by, LOW8) EXPAND(MIX8, by, HIGH8)
#define NEXT "add %[from], %[from], %[skip]\n\t"

/* Two keys or values at a time, then the odd one. */
#define PAIRS(each, back)                                                                \
	"cmp %[row], %[pairs]\n\t"                                                       \
	"beq 2f\n"                                                                       \
	"1:\n\t"                                                                         \
	"vldmia %[row]" back ", {s8-s9}\n\t" each("s8") NEXT each("s9") NEXT
#define SCORES(each, load)                                                               \
	__asm volatile("vldmia %[q], {" load "}\n\t" PAIRS(                              \
		each, "") "vstmia %[row]!, {s8-s9}\n\t"                                  \
			  "cmp %[row], %[pairs]\n\t"                                     \
			  "bne 1b\n"                                                     \
			  "2:\n\t"                                                       \
			  "cmp %[row], %[end]\n\t"                                       \
			  "beq 3f\n\t"                                                   \
			  "vldr s8, [%[row]]\n\t" each("s8") "vstr s8, [%[row]]\n"       \
							     "3:"                        \
		       : [from] "+r"(from), [row] "+r"(row)                              \
		       : [q] "r"(q), [pairs] "r"(row + m / 2 * 2), [end] "r"(row + m),   \
		       [skip] "r"(skip)                                                  \
		       : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9",     \
		       LOW8, HIGH8, "cc", "memory")
#define MIX(each, load)                                                                  \
	__asm volatile("vldmia %[out], {" load "}\n\t" PAIRS(each,                       \
		"!") "cmp %[row], %[pairs]\n\t"                                          \
		     "bne 1b\n"                                                          \
		     "2:\n\t"                                                            \
		     "cmp %[row], %[end]\n\t"                                            \
		     "beq 3f\n\t"                                                        \
		     "vldr s8, [%[row]]\n\t" each("s8") "3:\n\t"                         \
							"vstmia %[out], {" load "}"      \
		       : [from] "+r"(from), [row] "+r"(row)                              \
		       : [out] "r"(out), [pairs] "r"(row + m / 2 * 2),                   \
		       [end] "r"(row + m), [skip] "r"(skip)                              \
		       : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9",     \
		       LOW8, HIGH8, "cc", "memory")

/* row[j] += q . k[j], of 16 or 8 columns. */
static __attribute__((noinline)) void add_scores(const float *q, const float *from,
	uint32_t stride, uint32_t columns, uint32_t m, float *row)
{
	uint32_t skip = 4 * (stride - columns);

	if (columns == 16)
		SCORES(DOT_16, "s16-s31");
	else
		SCORES(DOT_8, "s16-s23");
}

/* out += sum_j row[j] v[j], of 16 or 8 columns. */
static __attribute__((noinline)) void add_mix(const float *row, const float *from,
	uint32_t stride, uint32_t columns, uint32_t m, float *out)
{
	uint32_t skip = 4 * (stride - columns);

	if (columns == 16)
		MIX(MIX_16, "s16-s31");
	else
		MIX(MIX_8, "s16-s23");
}

#define EXP2(x, at, r)                                                                   \
	"vsub.f32 " x ", " x ", %[most]\n\t"                                             \
	"vadd.f32 " at ", " x ", %[shift]\n\t"                                           \
	"vmov " r ", " at "\n\t"                                                         \
	"vsub.f32 " at ", " at ", %[shift]\n\t"                                          \
	"vsub.f32 " x ", " x ", " at "\n\t"                                              \
	"vmul.f32 " x ", " x ", %[slope]\n\t"                                            \
	"sub " r ", " r ", %[bits]\n\t"                                                  \
	"ssat " r ", #16, " r "\n\t"                                                     \
	"uxtb r4, " r "\n\t"                                                             \
	"ldr r4, [%[table], r4, lsl #2]\n\t"                                             \
	"add r4, r4, " r ", lsl #15\n\t"                                                 \
	"vmov " at ", r4\n\t"                                                            \
	"vfma.f32 " at ", " at ", " x "\n\t"                                             \
	"vadd.f32 %[sum], %[sum], " at "\n\t"

/* Scores of a row to weights; returns 1 / their sum. */
static float weigh(float *row, uint32_t m)
{
	const float *end = row + m / 2 * 2;
	float most = row[0], sum = 0;

	for (uint32_t j = 1; j < m; j++)
		most = row[j] > most ? row[j] : most;
	for (; row != end;)
		__asm volatile("vldmia %[row], {s0-s1}\n\t" EXP2("s0", "s2", "r5")
				       EXP2("s1", "s3", "r5") "vstmia %[row]!, {s2-s3}"
			       : [row] "+r"(row), [sum] "+t"(sum)
			       : [most] "t"(most), [shift] "t"(EXP2_SHIFT),
			       [slope] "t"(0.69314718f), [bits] "r"(EXP2_SHIFT_BITS),
			       [table] "r"(exp2_table)
			       : "r4", "r5", "s0", "s1", "s2", "s3", "memory");
	if (m % 2)
		__asm volatile(
			"vldr s0, [%[row]]\n\t" EXP2("s0", "s2", "r5") "vstr s2, [%[row]]"
			: [sum] "+t"(sum)
			: [row] "r"(row), [most] "t"(most), [shift] "t"(EXP2_SHIFT),
			[slope] "t"(0.69314718f), [bits] "r"(EXP2_SHIFT_BITS),
			[table] "r"(exp2_table)
			: "r4", "r5", "s0", "s2", "memory");
	return 1 / sum;
}

/* One query of one head: q and out may be the same. */
static void one_query(const struct attention *a, const float *q, const float *k,
	const float *v, uint32_t m, float *row, float *out)
{
	uint32_t d = a->d_head, stride = a->n_kv_heads * d, c = 0, left;
	float by = a->scale * LOG2_E, inverse;

	for (uint32_t i = 0; i < d; i++)
		out[i] = q[i] * by;
	for (; (left = d - c) >= 8; c += left < 16 ? 8 : 16)
		add_scores(out + c, k + c, stride, left < 16 ? 8 : 16, m, row);
	for (; c < d; c++)
		for (uint32_t j = 0; j < m; j++)
			row[j] += out[c] * k[j * stride + c];
	inverse = weigh(row, m);
	for (uint32_t i = 0; i < d; i++)
		out[i] = 0;
	for (c = 0; (left = d - c) >= 8; c += left < 16 ? 8 : 16)
		add_mix(row, v + c, stride, left < 16 ? 8 : 16, m, out + c);
	for (; c < d; c++)
		for (uint32_t j = 0; j < m; j++)
			out[c] += row[j] * v[j * stride + c];
	for (uint32_t i = 0; i < d; i++)
		out[i] *= inverse;
}

void attention(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data)
{
	uint32_t d = a->d_head, per_kv = a->n_heads / a->n_kv_heads;

	for (uint32_t t = 0; t < n; t++) {
		uint32_t i = n_past + t, m = a->causal ? i + 1 : n_past + n;

		for (uint32_t h = 0; h < a->n_heads; h++) {
			uintptr_t at = ((uintptr_t)t * a->n_heads + h) * d;

			for (uint32_t j = 0; j < m; j++)
				data->row[j] = a->rel ? LOG2_E * rel_bias(a, h, i, j) : 0;
			one_query(a, data->q + at, data->k + h / per_kv * d,
				data->v + h / per_kv * d, m, data->row, data->out + at);
		}
	}
}
