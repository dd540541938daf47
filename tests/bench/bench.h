/* `make bench-core`: what the core reaches, beside its peers and the machine's limits, in
 * one run.
 *
 *   shapes   the table: shapes, goals, genomes
 *   machine  processor, kernel sets that run on it, what it can do at all (rates)
 *   engine   one thing that is timed: an image of ours, a peer's graph, a rate
 *   worker   the program behind it, asked for timed runs
 *   sample   the numbers: slices, series, ratios
 *   contest  all engines of one shape, interleaved in random order
 *   decoder  tokens a second against the weights' bandwidth
 *   verdict  goals, met or not; verdict_json the same with everything
 *
 * One thread of one machine: everything is compared with what ran beside it.
 */
#ifndef HAWSER_TESTS_BENCH_BENCH_H
#define HAWSER_TESTS_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/err.h"

struct options {
	int quick;
	unsigned generations; /* every program is started anew so often */
	unsigned rounds;      /* in each generation */
	double slice_ns;      /* that an engine runs in a round */
	unsigned shape_mask;  /* bit i: shapes[i] */
	int decoder;
	const char *python; /* of the peer's environment; NULL: no peer */
	const char *dir;    /* builds, graphs, core.json */
	uint64_t seed;	    /* of the order in the rounds */
};

#define MAX_SETS 8
#define N_READ_SIZES 8
extern const size_t read_sizes[N_READ_SIZES];

/* A kernel set and the target flags that it is built with. */
struct set_choice {
	char name[40]; /* "ref", "x86-avx2" */
	const char *isa, *cflags;
	int optimised;
};

struct machine {
	char cpu[128], compiler[128], blas_core[64];
	unsigned n_sets;
	struct set_choice set[MAX_SETS];   /* [0]: portable; the last: the best of all */
	double read_bytes_s[N_READ_SIZES]; /* 0: not measured */
};

/* ERR_TOOL without a compiler. */
enum err machine_init(struct machine *m, const struct options *o, struct err_ctx *ctx);

#endif
