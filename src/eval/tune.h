/* Tuning: which schedule of a matrix product is the fastest, asked of the device itself.
 *
 * A tuner (codegen_tuner) is run in several processes; each times all schedules of all
 * shapes in turns and gives the least thread CPU time of each. The process is the unit: a
 * schedule wins when the interval of its ratio to schedule 0, the bootstrap of the median
 * over processes, lies below 1 by MIN_GAIN; of several the one with the least median.
 */
#ifndef HAWSER_EVAL_TUNE_H
#define HAWSER_EVAL_TUNE_H

#include "devices/device.h"
#include "src/base/progress.h"
#include "src/model/artefact.h"
#include "src/store/store.h"

#define TUNE_BUDGET_NS 2000000000u /* of one call; a shape gets its share */

struct tune_options {
	uint32_t n_processes, n_samples, min_sample_ns;
	uint64_t budget_ns; /* of timing, without process starts; soft */
	uint64_t seed;
	struct progress *progress;
	volatile const int *cancel;
};
void tune_options_default(struct tune_options *o);

/* ERR_UNSUPPORTED, with the reason, for a device that cannot tune. */
enum err tune_check(const struct device *d, struct err_ctx *ctx);
/* `rows` come with shape and n_schedules; all else but the store's own is filled. */
enum err tune_run(struct device *d, const struct artefact *tuner,
	const struct tune_options *o, struct store_wisdom *rows, size_t n,
	struct err_ctx *ctx);

/* What many processes say: ns[p * n_schedules + i] is of schedule i in process p. Fills ns,
 * schedule, ratio and ratio_ci. */
void tune_judge(
	struct store_wisdom *w, const double *ns, uint32_t n_processes, uint64_t seed);

/* A tuner's answer: the times of all schedules of all rows. ERR_LINK when it makes no
 * sense. */
enum err tune_read(const uint8_t *answer, size_t len, const struct store_wisdom *rows,
	size_t n, double *out, struct err_ctx *ctx);

#endif
