/* Records: what a running image writes and reads (devices/PROTOCOL.md, "Records"). Used
 * by the harness that is linked with every model, by agents, which check before they pass
 * them on, and by the host, which checks again.
 *
 * Freestanding. A stream is RECORD_MAGIC, records (kind, length, bytes), and END.
 */
#ifndef HAWSER_DEVICES_PROTO_RECORD_H
#define HAWSER_DEVICES_PROTO_RECORD_H

#include <stdint.h>

#include "devices/proto/bytes.h"

#define RECORD_MAGIC 0x31525748u /* "HWR1" */
#define RECORD_HEAD_BYTES 8	 /* u32 kind, u32 length */

enum record_kind {
	RECORD_GOLDEN = 1,
	RECORD_TIME = 2,
	RECORD_OUTPUT = 3,
	RECORD_ERROR = 4,
	RECORD_END = 5,
	RECORD_STEPS = 6
};

/* Exit codes of a harness that is at fault itself, or was called wrongly. */
#define HARNESS_EXIT_USAGE 64
#define HARNESS_EXIT_MODEL 65 /* the model refused its input */
#define HARNESS_EXIT_INPUT 66 /* the evaluation input is malformed */
#define HARNESS_EXIT_FLASH 67 /* the flash does not hold its weights: nothing was run */
#define HARNESS_EXIT_IO 74

#define GOLDEN_BYTES 30
#define TIME_MAX_SAMPLES 8192
#define TIME_HEAD_BYTES 40 /* of a RECORD_TIME, before its samples of 8 bytes */

struct record_golden {
	uint32_t n_checked;
	uint8_t pass;
	double worst;	 /* largest |d - r| / (1 + max |r|); infinite when d is NaN */
	uint32_t golden; /* where the worst is: which golden input, */
	uint8_t tensor;	 /* 0 intent, 1 tags, 2 lm, */
	uint32_t element;
	float got, want;
};

struct record_time {
	uint32_t n, inner;
	uint64_t start_ns, end_ns; /* monotonic clock around all samples */
	uint64_t n_inferences;	   /* between the two */
	uint32_t n_vcsw, n_ivcsw;  /* of the thread, between the two */
	const uint8_t *samples;	   /* n times f32 wall_ns, f32 cpu_ns per inference */
};

/* Evaluation input: EVAL_IN_MAGIC, u32 flags, u32 n_inputs; then per input u32 n and n
 * token ids of u16, or u32 with EVAL_WIDE. */
#define EVAL_IN_MAGIC 0x31495748u /* "HWI1" */
#define EVAL_LOGITS 1u		  /* return raw logits too */
#define EVAL_LM 2u		  /* decoder: return the log likelihood of the tokens */
#define EVAL_WIDE 4u
#define EVAL_FLAGS 7u
/* Evaluation output: EVAL_OUT_MAGIC, u32 flags, u32 n_inputs, u32 n_intents, u32 n_tags;
 * then per input
 *   u32 n, u16 intent (EVAL_NONE without), n times u16 tag when n_tags > 0,
 *   EVAL_LOGITS: n_intents times f32, n * n_tags times f32,
 *   EVAL_LM: f64 negative log likelihood in nats, u32 tokens it is the sum over. */
#define EVAL_OUT_MAGIC 0x314f5748u /* "HWO1" */
#define EVAL_NONE 0xffffu
#define EVAL_MAX_TOKENS 4096
#define EVAL_MAX_LABELS 4096

/* Tuning input: TUNE_IN_MAGIC, u32 n_shapes, u32 n_samples, u32 min_sample_ns, u32 seed,
 * u64 budget_ns; then per shape u8 bits, u8 n_schedules, u32 n, u32 in, u32 out.
 * Output: TUNE_OUT_MAGIC, u32 n_shapes; then per shape, per schedule f32: the least thread
 * CPU time of one call in ns. */
#define TUNE_IN_MAGIC 0x31544948u  /* "HIT1" */
#define TUNE_OUT_MAGIC 0x31544f48u /* "HOT1" */
#define TUNE_IN_HEAD 28
#define TUNE_SHAPE_BYTES 14
#define TUNE_MAX_SHAPES 512
#define TUNE_MAX_SCHEDULES 8
#define TUNE_MAX_WIDTH 65535

/* What a stream held. Counts of each kind; the last golden, time and steps record. */
struct record_summary {
	uint32_t n_golden, n_time, n_output, n_error, n_steps;
	struct record_golden golden;
	struct record_time time, steps;
	uint32_t n_cached; /* tokens before each step */
	uint64_t output_bytes;
	char error[128];
};

static inline void put_record_head(struct put *p, uint32_t kind, uint32_t len)
{
	put_u32(p, kind);
	put_u32(p, len);
}

/* Walks a stream of records. 0 unless every byte of it is accounted for, kinds are known
 * and END says the right length. `time.samples` leads into `stream`. */
int record_scan(const uint8_t *stream, size_t len, struct record_summary *out);
/* Copies the bytes of all OUTPUT records, in order; the stream was scanned before. */
void record_output(const uint8_t *stream, size_t len, uint8_t *out);
/* Sample i of a scanned record. */
void record_sample(
	const struct record_time *t, uint32_t i, float *wall_ns, float *cpu_ns);

#endif
