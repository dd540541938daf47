/* Whole models of one shape with every kernel set that this machine runs, side by side:
 * medians, times faster than the portable set, share of the arithmetic bound (all
 * multiply-adds at the measured peak). One thread; the sets take turns round by round.
 *
 *   make bench-sets [ROUNDS=5] [SHAPES=123456]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/base/buf.h"
#include "src/base/file.h"
#include "src/codegen/codegen.h"
#include "src/codegen/kernel_sets.h"
#include "src/model/graph.h"

#define MAX_SETS 8

struct shape {
	unsigned layers, d, heads, ff, seq;
};
static const struct shape shapes[] = {{2, 64, 2, 128, 16}, {2, 128, 2, 512, 32},
	{4, 128, 4, 512, 32}, {4, 312, 12, 1200, 32}, {6, 384, 12, 1536, 32},
	{6, 384, 12, 1536, 128}};
#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* ---- peaks, multiply-adds a nanosecond; 0 where there is no such instruction */

#if defined(__x86_64__)
#define TEN(x) x x x x x x x x x x
#define PEAK(name, isa, mul, insn)                                                       \
	__attribute__((target(isa))) static double name(void)                            \
	{                                                                                \
		double best = 0;                                                         \
		for (int round = 0; round < 20; round++) {                               \
			double from = now_ns(), rate;                                    \
			for (int i = 0; i < 20000; i++)                                  \
				__asm__ volatile(TEN(insn)::                             \
							 : "xmm0", "xmm1", "xmm2",       \
						 "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
						 "xmm8", "xmm9", "xmm10", "xmm11",       \
						 "xmm12", "xmm13");                      \
			rate = 20000.0 * 100 * mul / (now_ns() - from);                  \
			best = rate > best ? rate : best;                                \
		}                                                                        \
		return best;                                                             \
	}
#define CHAINS(op, r)                                                                    \
	op " %%" r "12, %%" r "13, %%" r "0\n" op " %%" r "12, %%" r "13, %%" r "1\n" op \
	   " %%" r "12, %%" r "13, %%" r "2\n" op " %%" r "12, %%" r "13, %%" r "3\n" op \
	   " %%" r "12, %%" r "13, %%" r "4\n" op " %%" r "12, %%" r "13, %%" r "5\n" op \
	   " %%" r "12, %%" r "13, %%" r "6\n" op " %%" r "12, %%" r "13, %%" r "7\n" op \
	   " %%" r "12, %%" r "13, %%" r "8\n" op " %%" r "12, %%" r "13, %%" r "9\n"

PEAK(peak_vnni512, "avx512f,avx512vnni", 64, CHAINS("vpdpbusd", "zmm"))
PEAK(peak_fma512, "avx512f", 16, CHAINS("vfmadd231ps", "zmm"))

static double peak(int bits)
{
	if (!__builtin_cpu_supports("avx512vnni"))
		return 0;
	return bits == 32 ? peak_fma512() : peak_vnni512();
}
#else
static double peak(int bits)
{
	(void)bits;
	return 0;
}
#endif

/* ---- one model */

static void genome_text(const struct shape *s, int bits, char *out, size_t cap)
{
	size_t n = (size_t)snprintf(out, cap,
		"enc;v=8000;t=%u;d=%u;e=%u;eb=%d;act=gelu;norm=ln;place=post;pool=mean;"
		"abs=1;rel=0;conv=0;opt=O2;kern=opt;L=",
		s->seq, s->d, s->d, bits);

	for (unsigned i = 0; i < s->layers; i++)
		n += (size_t)snprintf(out + n, cap - n, "%sh%uk%ux%uf%ur0b%d",
			i ? "," : "", s->heads, s->heads, s->d / s->heads, s->ff, bits);
}

struct candidate {
	const char *name;
	char image[4096];
	double ns[64];
};

