/* What this machine can do at all, one thread: peak arithmetic and read bandwidth, by
 * loops of one-line assembly with independent accumulators, so that no compiler has a
 * say. Only x86-64 has loops; elsewhere, and where the processor lacks the instructions,
 * a rate says why it is absent.
 */
#ifndef HAWSER_TESTS_BENCH_RATES_H
#define HAWSER_TESTS_BENCH_RATES_H

#include <stddef.h>
#include <stdint.h>

#include "src/codegen/kernel_sets.h"

struct rate {
	const char *name;    /* "fma512" */
	const char *what;    /* for people */
	const char *feature; /* that it needs, as /proc/cpuinfo writes it */
	double macs;	     /* multiply-adds an iteration of the loop */
	void (*loop)(uint64_t iterations);
};

/* NULL past the end; widest first. Every rate of this architecture, runnable or not. */
const struct rate *rate_at(size_t i);
int rate_is_runnable(const struct rate *r);
/* Multiply-adds a second; the fastest of `repeats` slices of about 200 microseconds. */
double rate_measure(const struct rate *r, unsigned repeats);
/* The fastest runnable rate for fp32 or int8 multiply-adds, by the rows of the table;
 * NULL when there is none. */
const struct rate *rate_best(int is_int8);

/* Bytes a second of reading `bytes` over and over, the fastest of `repeats` slices. 0
 * when memory is short or there is no loop for this machine. */
double read_bandwidth(size_t bytes, unsigned repeats);

/* Does /proc/cpuinfo list this flag? '_' counts for nothing ("avx512_vnni" and
 * "avx512vnni" are one). */
int cpu_has(const char *feature);
/* The same for every "-m..." of compiler flags; other flags are ignored. */
int cpu_can_run(const char *cflags);
/* Is the set for this machine's family, and can this processor run it? */
int cpu_runs_set(const struct kernel_set *set);

#endif
