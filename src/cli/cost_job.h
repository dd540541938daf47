/* A job's stored measurements as rows for the cost models: one set for each device and
 * quantity, one row for each candidate.
 */
#ifndef HAWSER_CLI_COST_JOB_H
#define HAWSER_CLI_COST_JOB_H

#include <stddef.h>

#include "src/base/err.h"
#include "src/store/store.h"

struct cost_set {
	char target[128];	/* "latency_us@local" */
	const char *provenance; /* "measured" or "simulated" */
	size_t n;
	double *x; /* [n, cost_features_count()] owned */
	double *y; /* [n] owned */
};

/* The newest look at each candidate counts, of those comparable to the last one on that
 * device: the same fingerprint and MEASURE_PROTOCOL. Sets without a row are left out. */
enum err cost_job_sets(struct store *s, const struct store_job *job,
	struct cost_set **out, size_t *n, struct err_ctx *ctx);
void cost_sets_free(struct cost_set *sets, size_t n);

#endif
