/* The harness that is linked with every model for a Linux target: the agent starts it and
 * reads its records (devices/proto/record.h) from standard output.
 *
 *   IMAGE golden
 *   IMAGE time WARMUP SAMPLES MIN_SAMPLE_NS TOKENS PHASE
 *   IMAGE eval          (input records on standard input)
 *
 * `time` checks the golden outputs first and times nothing when they are wrong. Between a
 * timed input and its output nothing is allocated and the kernel is not called. All
 * memory is static. The run_ functions return the program's exit code.
 */
#ifndef HAWSER_DEVICES_BOARDS_LINUX_HARNESS_H
#define HAWSER_DEVICES_BOARDS_LINUX_HARNESS_H

#include "devices/proto/record.h"
#include "src/infer/model_api.h"

/* The harness's own memory. A board without an operating system has little. */
#ifdef __linux__
#define HARNESS_MAX_TOKENS EVAL_MAX_TOKENS
#define HARNESS_MAX_SAMPLES TIME_MAX_SAMPLES
#define HARNESS_OUT_BYTES 32768
#define HARNESS_IN_BYTES 16384
#define HARNESS_GOLDEN_LOGITS 1 /* the golden check gives the logits, too */
#else
#define HARNESS_MAX_TOKENS 512
#define HARNESS_MAX_SAMPLES 256
#define HARNESS_OUT_BYTES 512
#define HARNESS_IN_BYTES 256
#define HARNESS_GOLDEN_LOGITS 0
#endif

/* stream.c: records out; a failed write ends the program. */
void stream_begin(void);
void stream_end(void);
void stream_record(uint32_t kind, const uint8_t *body, size_t len);
/* Room for n (few) bytes of output, gathered into OUTPUT records. */
struct put stream_room(size_t n);
void stream_f32(const float *v, size_t n);
/* An ERROR record and the end; returns `code`. */
int stream_fail(int code, const char *text);

/* golden.c: the embedded inputs against the host's outputs. -1 when the model refuses. */
int golden_check(struct record_golden *r);
void golden_write(const struct record_golden *r);
/* From an empty cache when it is a decoder. */
int run_fresh(const int32_t *tokens, uint32_t n, struct model_output *o);

/* eval.c */
int run_golden(void);
int run_eval(void);

/* timed.c: what is timed, and how often */
struct timing {
	uint32_t n_warmup, n_samples, min_sample_ns, n_tokens, phase;
	uint32_t rounds; /* prefills or whole inputs per sample */
	uint32_t steps;	 /* inferences timed in a round: 1, or decoder steps */
};
/* The golden check, then whole inputs or single tokens; of a decoder whose whole inputs are
 * timed, its single tokens too. */
int run_time(struct timing *t);
/* One sample between clock_start and clock_stop: all rounds at once, or the steps of each
 * round apart from its prefill. -1 when the model refuses. */
int timing_sample(const struct timing *t);

/* timing.c, of each target: its clocks. What lies between the two is added up. */
void clock_start(void);
void clock_stop(void);
/* Finds the rounds that a sample needs, takes all samples and writes them as a record of
 * `kind`: RECORD_TIME, or RECORD_STEPS, which says what was cached. -1 when the model refuses. */
int take_samples(struct timing *t, uint32_t kind);

#endif
