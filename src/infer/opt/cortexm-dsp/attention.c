/* A query at a time. Scores are in units of log 2: what is multiplied into the query. */
#include "src/infer/opt/cortexm-dsp/exp2.h"
#include "src/infer/opt/cortexm-dsp/rows.h"
#include "src/infer/ref/scores.h"

#define LOG2_E 1.44269504f

/* s0-s7 of %[from] by eight registers into one, and eight by one into eight. */
#define DOT8(first, acc, a, b, c, d, e, f, g, h)                                         \
	"vldmia %[from]!, {s0-s7}\n\t" first ".f32 " acc ", s0, " a "\n\t"               \
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
#define TIMES8(a, b, c, d, e, f, g, h)                                                   \
	"vmul.f32 " a ", " a ", %[by]\n\t"                                               \
	"vmul.f32 " b ", " b ", %[by]\n\t"                                               \
	"vmul.f32 " c ", " c ", %[by]\n\t"                                               \
	"vmul.f32 " d ", " d ", %[by]\n\t"                                               \
	"vmul.f32 " e ", " e ", %[by]\n\t"                                               \
	"vmul.f32 " f ", " f ", %[by]\n\t"                                               \
	"vmul.f32 " g ", " g ", %[by]\n\t"                                               \
	"vmul.f32 " h ", " h ", %[by]\n\t"
#define ZERO8(a, b, c, d, e, f, g, h)                                                    \
	"vmov " a ", " b ", %[zero], %[zero]\n\t"                                        \
	"vmov " c ", " d ", %[zero], %[zero]\n\t"                                        \
	"vmov " e ", " f ", %[zero], %[zero]\n\t"                                        \
	"vmov " g ", " h ", %[zero], %[zero]\n\t"
#define LOW8 "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23"
#define HIGH8 "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31"
#define EXPAND(macro, ...) macro(__VA_ARGS__)
#define BEGIN_8(acc) EXPAND(DOT8, "vmul", acc, LOW8)
#define BEGIN_16(acc) EXPAND(DOT8, "vmul", acc, LOW8) EXPAND(DOT8, "vfma", acc, HIGH8)
#define DOT_8(acc) EXPAND(DOT8, "vfma", acc, LOW8)
#define DOT_16(acc) EXPAND(DOT8, "vfma", acc, LOW8) EXPAND(DOT8, "vfma", acc, HIGH8)
#define MIX_8(by) EXPAND(MIX8, by, LOW8)
#define MIX_16(by) EXPAND(MIX8, by, LOW8) EXPAND(MIX8, by, HIGH8)
#define TIMES_8 EXPAND(TIMES8, LOW8)
#define TIMES_16 EXPAND(TIMES8, LOW8) EXPAND(TIMES8, HIGH8)
#define ZERO_8 EXPAND(ZERO8, LOW8)
#define ZERO_16 EXPAND(ZERO8, LOW8) EXPAND(ZERO8, HIGH8)
#define NEXT "add %[from], %[from], %[skip]\n\t"
#define CLOBBERS                                                                         \
	"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", LOW8, HIGH8, "cc",   \
		"memory"

/* Two keys or values at a time, then the odd one. */
#define SCORES(registers, times, load, each)                                             \
	__asm volatile("vldmia %[q], {" registers "}\n\t" times                          \
		       "cmp %[row], %[pairs]\n\t"                                        \
		       "beq 2f\n"                                                        \
		       "1:\n\t" load("{s8-s9}") each("s8") NEXT each("s9") NEXT          \
		       "vstmia %[row]!, {s8-s9}\n\t"                                     \
		       "cmp %[row], %[pairs]\n\t"                                        \
		       "bne 1b\n"                                                        \
		       "2:\n\t"                                                          \
		       "cmp %[row], %[end]\n\t"                                          \
		       "beq 3f\n\t" load("{s8}") each("s8") "vstmia %[row], {s8}\n"      \
							    "3:"                         \
		       : [from] "+r"(from), [row] "+r"(row)                              \
		       : [q] "r"(q), [pairs] "r"(row + m / 2 * 2), [end] "r"(row + m),   \
		       [skip] "r"(skip), [by] "t"(by)                                    \
		       : CLOBBERS)
