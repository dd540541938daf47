/* Objectives: what a job optimises, with unit, direction and where a value came from. */
#ifndef HAWSER_MODEL_OBJECTIVE_H
#define HAWSER_MODEL_OBJECTIVE_H

#include <stddef.h>

#include "src/base/err.h"
#include "src/base/stats.h"

#define OBJECTIVES_MAX 4
#define METRIC_NAME_MAX 96 /* of a metric, a device, a group of them */

enum provenance {
	PROV_NONE,
	PROV_ANALYTIC,	/* computed from the shapes */
	PROV_PREDICTED, /* by a fitted model */
	PROV_INHERITED, /* quality with the supernet's weights */
	PROV_TRAINED,	/* quality of weights trained for this candidate */
	PROV_MEASURED,	/* on the device, or from the real link */
	PROV_SIMULATED, /* by the sim device: never a real latency */
	PROV_EMULATED,	/* counted by an emulator that ran it */
	N_PROVENANCES
};
extern const char *const provenance_names[N_PROVENANCES];

/* A metric that can be an objective or a limit. */
struct metric {
	const char *name; /* "slot_f1" "intent_acc" "cross_entropy" "perplexity"
			     "latency_us" "step_us" (a decoder's next token)
			     "wall_p99_us" "instructions" "step_instructions" (of an
			     emulator) "energy_uj" "peak_rss_bytes" (of a board its RAM:
			     data, arena, state and the stack that was used)
			     "arena_bytes" "flash_bytes" "model_bytes" "macs" "params" */
	const char *unit; /* "%" "nats" "us" "bytes" ... */
	int maximise;
	int per_device; /* needs "@device" */
	int quality;	/* of the answers; the others are costs */
};
const struct metric *metric_find(const char *name); /* NULL: no such */
const struct metric *metric_at(size_t i);	    /* NULL past the end */

struct objective {
	const struct metric *metric;
	char device[METRIC_NAME_MAX]; /* "" unless per_device */
};

/* What an objective's `device` names: one device, or several whose values become one. */
#define DEVICE_GROUP_MAX 4
enum device_combine { DEVICE_ONE, DEVICE_WORST, DEVICE_MEAN };
struct device_group {
	enum device_combine combine;
	size_t n;
	char name[DEVICE_GROUP_MAX][METRIC_NAME_MAX];
	double weight[DEVICE_GROUP_MAX]; /* sum 1 */
};
/* "pi", "worst(pi,nano)", "mean(pi,nano)", "mean(pi:2,nano)". */
enum err device_group_parse(
	struct device_group *g, const char *device, struct err_ctx *ctx);

struct value {
	double value;	    /* NAN: unknown */
	struct interval ci; /* NAN, NAN: unknown; equal to value when exact */
	enum provenance prov;
	int unresolved; /* measured, but the interval is wider than was asked for */
};

/* Of one value a device: the largest with the largest bounds, or the weighted mean with the
 * bounds of independent ones. NAN if any is; simulated if any is. Of metrics of which less
 * is better. */
struct value device_group_value(const struct device_group *g, const struct value *v);

/* "latency_us@local", "latency_us@worst(pi,nano)"; checks metric and the presence of the device part. */
enum err objective_parse(struct objective *o, const char *text, struct err_ctx *ctx);
void objective_format(const struct objective *o, char *out, size_t cap);

/* A limit "flash_bytes<=280000", "latency_us@local<200", "slot_f1>=89": < and <= (and >,
 * >=) mean the same for measured numbers and are kept as written. */
struct limit {
	struct objective what;
	char op[3]; /* "<" "<=" ">" ">=" */
	double bound;
};
enum err limit_parse(struct limit *l, const char *text, struct err_ctx *ctx);
int limit_holds(const struct limit *l, double value); /* NAN never holds */

#endif
