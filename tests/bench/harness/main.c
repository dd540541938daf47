/* The bench's harness: a model as a program that is asked for timed runs, one request a
 * line on standard input, one line of answer each, until the input ends. The ONNX Runtime
 * peer (tests/bench/ort_peer.py) speaks the same.
 *
 *   golden                  largest error of the golden inputs, tolerance
 *   answer                  logits of golden input 0
 *   time TOKENS INNER N W   W runs untimed, then N samples of INNER runs each: three
 *                           numbers a sample, wall and thread CPU ns of all its runs, and
 *                           how often the thread was switched out meanwhile
 *   steps TOKENS INNER N W  the same for a decoder: each sample starts with TOKENS tokens
 *                           untimed, then INNER single tokens are timed
 *   reads TOKENS INNER N W  the same samples, but each of the INNER is one reading of all
 *                           weights: what no decoder can be faster than
 *   kernels                 "name ns" for each kernel of the image that can be timed alone:
 *                           ns an element
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "src/infer/kernels.h"
#include "src/infer/model_api.h"

/* Timed where the image has them. */
#pragma weak act_gelu
#pragma weak norm_ln
#pragma weak quant_rows
#pragma weak attention

#define MAX_SAMPLES 4096
#define MAX_TOKENS 4096
#define ROWS 32
#define WIDTH 384
#define HEADS 12
#define REPEATS 15

static uint64_t wall_ns[MAX_SAMPLES], cpu_ns[MAX_SAMPLES];
static long n_switches[MAX_SAMPLES];
static int32_t ids[MAX_TOKENS];
static float a[ROWS * WIDTH], b[ROWS * WIDTH], c[ROWS * WIDTH], gain[WIDTH], bias[WIDTH];
static int8_t q[ROWS * WIDTH];
static float q_scale[ROWS], row[ROWS * (WIDTH / HEADS + 16)];
static volatile float keep;

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static long switches(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nivcsw;
}

static int run(uint32_t tokens, unsigned inner)
{
	struct model_output o = {0};
	int rc = 0;

	for (unsigned i = 0; i < inner; i++) {
		if (model_info.is_decoder)
			model_reset();
		rc |= model_run(ids, tokens, &o);
	}
	keep = o.intent ? o.intent[0] : o.lm ? o.lm[0] : 0;
	return rc;
}

static int run_steps(unsigned inner)
{
	struct model_output o = {0};
	int rc = 0;

	for (unsigned i = 0; i < inner; i++)
		rc |= model_run(ids + i, 1, &o);
	keep = o.lm ? o.lm[0] : 0;
	return rc;
}

typedef uint64_t line __attribute__((vector_size(64), aligned(64), may_alias));
extern const uint8_t model_weights[];

/* Plain loads, eight lines in flight. */
static int run_reads(unsigned inner)
{
	const line *w = (const void *)model_weights;
	line all[8] = {{0}};

	for (unsigned i = 0; i < inner; i++) {
		for (uint32_t k = 0; k + 8 <= model_info.weight_bytes / 64; k += 8)
			for (int j = 0; j < 8; j++)
				all[j] ^= w[k + (uint32_t)j];
		__asm__ volatile("" ::: "memory");
	}
	for (int j = 1; j < 8; j++)
		all[0] ^= all[j];
	keep = (float)all[0][0];
	return 0;
}

enum what { WHOLE, STEPS, READS };

static int sample(enum what what, uint32_t tokens, unsigned inner, unsigned i)
{
	long before;
	uint64_t cpu, wall;
	int rc = what == STEPS ? run(tokens, 1) : 0;

	before = switches();
	cpu = now(CLOCK_THREAD_CPUTIME_ID);
	wall = now(CLOCK_MONOTONIC);
	rc |= what == STEPS   ? run_steps(inner)
	      : what == READS ? run_reads(inner)
			      : run(tokens, inner);
	wall_ns[i] = now(CLOCK_MONOTONIC) - wall;
	cpu_ns[i] = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
	n_switches[i] = switches() - before;
	return rc;
}

static void time_runs(const char *rest, enum what what)
{
	unsigned tokens, inner, n, warm;
	int rc = 0;

	if (sscanf(rest, "%u %u %u %u", &tokens, &inner, &n, &warm) != 4 || !tokens ||
		!inner || !n || n > MAX_SAMPLES ||
		tokens + (what == STEPS ? inner : 0) > model_info.seq_len ||
		model_info.seq_len > MAX_TOKENS) {
		puts("error bad request");
		return;
	}
	if (what != WHOLE)
		for (unsigned i = 0; i < warm; i++)
			rc |= sample(what, tokens, inner, 0);
	else
		rc |= run(tokens, warm);
	for (unsigned i = 0; i < n; i++)
		rc |= sample(what, tokens, inner, i);
	if (rc) {
		puts("error the model refused its input");
		return;
	}
	for (unsigned i = 0; i < n; i++)
		printf("%llu %llu %ld%c", (unsigned long long)wall_ns[i],
			(unsigned long long)cpu_ns[i], n_switches[i],
			i + 1 < n ? ' ' : '\n');
}

