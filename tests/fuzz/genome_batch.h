/* Builds genomes by the batch and runs them: one program a batch and kernel set, under the
 * address and undefined-behaviour sanitisers. What is compiled is what codegen_build
 * compiles, the texts, weights, golden values and kernels of a set, with the candidate's
 * own optimisation level; only the entry points of the models are renamed, so that many
 * fit one program.
 *
 * Errors of the tools are `enum err`; what a genome did wrong goes as a line of text to
 * `faults`. A batch may run beside others: nothing here is shared but `struct batch_sets`,
 * which does not change once it is made.
 */
#ifndef HAWSER_TESTS_FUZZ_GENOME_BATCH_H
#define HAWSER_TESTS_FUZZ_GENOME_BATCH_H

#include "src/base/buf.h"
#include "src/codegen/kernel_sets.h"
#include "tests/fuzz/genome_draw.h"

#define BATCH_MAX 40
#define BATCH_MAX_SETS 8
#define BATCH_MAX_KERNELS 64
#define BATCH_PATH 4096

struct batch_set {
	const struct kernel_set *set;
	int sanitised;
	char dir[BATCH_PATH]; /* its kernels' objects, and the runner's */
	char objects[BATCH_MAX_KERNELS + 1][64];
	size_t n_objects;
};

struct batch_sets {
	char home[BATCH_PATH];
	size_t n; /* [0] is the portable one */
	struct batch_set set[BATCH_MAX_SETS];
};

/* A kernel file that stands in for the one of its name, in one of the sets: for the proof
 * that a fault is found. */
struct stand_in {
	const char *path; /* NULL: none */
	const struct kernel_set *set;
};

struct batch {
	const struct batch_sets *sets;
	char dir[BATCH_PATH];
	size_t n;
	struct drawn drawn[BATCH_MAX];
	float golden[BATCH_MAX_SETS][BATCH_MAX], tolerance[BATCH_MAX];
	float difference[BATCH_MAX_SETS][BATCH_MAX]; /* from the portable set */
	struct buf faults;			     /* a line each */
};

/* Of this machine's family, and its processor has what the flags name. */
int batch_set_runs_here(const struct kernel_set *set);
/* The sets whose instructions this machine has, compiled below `dir`. The portable set is
 * sanitised; the others, which then take ten times as long to compile, only on demand.
 * With a stand-in only the portable set and the one that it is for; `in` may be NULL. */
enum err batch_sets_init(struct batch_sets *all, const char *dir, int sanitise_all,
	const struct stand_in *in, struct err_ctx *ctx);
/* Adds a line on drawn genome i with set k; a value of 0 is not told. */
void batch_fault(struct batch *b, size_t i, size_t k, const char *what, double value,
	double allowed);
/* Everything for every set, of b->n drawn genomes. b->dir is made and removed. */
enum err batch_run(struct batch *b, struct err_ctx *ctx);

#endif
