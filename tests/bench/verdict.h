/* What a bench says at its end: tables for people, one JSON file with everything. Goals
 * are judged here and nowhere else. */
#ifndef HAWSER_TESTS_BENCH_VERDICT_H
#define HAWSER_TESTS_BENCH_VERDICT_H

#include <stdio.h>

#include "tests/bench/contest.h"

struct bench_result {
	const struct options *options;
	const struct machine *machine;
	unsigned n_contests;
	struct contest contest[N_SHAPES];
	int has_decoder;
	struct contest decoder;
};

/* One goal: `value` against it; NAN when it could not be measured. */
struct judgement {
	char what[96]; /* "4x128x4x512x32 int8: times faster than ort int8-fused" */
	double value, goal;
	int at_most;	       /* the goal is a ceiling */
	struct interval range; /* of a ratio; NAN bounds otherwise */
	const char *missing;   /* why there is no value */
};
#define MAX_JUDGEMENTS 80

/* All goals of what was run, in the order of the table; returns how many. `out` holds
 * MAX_JUDGEMENTS. */
size_t verdict_judge(const struct bench_result *r, struct judgement *out);
int judgement_is_met(const struct judgement *j); /* 0 without a value */

/* A call of the peer from Python, in ns, as its empty graph shows it; 0 when unknown.
 * Taken off before the peer is compared. */
double contest_call_ns(const struct contest *c);
/* ns that the multiply-adds of one run take at the measured peak; NAN without a rate. */
double contest_bound_ns(const struct contest *c, enum precision p);

void verdict_print(FILE *out, const struct bench_result *r);
enum err verdict_write(
	const struct bench_result *r, const char *path, struct err_ctx *ctx);

#endif