#define LOAD(registers) "vldmia %[row], " registers "\n\t"
#define NOTHING(registers)
#define MIX(registers, zero_all, times, each)                                            \
	__asm volatile(                                                                  \
		zero_all "cmp %[row], %[pairs]\n\t"                                      \
			 "beq 2f\n"                                                      \
			 "1:\n\t"                                                        \
			 "vldmia %[row]!, {s8-s9}\n\t" each("s8") NEXT each("s9") NEXT   \
		"cmp %[row], %[pairs]\n\t"                                               \
		"bne 1b\n"                                                               \
		"2:\n\t"                                                                 \
		"cmp %[row], %[end]\n\t"                                                 \
		"beq 3f\n\t"                                                             \
		"vldr s8, [%[row]]\n\t" each("s8") "3:\n\t" times                        \
						   "vstmia %[out], {" registers "}"      \
		: [from] "+r"(from), [row] "+r"(row)                                     \
		: [out] "r"(out), [pairs] "r"(row + m / 2 * 2), [end] "r"(row + m),      \
		[skip] "r"(skip), [zero] "r"(0), [by] "t"(by)                            \
		: CLOBBERS)

/* Of 16 or 8 columns; scores are begun, or added to. */
struct part {
	uint32_t columns, stride, m, more;
};

/* row[j] (+)= (by q) . k[j] */
static __attribute__((noinline)) void scores(
	const struct part *p, const float *q, const float *from, float by, float *row)
{
	uint32_t skip = 4 * (p->stride - p->columns), m = p->m;

	if (p->columns == 16 && p->more)
		SCORES("s16-s31", TIMES_16, LOAD, DOT_16);
	else if (p->columns == 16)
		SCORES("s16-s31", TIMES_16, NOTHING, BEGIN_16);
	else if (p->more)
		SCORES("s16-s23", TIMES_8, LOAD, DOT_8);
	else
		SCORES("s16-s23", TIMES_8, NOTHING, BEGIN_8);
}

/* out = by sum_j row[j] v[j] */
static __attribute__((noinline)) void mix(
	const struct part *p, const float *row, const float *from, float by, float *out)
{
	uint32_t skip = 4 * (p->stride - p->columns), m = p->m;

	if (p->columns == 16)
		MIX("s16-s31", ZERO_16, TIMES_16, MIX_16);
	else
		MIX("s16-s23", ZERO_8, TIMES_8, MIX_8);
}

/* x - `most` is cut to 256ths, in `r`; `clip` minds what is out of range. */
#define EXP2(x, at, r, less, clip)                                                       \
	less "vadd.f32 " at ", " x ", %[shift]\n\t"                                      \
	     "vmov " r ", " at "\n\t"                                                    \
	     "vsub.f32 " at ", " at ", %[shift]\n\t"                                     \
	     "vsub.f32 " x ", " x ", " at "\n\t"                                         \
	     "vmul.f32 " x ", " x ", %[slope]\n\t" clip "uxtb r4, " r "\n\t"             \
	     "ldr r4, [%[table], r4, lsl #2]\n\t"                                        \
	     "add r4, r4, " r ", lsl #15\n\t"                                            \
	     "vmov " at ", r4\n\t"                                                       \
	     "vfma.f32 " at ", " at ", " x "\n\t"                                        \
	     "vadd.f32 %[sum], %[sum], " at "\n\t"
#define ANY_EXP2(x, at)                                                                  \
	EXP2(x, at, "r5", "vsub.f32 " x ", " x ", %[most]\n\t",                          \
		"sub r5, r5, %[bits]\n\t"                                                \
		"ssat r5, #16, r5\n\t")
#define SMALL_EXP2(x, at) EXP2(x, at, "r5", "", "")