static int build(const struct shape *s, int bits, const char *isa, const char *cache,
	char *image, double *macs)
{
	static const int32_t ids[8] = {5, 17, 4, 900, 33, 7, 2500, 6};
	const uint32_t len = 8;
	struct task_shape task = {TASK_CLASSIFY, 4, 0};
	struct random_weights random = {3};
	struct target target = {"gcc", "-march=native", isa, "tests/bench/harness"};
	struct codegen_input in = {.task = task,
		.golden_ids = ids,
		.golden_len = &len,
		.n_golden = 1,
		.timed_tokens = s->seq};
	struct graph_cost cost;
	struct artefact a;
	struct genome g;
	struct err_ctx ctx = {""};
	char text[GENOME_TEXT_MAX];
	enum err e;

	genome_text(s, bits, text, sizeof(text));
	e = genome_parse(&g, text, &ctx);
	if (!e) {
		graph_cost(&g, &task, s->seq, &cost);
		*macs = cost.macs;
		in.genome = &g;
		in.weights = tensor_source_random(&random);
		hash_bytes(&in.weights_hash, &random.seed, sizeof(random.seed));
		e = codegen_build(&in, &target, cache, &a, NULL, &ctx);
	}
	if (e)
		fprintf(stderr, "%s\n", ctx.msg);
	else
		snprintf(image, 4096, "%s", a.path);
	return e ? -1 : 0;
}

static double time_once(const char *image, double guess_ns)
{
	char runs[16];
	const char *argv[] = {image, runs, NULL};
	struct err_ctx ctx = {""};
	struct buf out;
	double ns = -1;

	snprintf(runs, sizeof(runs), "%d",
		guess_ns > 3e7 ? 2
		: guess_ns > 0 ? (int)(2e8 / guess_ns)
			       : 4);
	buf_init(&out);
	if (process_run_command(argv, NULL, 60, &out, NULL, &ctx))
		fprintf(stderr, "%s\n", ctx.msg);
	else
		ns = atof(buf_str(&out));
	buf_release(&out);
	return ns;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *v, int n)
{
	double sorted[64];

	memcpy(sorted, v, (size_t)n * sizeof(*v));
	qsort(sorted, (size_t)n, sizeof(*v), by_value);
	return sorted[n / 2];
}

static int runs_here(const char *isa)
{
#if defined(__x86_64__)
	if (!strcmp(isa, "x86-avx512vnni"))
		return __builtin_cpu_supports("avx512vnni");
	if (!strcmp(isa, "x86-avxvnni"))
		return __builtin_cpu_supports("avxvnni");
	if (!strcmp(isa, "x86-avx2"))
		return __builtin_cpu_supports("avx2");
#endif
	return !*isa;
}

static int compare(const struct shape *s, int bits, int rounds, const char *cache)
{
	static struct candidate c[MAX_SETS];
	double macs = 0, rate = peak(bits);
	int n = 0;

	for (size_t i = 0; kernel_set_at(i) && n < MAX_SETS; i++) {
		c[n].name = kernel_set_at(i)->isa;
		if (!runs_here(c[n].name))
			continue;
		if (build(s, bits, c[n].name, cache, c[n].image, &macs))
			return -1;
		n++;
	}
	for (int r = -1; r < rounds; r++)
		for (int i = 0; i < n; i++)
			c[i].ns[r < 0 ? 0 : r] =
				time_once(c[i].image, r < 0 ? 0 : c[i].ns[0]);
	for (int i = 0; i < n; i++) {
		double ratio[64], us = median(c[i].ns, rounds) / 1e3;

		for (int r = 0; r < rounds; r++)
			ratio[r] = c[0].ns[r] / c[i].ns[r];
		printf("%ux%ux%ux%ux%-4u %4s %-16s %10.1f us %7.1f x ref", s->layers,
			s->d, s->heads, s->ff, s->seq,
			bits == 32  ? "fp32"
			: bits == 8 ? "int8"
				    : "int4",
			*c[i].name ? c[i].name : "ref", us, median(ratio, rounds));
		if (rate > 0)
			printf("   bound %.2f", macs / rate / 1e3 / us);
		printf("\n");
	}
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	static const int bits[] = {8, 4, 32};
	int rounds = argc > 1 ? atoi(argv[1]) : 5;
	const char *which = argc > 2 ? argv[2] : "123456";
	const char *cache = argc > 3 ? argv[3] : "build/bench";
	const char *only = argc > 4 ? argv[4] : "";

	if (rounds < 1 || rounds > 64)
		return 2;
	printf("peaks: %.1f int8, %.1f fp32 multiply-adds a nanosecond\n", peak(8),
		peak(32));
	for (size_t i = 0; i < N_SHAPES; i++)
		for (size_t b = 0; b < 3 && strchr(which, (int)('1' + i)); b++)
			if ((!*only || atoi(only) == bits[b]) &&
				compare(&shapes[i], bits[b], rounds, cache))
				return 1;
	return 0;
}
