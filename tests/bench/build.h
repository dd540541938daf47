/* `make bench-build`: what lies between a genome and its first answer.
 *
 *   how long a build takes, with the kernels' objects in the cache and without
 *   whether two builds in different caches are the same bytes
 *   how many bytes of code a model of one precision is
 *   the very first inference of a process, many processes
 *   how far the slowest inferences are from the usual one
 *
 * build_time measures builds, build_run the images; build prints and judges. Everything
 * runs on one processor. Times are ns, medians unless a name says otherwise.
 */
#ifndef HAWSER_TESTS_BENCH_BUILD_H
#define HAWSER_TESTS_BENCH_BUILD_H

#include "src/model/artefact.h"
#include "tests/bench/bench.h"
#include "tests/bench/shapes.h"

#define MAX_REPEATS 32

/* How a build is asked for. */
struct build_case {
	char name[64];
	struct genome genome;
	const struct task_shape *task;
	const struct set_choice *set;
	const char *harness;
	uint32_t n_golden; /* tokens of the golden input */
	uint64_t seed;	   /* of the weights */
};

/* Builds a genome as the bench's shapes have it, seed 1. */
enum err build_case_shape(struct build_case *c, const struct shape *s, enum precision p,
	const struct set_choice *set, const char *harness, struct err_ctx *ctx);
/* The image, in the cache `dir`/`cache`. */
enum err build_case_build(const struct build_case *c, const char *dir, const char *cache,
	struct artefact *out, struct err_ctx *ctx);

/* Wall time, and processor time of this process, compilers and linkers. */
struct build_time {
	unsigned n;
	double wall_s[MAX_REPEATS], cpu_s[MAX_REPEATS];
	double cold_wall_s, cold_cpu_s; /* with every kernel to compile */
	int same_bytes;			/* in two caches with paths of different length */
	uint64_t image_bytes;
};
/* `n` builds, each with weights of its own; the caches are made anew below `dir`. */
enum err build_time_measure(struct build_time *t, struct build_case *c, const char *dir,
	unsigned n, struct err_ctx *ctx);
/* Of the builds that had the processor to themselves (wall time hardly above processor
 * time), or of the processor time of all when fewer than half had. Tells which. */
double build_time_judged(const struct build_time *t, int *is_wall);

struct first_run {
	unsigned n, n_switched;
	double median_ns, p90_ns;
};
/* Of `n` processes. */
enum err first_run_measure(
	struct first_run *f, const struct artefact *a, unsigned n, struct err_ctx *ctx);

struct tail {
	long n_kept, n_switched;
	double median_ns, p90_ns, p99_ns, p999_ns, max_ns;
	double loop_ratio; /* p999 / median of a loop as long that touches no memory */
};
enum err tail_measure(
	struct tail *t, const struct artefact *a, unsigned n, struct err_ctx *ctx);

#endif
