/* The harness of bench-build: the very first inference of a process, and how far the
 * slowest of many are from the usual one.
 *
 *   image          "NS SWITCHES" of the first model_run
 *   image N        the same, then N timed runs after a tenth as many: the line "KEPT
 *                  SWITCHED MEDIAN P90 P99 P999 MAX", ns; a run during which the thread
 *                  was switched out against its will is counted and left out. Then the
 *                  same line for as many runs of a loop of that length which touches no
 *                  memory: what the machine itself does to a constant amount of work
 *
 * Nothing but a clock is called before the first run. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "src/infer/model_api.h"

#define MAX_RUNS 1000000

static uint32_t run_ns[MAX_RUNS];

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static long switches(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nivcsw;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double quantile(long n, double q)
{
	return (double)run_ns[(long)(q * (double)(n - 1) + 0.5)];
}

static volatile uint64_t loops, sink;
static double median_ns; /* of the last run_many */

/* A chain of multiplications in a register. */
static int spin(void)
{
	uint64_t x = loops;

	for (uint64_t n = x; n; n--)
		x = x * 6364136223846793005u + 1442695040888963407u;
	sink = x;
	return 0;
}

static int infer(void)
{
	const struct model_golden *g = &model_golden[0];
	struct model_output o = {0};

	return model_run(g->ids, g->n, &o);
}

static int run(int (*f)(void), uint64_t *ns, long *switched)
{
	long before = switches();
	uint64_t begin = now();
	int rc = f();

	*ns = now() - begin;
	*switched = switches() - before;
	model_reset();
	return rc;
}

static int run_many(int (*f)(void), long n)
{
	long kept = 0, left_out = 0, switched;
	uint64_t ns;
	int rc = 0;

	for (long i = -n / 10; i < n; i++) {
		rc |= run(f, &ns, &switched);
		if (i < 0)
			continue;
		if (switched)
			left_out++;
		else
			run_ns[kept++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
	}
	if (rc || kept == 0)
		return 1;
	qsort(run_ns, (size_t)kept, sizeof(run_ns[0]), by_size);
	median_ns = quantile(kept, 0.5);
	printf("%ld %ld %.0f %.0f %.0f %.0f %.0f\n", kept, left_out, median_ns,
		quantile(kept, 0.9), quantile(kept, 0.99), quantile(kept, 0.999),
		quantile(kept, 1));
	return 0;
}

static void calibrate(double wanted_ns)
{
	loops = 1000;
	for (int i = 0; i < 8; i++) {
		uint64_t ns;
		long switched;

		run(spin, &ns, &switched);
		if (!switched && ns)
			loops = (uint64_t)((double)loops * wanted_ns / (double)ns) + 1;
	}
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 0, switched;
	uint64_t ns = now(); /* the clock's own first call is not the model's */
	int rc;

	if (n < 0 || n > MAX_RUNS)
		return 2;
	rc = run(infer, &ns, &switched);
	printf("%llu %ld\n", (unsigned long long)ns, switched);
	if (rc || n == 0)
		return rc != 0;
	if (run_many(infer, n))
		return 1;
	calibrate(median_ns);
	return run_many(spin, n);
}
