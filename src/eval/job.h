/* A job file: which task, which space, which devices, what to optimise, when to stop.
 *
 *   job: demo                      # name; a run with the same name resumes
 *   data: builtin:home             # source as in `hawser data show`; format: optional
 *   space: home-small              # name in search/spaces, or a .yaml path
 *   seed: 1
 *   objectives: [slot_f1, latency_us@local]
 *                              # or one of several: latency_us@worst(pi,nano),
 *                              # latency_us@mean(pi:2,nano) (weights)
 *   limits: ["flash_bytes@local<=280000"]
 *   search: {algorithm: model, initial: 12, batch: 6, population: 64, evolve: 20,
 *            refine: 24, explore: 0.2}
 *   stop: {candidates: 36, generations: 0, hours: 0, patience: 0}    # 0: no such rule
 *   supernet: {epochs: 20, batch: 32, lr: 0.004}                    # training options
 *   final: {candidates: 6, seeds: 1, epochs: 30}       # candidates, seeds, and options;
 *                              # device_inputs: 200 lets each device answer that many of
 *                              # the test inputs only (0, the default: all)
 *   tune: yes                  # time competing schedules of each candidate's products on
 *                              # its devices, once a shape, and build with the fastest; no:
 *                              # use what was known when the job began (default)
 *   device_wait_s: 600         # how long a device is waited for that is lost, or not
 *                              # there yet; the others go on
 *   measure: {min_processes: 5, max_processes: 20, precision: 0.02, samples: 50,
 *             warmup: 10}
 *
 * Only job, data, space and objectives are required.
 */
#ifndef HAWSER_EVAL_JOB_H
#define HAWSER_EVAL_JOB_H

#include "search/search.h"
#include "src/base/err.h"
#include "src/base/hash.h"
#include "src/measure/measure.h"
#include "src/model/objective.h"
#include "src/train/train.h"

#define JOB_MAX_LIMITS 8

struct job {
	char name[128];
	char data[1024];
	char format[32]; /* "" recognise */
	char space[1024];
	uint64_t seed;
	struct objective objectives[OBJECTIVES_MAX];
	size_t n_objectives;
	struct limit limits[JOB_MAX_LIMITS];
	size_t n_limits;
	struct search_options search;
	double max_hours; /* 0: no limit */
	struct train_options supernet, final;
	uint32_t n_final, n_final_seeds, n_device_inputs;
	struct measure_options measure;
	int tune;
	double device_wait_s;
	struct hash spec; /* without name, stop rules and waiting: those may change */
};

/* `text` is what is stored; relative paths are the user's working directory's. */
enum err job_parse(
	struct job *j, const char *text, const char *file, struct err_ctx *ctx);

#endif
