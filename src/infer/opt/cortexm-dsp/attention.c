/* A query at a time. Scores are in units of log 2: what is multiplied into the query. */
#include "src/infer/opt/cortexm-dsp/pair.h"
#include "src/infer/ref/scores.h"

#define LOG2_E 1.44269504f
#define ALWAYS_INLINE static inline __attribute__((always_inline))

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

/* The FPU's flag of invalid operations, which stays until it is taken back. */
#define INVALID 1u

ALWAYS_INLINE uint32_t float_flags(void)
{
	uint32_t flags;

	__asm volatile("vmrs %0, fpscr" : "=r"(flags));
	return flags;
}

static void take_back_invalid(void)
{
	__asm volatile("vmsr fpscr, %0" : : "r"(float_flags() & ~INVALID));
}

/* Weights that sum to 2^-32 to 2^32: none that counts is lost, nor is a value's product. */
ALWAYS_INLINE int are_sound(float sum, float other)
{
	union fmath_bits a = {.f = sum}, b = {.f = other};

	return !(float_flags() & INVALID) &&
	       ((a.u - (95u << 23)) | (b.u - (95u << 23))) < 64u << 23;
}

/* Scores to weights, 2^(score - less), of which nothing is left below 2^-127; returns their
 * sum. */
static float weigh(float *row, uint32_t m, float less)
{
	float sum = 0;

	for (uint32_t j = 0; j < m; j++) {
		union fmath_bits b = {.f = row[j] - less};
		uint32_t at, bits;

		__asm volatile(EXP2_FIXED("%0") : "+t"(b.f));
		__asm(EXP2("%[r]", "%[at]", "%[bits]") "bic %[r], %[r], %[r], asr #31"
			: [r] "+r"(b.u), [at] "=&r"(at), [bits] "=&r"(bits)
			: [table] "r"(exp2_table), [slope] "r"(exp2_slope));
		row[j] = b.f;
		sum += b.f;
	}
	return sum;
}

static float largest(const float *row, uint32_t m)
{
	float most = row[0];

	for (uint32_t j = 1; j < m; j++)
		most = row[j] > most ? row[j] : most;
	return most;
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

static void score(const struct query *z)
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
}

static void answer(const struct query *z)
{
	uint32_t d = z->a->d_head, m = z->m, c = 0;
	struct part p = {0, z->a->n_kv_heads * d, m, 0};
	float sum;

	score(z);
	sum = weigh(z->row, m, 0);
	if (!are_sound(sum, sum)) {
		score(z);
		sum = weigh(z->row, m, largest(z->row, m));
		take_back_invalid();
	}
	for (; (p.columns = columns_at(d, c)); c += p.columns)
		mix(&p, z->row, z->v + c, 1 / sum, z->out + c);
	for (; c < d; c++) {
		float s = 0;

		for (uint32_t j = 0; j < m; j++)
			s += z->row[j] * z->v[j * p.stride + c];
		z->out[c] = s / sum;
	}
}

/* Room for the pairs' weights, and the zeros before the queries. */
static void prepare_pairs(struct pair *p, const struct attention *a, float *scratch)
{
	uint32_t d = a->d_head, stride = 4 * a->n_kv_heads * d;

	for (uint32_t i = 0; i < PAIR_HEAD; i++)
		scratch[i] = 0;
	*p = (struct pair){.q = scratch + PAIR_HEAD - 8,
		.eights = d / 8,
		.step = {stride, stride, stride},
		.back = 4 * stride - 4 * d,
		.eights_again = d / 8,
		.stride = stride,
		.zeros = scratch + 2,
		.w = scratch + PAIR_HEAD + 2 * d,
		.by = a->scale * LOG2_E};
}

/* The first of two sees `seen` tokens, the second m. */
static void see(struct pair *p, uint32_t seen, uint32_t m)
{
	p->seen = seen;
	p->m = m;
	p->end = p->w + 2 * m;
	p->stop = p->fours = p->w + m / 4 * 8;
	p->last = p->w + (m + 3) / 4 * 8;
}

/* The last keys, fewer than four, are next; the last is read again for those that lack. */
static void turn_to_rest(struct pair *p)
{
	for (uint32_t i = 0; i < 3; i++)
		p->step[i] = i + 1 < p->m % 4 ? p->stride : 0;
	p->stop = p->last;
}

/* No weights for keys that lack or are not seen. */
static void end_rest(struct pair *p)
{
	p->w[2 * p->seen] = 0;
	for (float *w = p->end; w < p->last; w++)
		*w = 0;
	for (uint32_t i = 0; i < 3; i++)
		p->step[i] = p->stride;
	p->stop = p->fours;
}

static void weigh_two(struct pair *p, const float *keys)
{
	float *w = p->w;

	if (p->m < 4)
		turn_to_rest(p);
	for (;;) {
		pair_scores(p, keys, w);
		if (p->stop == p->last)
			break;
		turn_to_rest(p);
		keys += p->m / 4 * p->stride;
		w = p->fours;
	}
	if (p->w + 2 * p->seen != p->last)
		end_rest(p);
}

/* Two tokens' queries, `wide` floats apart as their answers are; false: neither. */
static int answer_two(
	struct pair *p, const struct query *z, uint32_t wide, const float *q, float *out)
{
	float sum[2];

	pair_queries(p, q, q + wide);
	weigh_two(p, z->k);
	pair_sums(p, sum);
	if (!are_sound(sum[0], sum[1]))
		return 0;
	p->zeros[-2] = 1 / sum[0];
	p->zeros[-1] = 1 / sum[1];
	pair_mix(p, z->v, out, out + wide);
	return 1;
}

/* Query t of those from `first` on. */
static void answer_query(const struct query *first, uint32_t t)
{
	uint32_t wide = first->a->n_heads * first->a->d_head;
	struct query z = *first;

	z.i += t;
	z.m += t * z.a->causal;
	z.q += t * wide;
	z.out += t * wide;
	answer(&z);
}

static void answer_pairs(struct pair *p, const struct query *z, uint32_t n)
{
	uint32_t wide = z->a->n_heads * z->a->d_head, causal = z->a->causal;
	const float *q = z->q;
	float *out = z->out;

	for (uint32_t t = 0; t < n; t += 2, q += 2 * wide, out += 2 * wide) {
		if (causal)
			see(p, z->m + t, z->m + t + 1);
		if (answer_two(p, z, wide, q, out))
			continue;
		take_back_invalid();
		answer_query(z, t);
		answer_query(z, t + 1);
	}
}

void attention(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data)
{
	uint32_t d = a->d_head, per_kv = a->n_heads / a->n_kv_heads;
	uint32_t pairs = d % 8 == 0 && !a->rel ? n / 2 : 0;
	struct query z = {.a = a, .row = data->row};
	struct pair p;

	if (pairs) {
		prepare_pairs(&p, a, data->row);
		see(&p, n_past + n, n_past + n);
		z.row = p.w;
	}
	take_back_invalid();
	for (; z.h < a->n_heads; z.h++) {
		z.q = data->q + z.h * d;
		z.k = data->k + z.h / per_kv * d;
		z.v = data->v + z.h / per_kv * d;
		z.out = data->out + z.h * d;
		z.i = n_past;
		z.m = a->causal ? n_past + 1 : n_past + n;
		answer_pairs(&p, &z, 2 * pairs);
		for (uint32_t t = 2 * pairs; t < n; t++)
			answer_query(&z, t);
	}
}