static float difference(const float *x, const float *y, uint32_t n, float worst)
{
	for (uint32_t i = 0; x && y && i < n; i++) {
		float d = x[i] - y[i], scale = 1 + (y[i] < 0 ? -y[i] : y[i]);

		d = (d < 0 ? -d : d) / scale;
		if (!(d <= worst))
			worst = d;
	}
	return worst;
}

static void golden(void)
{
	float worst = 0;

	for (uint32_t i = 0; i < model_n_golden; i++) {
		const struct model_golden *g = &model_golden[i];
		struct model_output o = {0};

		model_reset();
		if (model_run(g->ids, g->n, &o)) {
			puts("error the model refused its golden input");
			return;
		}
		worst = difference(o.intent, g->intent, model_info.n_intents, worst);
		worst = difference(o.lm, g->lm, model_info.vocab_size, worst);
	}
	printf("%.9g %.9g\n", (double)worst, (double)model_golden_tolerance);
}

static void answer(void)
{
	struct model_output o = {0};

	model_reset();
	if (model_run(model_golden[0].ids, model_golden[0].n, &o) || !o.intent) {
		puts("error no logits");
		return;
	}
	for (uint32_t i = 0; i < model_info.n_intents; i++)
		printf("%.9g%c", (double)o.intent[i],
			i + 1 < model_info.n_intents ? ' ' : '\n');
}

/* ---- kernels alone, on tensors of 32 x 384 */

static void fill(void)
{
	uint32_t seed = 1;

	for (uint32_t i = 0; i < ROWS * WIDTH; i++) {
		seed = seed * 1664525u + 1013904223u;
		a[i] = (float)(int32_t)seed * (3.0f / 2147483648.0f);
	}
	for (uint32_t i = 0; i < WIDTH; i++)
		gain[i] = 1;
}

/* In place on values that stay in range: what comes out of GELU goes in again after a
 * copy, which is timed alone and taken off. */
static void one_gelu(void)
{
	memcpy(b, a, sizeof(b));
	act_gelu(ROWS * WIDTH, b);
}
static void one_copy(void)
{
	memcpy(b, a, sizeof(b));
	__asm__ volatile("" ::: "memory");
}
static void one_norm(void)
{
	norm_ln(ROWS, WIDTH, a, gain, bias, b);
}
static void one_quant(void)
{
	quant_rows(ROWS, WIDTH, a, q, q_scale);
}
static void one_attention(void)
{
	static const struct attention at = {
		HEADS, HEADS, WIDTH / HEADS, 0, 0, 0, 0.17677669f};
	const struct attention_data d = {.q = a, .k = a, .v = a, .row = row, .out = c};

	attention(&at, ROWS, 0, &d);
}

/* The smallest of some repeats, each of about 50 microseconds or one call. */
static double ns_of(void (*f)(void))
{
	uint64_t best = UINT64_MAX, t;
	unsigned inner = 1;

	f();
	t = now(CLOCK_THREAD_CPUTIME_ID);
	f();
	t = now(CLOCK_THREAD_CPUTIME_ID) - t;
	if (t < 50000)
		inner = (unsigned)(50000 / (t + 1)) + 1;
	for (int i = 0; i < REPEATS; i++) {
		t = now(CLOCK_THREAD_CPUTIME_ID);
		for (unsigned k = 0; k < inner; k++)
			f();
		t = now(CLOCK_THREAD_CPUTIME_ID) - t;
		best = t < best ? t : best;
	}
	return (double)best / inner;
}

static void kernels(void)
{
	double n = ROWS * WIDTH;

	fill();
	if (act_gelu)
		printf("gelu %.4f ", (ns_of(one_gelu) - ns_of(one_copy)) / n);
	if (norm_ln)
		printf("norm %.4f ", ns_of(one_norm) / n);
	if (quant_rows)
		printf("quant %.4f ", ns_of(one_quant) / n);
	if (attention)
		printf("score %.4f ", ns_of(one_attention) / (ROWS * ROWS * HEADS));
	puts("end");
}

int main(void)
{
	static char text[256];

	for (uint32_t i = 0; i < MAX_TOKENS; i++)
		ids[i] = model_golden[0].ids[i % model_golden[0].n];
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	while (fgets(text, sizeof(text), stdin)) {
		if (!strncmp(text, "golden", 6))
			golden();
		else if (!strncmp(text, "answer", 6))
			answer();
		else if (!strncmp(text, "kernels", 7))
			kernels();
		else if (!strncmp(text, "time ", 5))
			time_runs(text + 5, WHOLE);
		else if (!strncmp(text, "steps ", 6))
			time_runs(text + 6, STEPS);
		else if (!strncmp(text, "reads ", 6))
			time_runs(text + 6, READS);
		else
			puts("error unknown request");
		fflush(stdout);
	}
	return 0;
}
