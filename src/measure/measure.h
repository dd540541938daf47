/* The measuring procedure: builds in, measurements or failures out.
 *
 * Every build passes its golden check before any is timed. Then rounds: in each, one
 * process of every unfinished build and of the reference build, in an order drawn anew; a
 * process warms up and takes samples. Builds with weights in the device's flash have rounds of
 * their own, with the reference, so that these are written once. After a round, a build is finished when the 95 %
 * interval of its latency is narrower than `precision` (resolved) or after
 * max_processes (not resolved). The process is the statistical unit. Energy is read
 * around the timed part when the device has a sensor. A meter in a board's supply records
 * each build's first min_processes processes, which last 10 s for it; one whose window is
 * void is taken anew, VOID_RETAKES times in all of a build, then kept without energy.
 *
 * Faults: a candidate's fault in any process is its verdict, at once, and its partial
 * samples are dropped. A lost device or link is recovered and the same process run again,
 * `retries` times; a build that still does not get through while the device comes back
 * has the verdict device-lost or link-lost, which blames nobody. A device that has no room
 * even for the reference is ERR_DEVICE. A process during which
 * the device was throttled (its CPU quota used up, heat, a weak supply) is dropped and its
 * place taken anew in the next round, `retakes` times in all of a build; what is still
 * throttled then is kept and counted in n_throttled. A build larger than the
 * profile allows is no-fit and never sent. When the reference fails, the device is at
 * fault.
 *
 * Repeatable: process i of look k asks the device for process_index 1000 k + i, the
 * reference's in round i for i, and the bootstrap is seeded by seed, look and build; so
 * on a device that answers as a pure function (sim) a build's result does not depend on
 * what else is in the call, or on interruptions.
 *
 * Drift: each run keeps reference_ratio, its latency over the reference's of the same
 * round. It is kept for reports and for comparing sessions; the summary uses raw times.
 */
#ifndef HAWSER_MEASURE_MEASURE_H
#define HAWSER_MEASURE_MEASURE_H

#include "devices/device.h"
#include "src/base/progress.h"
#include "src/model/artefact.h"
#include "src/model/measurement.h"

struct measure_options {
	uint32_t min_processes, max_processes;
	uint32_t n_warmup, n_samples;
	uint32_t min_sample_ns;
	double precision;  /* relative half-width of the interval that is narrow enough */
	uint32_t n_tokens; /* 0: build's default */
	uint32_t phase;
	uint64_t seed;
	int retries;   /* of a lost device or link, per process */
	int retakes;   /* of throttled processes, per build */
	int unmetered; /* a meter is left alone: its windows take their time */
};
void measure_options_default(struct measure_options *o);

struct measure_job {
	struct hash candidate;
	const struct artefact *artefact; /* borrowed */
	uint32_t look;
	/* out; a job with `done` set on entry is passed over */
	enum verdict verdict; /* VERDICT_OK: `m` is valid */
	char detail[256];
	char energy_note[TRACE_WHY]; /* why the last void window was void; "" none was */
	uint32_t n_void;	     /* windows */
	struct measurement m;	     /* the caller releases it */
	double golden_error;
	int done;
};

/* Called as soon as one job is done, so that it can be stored at once. */
typedef enum err (*measure_done_fn)(
	void *self, struct measure_job *job, struct err_ctx *ctx);

/* `reference` may be NULL (no interleaved reference). A device that stays lost is
 * ERR_DEVICE; jobs that were done are done. */
enum err measure_run(struct device *d, const struct artefact *reference,
	struct measure_job *jobs, size_t n, const struct measure_options *o,
	measure_done_fn done, void *self, struct progress *progress,
	volatile const int *cancel, struct err_ctx *ctx);

#endif
