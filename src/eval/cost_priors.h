/* What a cost model of one device may begin with: stored measurements of other jobs and of
 * other devices, and which of them is taken. A search begins with it (prior.c), `hawser cost
 * score --prior` says what it is worth.
 *
 * One rule: rows of the same quantity, from jobs of the same kind of task, at least
 * COST_PRIOR_MIN_ROWS; those of the device itself go first, then those that are measured
 * or simulated as the device is, then the set with most rows, then the older job.
 */
#ifndef HAWSER_EVAL_COST_PRIORS_H
#define HAWSER_EVAL_COST_PRIORS_H

#include "src/eval/cost_sets.h"

#define COST_PRIOR_MIN_ROWS 12 /* as many as a first generation has */

struct cost_prior_job {
	char name[128];
	int64_t id;
	struct cost_set *sets;
	size_t n;
};

struct cost_priors {
	struct cost_prior_job *job;
	size_t n;
};

/* Reads every job of that kind of task, what was measured before `before_s` (unix; INT64_MAX
 * all), oldest first. Jobs that cannot be read are passed over. */
enum err cost_priors_open(struct cost_priors *all, struct store *s, const char *kind,
	int64_t before_s, struct err_ctx *ctx);
void cost_priors_release(struct cost_priors *all);

struct cost_prior_query {
	const char *target;	   /* "latency_us@pi" */
	const struct hash *device; /* its fingerprint */
	int simulated;
	int64_t not_job;  /* sets of this job are none; 0: any */
	int others_only;  /* no sets of the device itself, by fingerprint or name */
	const char *from; /* only sets of the device of this name; NULL: any */
};
/* NULL: there is none. *job (may be NULL): whose. */
const struct cost_set *cost_priors_find(const struct cost_priors *all,
	const struct cost_prior_query *q, const struct cost_prior_job **job);

/* Of "latency_us@pi": "pi". */
const char *cost_target_device(const char *target);

#endif
