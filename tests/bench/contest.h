/* All engines of one shape, or of the decoder, side by side: programs are started anew in
 * each generation, and every round runs a slice of each in random order. */
#ifndef HAWSER_TESTS_BENCH_CONTEST_H
#define HAWSER_TESTS_BENCH_CONTEST_H

#include "tests/bench/engine.h"

struct contest {
	const struct shape *shape; /* NULL: the decoder */
	double macs;		   /* of one run; decoder: of one token */
	/* read once a run, and stored */
	double weight_bytes[N_PRECISIONS];
	size_t n_rounds;
	enum bench_clock clock; /* CPU where runs were hardly ever undisturbed */
	unsigned n;
	struct engine engine[MAX_ENGINES];
	char kernels[MAX_SETS]
		    [200];	 /* "gelu 0.26 norm 0.09 ...", ns an element, by set */
	char peer_versions[160]; /* "" without a peer */
	char peer_remark[200];	 /* why there is none */
};

/* An engine that cannot be built, started or asked is absent, with its reason; the
 * contest goes on. Prints to stderr what it is doing. */
enum err contest_run(struct contest *c, const struct options *o, const struct machine *m,
	const struct shape *s, struct err_ctx *ctx);
enum err contest_run_decoder(struct contest *c, const struct options *o,
	const struct machine *m, struct err_ctx *ctx);

/* Names of the decoder's readings: its weights at full speed. */
#define READING "reading of the %s weights"
#define TWO_THREADS "int8 %s, 2 threads"
#define SHORT_TOKENS 9
#define SHORT_NAME "%s, 9 tokens"

#endif