#define WEIGH(each)                                                                      \
	__asm volatile("cmp %[row], %[end]\n\t"                                          \
		       "beq 2f\n"                                                        \
		       "1:\n\t"                                                          \
		       "vldmia %[row], {s0-s1}\n\t" each("s0", "s2")                     \
			       each("s1", "s3") "vstmia %[row]!, {s2-s3}\n\t"            \
						"cmp %[row], %[end]\n\t"                 \
						"bne 1b\n"                               \
						"2:\n\t"                                 \
						"cbz %[odd], 3f\n\t"                     \
						"vldr s0, [%[row]]\n\t" each("s0",       \
							"s2") "vstr s2, [%[row]]\n"      \
							      "3:"                       \
		       : [row] "+r"(row), [sum] "+t"(sum)                                \
		       : [end] "r"(row + m / 2 * 2), [odd] "l"(m % 2), [most] "t"(most), \
		       [shift] "t"(shift), [slope] "t"(0.69314718f),                     \
		       [bits] "r"(EXP2_SHIFT_BITS), [table] "r"(table)                   \
		       : "r4", "r5", "s0", "s1", "s2", "s3", "cc", "memory")

/* Scores of a row to weights; returns 1 / their sum. Of small ones the largest need not be
 * taken off: they are of either sign then, and none is out of range. */
static float weigh(float *row, uint32_t m)
{
	float shift = EXP2_SHIFT, most = row[0], sum = 0;
	const uint32_t *table = exp2_table;

	if (row_largest(row, m) < 32) {
		shift = 0.75f * EXP2_SHIFT;
		WEIGH(SMALL_EXP2);
		return 1 / sum;
	}
	for (uint32_t j = 1; j < m; j++)
		most = row[j] > most ? row[j] : most;
	WEIGH(ANY_EXP2);
	return 1 / sum;
}

/* Columns of a head from c on that go at a time; 0: one by one. */
ALWAYS_INLINE uint32_t columns_at(uint32_t d, uint32_t c)
{
	return d - c >= 16 ? 16 : d - c >= 8 ? 8 : 0;
}

/* Query `i` of head `h`, which sees m tokens: q and out may be the same. */
struct query {
	const struct attention *a;
	uint32_t h, i, m;
	const float *q, *k, *v;
	float *row, *out;
};

static void answer(const struct query *z)
{
	const struct attention *a = z->a;
	uint32_t d = a->d_head, m = z->m, c = 0;
	float by = a->scale * LOG2_E;
	struct part p = {0, a->n_kv_heads * d, m, 0};

	for (; (p.columns = columns_at(d, c)); c += p.columns, p.more = 1)
		scores(&p, z->q + c, z->k + c, by, z->row);
	for (uint32_t j = 0; (c < d || a->rel) && j < m; j++) {
		float s = LOG2_E * rel_bias(a, z->h, z->i, j);

		for (uint32_t i = c; i < d; i++)
			s += by * z->q[i] * z->k[j * p.stride + i];
		z->row[j] = p.more ? z->row[j] + s : s;
	}
	by = weigh(z->row, m);
	for (c = 0; (p.columns = columns_at(d, c)); c += p.columns)
		mix(&p, z->row, z->v + c, by, z->out + c);
	for (; c < d; c++) {
		float s = 0;

		for (uint32_t j = 0; j < m; j++)
			s += z->row[j] * z->v[j * p.stride + c];
		z->out[c] = s * by;
	}
}

void attention(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data)
{
	uint32_t d = a->d_head, per_kv = a->n_heads / a->n_kv_heads;
	struct query z = {.a = a, .row = data->row, .q = data->q, .out = data->out};

	for (uint32_t t = 0; t < n; t++) {
		z.i = n_past + t;
		z.m = a->causal ? z.i + 1 : n_past + n;
		for (z.h = 0; z.h < a->n_heads; z.h++, z.q += d, z.out += d) {
			z.k = data->k + z.h / per_kv * d;
			z.v = data->v + z.h / per_kv * d;
			answer(&z);
		}
	}
}
