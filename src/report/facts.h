/* All facts of one job, read in one snapshot and indexed by candidate, and the rule that
 * makes a metric's value of them. Private to src/report.
 */
#ifndef HAWSER_REPORT_FACTS_H
#define HAWSER_REPORT_FACTS_H

#include "src/model/task.h"
#include "src/report/report.h"

#define NO_FACT UINT32_MAX
#define FACTS_MAX_SEEDS 64

/* Rows of one kind by candidate: first[c], then next[row]; the last row stored comes
 * first. */
struct chain {
	uint32_t *first, *next;
};

struct facts {
	struct store_job job;
	struct objective objectives[OBJECTIVES_MAX]; /* the job's own; may be none */
	size_t n_objectives;
	struct store_candidate *candidates;
	uint32_t *by_hash; /* candidates in order of their hash */
	size_t n_candidates;
	struct store_accuracy *accuracy;
	struct chain accuracy_of;
	size_t n_accuracy;
	struct store_measurement *measurements;
	struct chain measurements_of;
	size_t n_measurements;
	struct store_build *builds;
	struct chain builds_of;
	size_t n_builds;
	struct store_meta *meta;
	size_t n_meta;
	/* from the meta keys (README.md) */
	struct task_shape task;
	uint32_t timed_tokens; /* 0: unknown, and no analytic value can be had */
	int has_data, has_supernet;
	struct hash data, supernet;
};

/* `job` NULL: the one updated last. */
enum err facts_load(
	struct store *s, const char *job, struct facts *f, struct err_ctx *ctx);
void facts_release(struct facts *f);
const char *facts_meta(const struct facts *f, const char *key); /* NULL: not there */
/* NO_FACT when the job does not know it. */
uint32_t facts_find(const struct facts *f, const struct hash *candidate);
/* One objective a line ("slot_f1\nlatency_us@local"). */
enum err objectives_parse(const char *lines, struct objective out[OBJECTIVES_MAX],
	size_t *n, struct err_ctx *ctx);

/* The value of an objective. Quality on `split` ("valid", "test"): mean over the seeds of
 * the weights trained for the candidate (the interval is the mean of theirs; *n_seeds
 * tells how many, may be NULL); on "valid", inherited weights where nothing was trained.
 * Costs: from the last measurement on the device, the build that was measured, or the
 * shapes. */
void facts_value(const struct facts *f, uint32_t candidate, const struct objective *o,
	const char *split, struct value *v, int *n_seeds);
/* The last measurement on a device (of a group: its first) that this job took; without one, that another job
 * took; NULL without any. */
const struct store_measurement *facts_measurement(
	const struct facts *f, uint32_t candidate, const char *device);
/* The candidate's genome and its costs at the timed input length; 0 when the task is not
 * known or the text is damaged. */
struct graph_cost;
int facts_cost(const struct facts *f, uint32_t candidate, struct graph_cost *cost);

/* front_collect on facts that are loaded already (q->job is not looked at). */
enum err front_from_facts(const struct facts *f, const struct front_query *q,
	struct front *out, struct err_ctx *ctx);

#endif
