/* The numbers of a bench: samples of one slice, one figure a slice, ratios of two engines
 * round by round. Nothing here measures.
 *
 * A slice is what one engine ran in one round. Its figure is the median of the samples in
 * which the thread was never switched out; on a busy machine long runs have none, so every
 * slice also has the median of the thread's CPU time, and a table takes one clock for all
 * its engines.
 */
#ifndef HAWSER_TESTS_BENCH_SAMPLE_H
#define HAWSER_TESTS_BENCH_SAMPLE_H

#include <stddef.h>

#include "src/base/err.h"
#include "src/base/rng.h"
#include "src/base/stats.h"

#define MAX_ROUNDS 64
#define MIN_CLEAN 3 /* undisturbed samples that make a slice's wall time count */

struct slice {
	double wall_ns; /* NAN with fewer than MIN_CLEAN undisturbed samples */
	double cpu_ns;
	size_t n, n_clean;
};

/* "WALL CPU SWITCHES" a sample, as harness and peer print them; divided by `inner`.
 * ERR_PARSE when it is anything else, ERR_TOOL when it tells of an error. */
enum err slice_parse(
	const char *line, unsigned inner, struct slice *out, struct err_ctx *ctx);

enum bench_clock { CLOCK_WALL, CLOCK_CPU };

/* One engine at one shape: a slice a round, NAN in rounds that it sat out. */
struct series {
	double wall_ns[MAX_ROUNDS], cpu_ns[MAX_ROUNDS];
	size_t n_samples, n_switched;
};

void series_init(struct series *s);
void series_add(struct series *s, size_t round, const struct slice *slice);
const double *series_values(const struct series *s, enum bench_clock clock);
/* Rounds that have a value, and their median; 0 and NAN when none has. */
size_t series_count(const struct series *s, enum bench_clock clock);
double series_median(const struct series *s, enum bench_clock clock);

struct ratio {
	double median;	       /* NAN without a common round */
	struct interval range; /* 95 %, bootstrap over rounds */
	size_t n;
};

/* above / below in the rounds that have both. `minus_above` is taken off the upper side
 * (a cost of calling that is not the engine's). */
struct ratio series_ratio(const struct series *above, const struct series *below,
	enum bench_clock clock, double minus_above);
/* The median of `x` without its NANs. */
double median_of_known(const double *x, size_t n);

#endif
