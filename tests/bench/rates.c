#include "tests/bench/rates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"

#define SLICE_NS 200000.0

/* ---- features */

/* Do the words at a and b agree up to a separator, '_' and '.' left out? */
static int same_feature(const char *a, const char *b)
{
	for (;;) {
		while (*a == '_' || *a == '.')
			a++;
		while (*b == '_' || *b == '.')
			b++;
		if (!*b || strchr(" \t\n", *b))
			return !*a || strchr(" \t\n", *a);
		if (*a++ != *b++)
			return 0;
	}
}

/* The processor's flags, "" where they are not told; "flags" on x86, "Features" on Arm. */
static const char *cpu_flags(void)
{
	static char line[8192];
	static int known;
	FILE *f;

	if (known)
		return line;
	known = 1;
	f = fopen("/proc/cpuinfo", "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "flags", 5) || !strncmp(line, "Features", 8))
			break;
		else
			line[0] = 0;
	if (f)
		fclose(f);
	return line;
}

int cpu_has(const char *feature)
{
	const char *at = strchr(cpu_flags(), ':');

	while (at && *at) {
		at += strspn(at, ": \t\n");
		if (*at && same_feature(feature, at))
			return 1;
		at += strcspn(at, " \t\n");
	}
	return 0;
}

int cpu_can_run(const char *cflags)
{
	for (const char *at = cflags; *at;) {
		size_t n;

		at += strspn(at, " ");
		n = strcspn(at, " ");
		if (n > 2 && !strncmp(at, "-m", 2) && !memchr(at, '=', n) &&
			!cpu_has(at + 2))
			return 0;
		at += n;
	}
	return 1;
}

int cpu_runs_set(const struct kernel_set *set)
{
#if defined(__x86_64__)
	static const char family[] = "x86-";
#elif defined(__aarch64__)
	static const char family[] = "arm64-";
#else
	static const char family[] = "armhf-";
#endif

	return !*set->isa ||
	       (!strncmp(set->isa, family, strlen(family)) && cpu_can_run(set->cflags));
}

/* ---- loops */

#ifdef __x86_64__
/* Fourteen accumulators: enough for a latency of four cycles at two a cycle, and for
 * latency five or six of older machines. Register names are written out, as compilers
 * without the target flag know no wide operands. */
#define EACH(OP, R)                                                                      \
	OP(R, 0)                                                                         \
	OP(R, 1)                                                                         \
	OP(R, 2)                                                                         \
	OP(R, 3)                                                                         \
	OP(R, 4)                                                                         \
	OP(R, 5)                                                                         \
	OP(R, 6) OP(R, 7) OP(R, 8) OP(R, 9) OP(R, 10) OP(R, 11) OP(R, 12) OP(R, 13)
#define FMA(R, N) "vfmadd231ps %%" R "14, %%" R "15, %%" R #N "\n\t"
#define DOT(R, N) "vpdpbusd %%" R "14, %%" R "15, %%" R #N "\n\t"
#define DOT_VEX(R, N) "%{vex%} vpdpbusd %%" R "14, %%" R "15, %%" R #N "\n\t"
#define CLEAR_FLOAT(R, N) "vxorps %%" R #N ", %%" R #N ", %%" R #N "\n\t"
#define CLEAR_EVEX(R, N) "vpxord %%" R #N ", %%" R #N ", %%" R #N "\n\t"
#define CLOBBERS                                                                         \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",  \
		"xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc"
#define N_ACC 14

#define LOOP(NAME, OP, CLEAR, R)                                                         \
	static void NAME(uint64_t n)                                                     \
	{                                                                                \
		__asm__ volatile(EACH(CLEAR, R) CLEAR(R, 14) CLEAR(R, 15) "1:\n\t" EACH( \
			OP, R) "dec %0\n\tjnz 1b\n\tvzeroupper"                          \
				 : "+r"(n)                                               \
				 :                                                       \
				 : CLOBBERS);                                            \
	}

LOOP(fma_512, FMA, CLEAR_EVEX, "zmm")
LOOP(fma_256, FMA, CLEAR_FLOAT, "ymm")
LOOP(dot_512, DOT, CLEAR_EVEX, "zmm")
LOOP(dot_256_vex, DOT_VEX, CLEAR_FLOAT, "ymm")

/* vpmaddubsw, vpmaddwd, vpaddd: what a machine without the dot product does. */
#define MADD(R, N)                                                                       \
	"vpmaddubsw %%" R "14, %%" R "15, %%" R "12\n\tvpmaddwd %%" R "13, %%" R         \
	"12, %%" R "12\n\tvpaddd %%" R "12, %%" R #N ", %%" R #N "\n\t"
static void madd_256(uint64_t n)
{
	__asm__ volatile(EACH(CLEAR_FLOAT, "ymm") CLEAR_FLOAT("ymm", 14) CLEAR_FLOAT(
		"ymm", 15) "1:\n\t" MADD("ymm", 0) MADD("ymm", 1) MADD("ymm", 2)
				 MADD("ymm", 3) MADD("ymm", 4) MADD("ymm", 5)
					 MADD("ymm", 6) MADD("ymm", 7) "dec %0\n\tjnz "
								       "1b\n\tvzeroupper"
			 : "+r"(n)
			 :
			 : CLOBBERS);
}

/* Eight vectors a step, nothing depends on anything. */
#define READ(R, W, K) "vmovups " #K "*" #W "(%0), %%" R #K "\n\t"
#define READS(R, W)                                                                      \
	READ(R, W, 0)                                                                    \
	READ(R, W, 1)                                                                    \
	READ(R, W, 2)                                                                    \
	READ(R, W, 3) READ(R, W, 4) READ(R, W, 5) READ(R, W, 6) READ(R, W, 7)

static void read_512(const char *at, size_t bytes)
{
	size_t n = bytes / 512;

	__asm__ volatile(
		"1:\n\t" READS("zmm", 64) "add $512, %0\n\tdec %1\n\tjnz 1b\n\tvzeroupper"
		: "+r"(at), "+r"(n)
		:
		: CLOBBERS, "memory");
}

static void read_256(const char *at, size_t bytes)
{
	size_t n = bytes / 256;

	__asm__ volatile(
		"1:\n\t" READS("ymm", 32) "add $256, %0\n\tdec %1\n\tjnz 1b\n\tvzeroupper"
		: "+r"(at), "+r"(n)
		:
		: CLOBBERS, "memory");
}

static const struct rate rates[] = {
	{"fma512", "fp32 FMA, 512 bits", "avx512f", 16 * N_ACC, fma_512},
	{"fma256", "fp32 FMA, 256 bits", "fma", 8 * N_ACC, fma_256},
	{"dot512", "vpdpbusd, 512 bits", "avx512_vnni", 64 * N_ACC, dot_512},
	{"dot256", "vpdpbusd, 256 bits", "avx_vnni", 32 * N_ACC, dot_256_vex},
	{"madd256", "vpmaddubsw and two more, 256 bits", "avx2", 32 * 8, madd_256},
};
#define N_RATES (sizeof(rates) / sizeof(rates[0]))

static void (*reader(void))(const char *, size_t)
{
	return cpu_has("avx512f") ? read_512 : cpu_has("avx") ? read_256 : NULL;
}
#else
static const struct rate rates[1];
#define N_RATES 0

static void (*reader(void))(const char *, size_t)
{
	return NULL;
}
#endif

const struct rate *rate_at(size_t i)
{
	return i < N_RATES ? &rates[i] : NULL;
}

int rate_is_runnable(const struct rate *r)
{
	return cpu_has(r->feature);
}

const struct rate *rate_best(int is_int8)
{
	const struct rate *r;

	for (size_t i = 0; (r = rate_at(i)); i++)
		if ((r->name[0] != 'f') == is_int8 && rate_is_runnable(r))
			return r;
	return NULL;
}

double rate_measure(const struct rate *r, unsigned repeats)
{
	uint64_t n = 2000, t;
	double best = 0;

	for (unsigned i = 0; i <= repeats; i++) {
		double rate;

		t = clock_mono_ns();
		r->loop(n);
		t = clock_mono_ns() - t + 1;
		rate = (double)n * r->macs * 1e9 / (double)t;
		best = rate > best ? rate : best;
		n = (uint64_t)(SLICE_NS * 1e-9 * best / r->macs) + 1;
	}
	return best;
}

double read_bandwidth(size_t bytes, unsigned repeats)
{
	void (*read)(const char *, size_t) = reader();
	double best = 0;
	char *p;

	bytes = bytes / 512 * 512;
	if (!read || !bytes || !(p = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096)))
		return 0;
	memset(p, 1, bytes);
	for (unsigned i = 0; i <= repeats; i++) {
		uint64_t t = clock_mono_ns(), took;
		double n = 0;

		do {
			read(p, bytes);
			n += (double)bytes;
			took = clock_mono_ns() - t;
		} while ((double)took < SLICE_NS);
		best = n * 1e9 / (double)took > best ? n * 1e9 / (double)took : best;
	}
	free(p);
	return best;
}
