/* A job's stored measurements as rows for the cost models: one set for each device and
 * quantity, one row for each candidate.
 */
#ifndef HAWSER_EVAL_COST_SETS_H
#define HAWSER_EVAL_COST_SETS_H

#include <stddef.h>

#include "src/base/err.h"
#include "src/store/store.h"

struct cost_set {
	char target[128];	/* "latency_us@local" */
	const char *provenance; /* "measured", "simulated" or "emulated" */
	struct hash device;	/* fingerprint */
	size_t n;
	double *x; /* [n, cost_features_count()] owned */
	double *y; /* [n] owned */
};

/* The kind of a job's task; "" where the job has none yet. */
enum err cost_job_task(
	struct store *s, int64_t job, char *out, size_t cap, struct err_ctx *ctx);
/* The newest look at each candidate counts, of those comparable to the last one on that
 * device: the same fingerprint and MEASURE_PROTOCOL. Only what was taken before `before_s`
 * (unix; INT64_MAX all). Sets without a row are left out. */
enum err cost_job_sets(struct store *s, const struct store_job *job, int64_t before_s,
	struct cost_set **out, size_t *n, struct err_ctx *ctx);
void cost_sets_free(struct cost_set *sets, size_t n);

#endif
