/* One network on one device, without a job: what `hawser measure` does. Weights are
 * random, as latency does not depend on them; the answers are checked all the same.
 */
#ifndef HAWSER_EVAL_SINGLE_H
#define HAWSER_EVAL_SINGLE_H

#include "devices/device.h"
#include "src/measure/measure.h"
#include "src/model/artefact.h"
#include "src/model/genome.h"
#include "src/model/task.h"
#include "src/store/store.h"

struct single_options {
	const char *device;   /* profile */
	const char *results;  /* folder of the build cache */
	const char *database; /* the measurement is stored here */
	struct task_shape task;
	struct measure_options measure;
	uint32_t threads; /* instead of the profile's, whose results are kept apart; 0 */
	int tune; /* times the schedules that are not known yet, before building */
	struct progress *progress;
	volatile const int *cancel;
};
struct single_result {
	struct artefact artefact;
	struct measure_job job; /* release with single_result_release */
	char device[2048];	/* description */
	char name[128];		/* profile, and threads that it does not say */
	int simulated;
	uint32_t tokens;
	/* What is known of its products on this device, and how many were timed now. */
	struct store_wisdom *tuned;
	size_t n_tuned, n_timed;
};
/* Fails when it cannot be built or the device is not there; a network that fails on
 * the device is a result with a verdict. */
enum err single_measure(const struct genome *g, const struct single_options *o,
	struct single_result *out, struct err_ctx *ctx);
void single_result_release(struct single_result *r);

#endif
