/* Building evaluation inputs and reading evaluation outputs (devices/PROTOCOL.md,
 * Records): what goes into run_request.input and comes out of run_result.output.
 */
#ifndef HAWSER_DEVICES_EVAL_RECORD_H
#define HAWSER_DEVICES_EVAL_RECORD_H

#include <stdint.h>

#include "devices/proto/record.h"
#include "src/base/buf.h"

/* Flags: EVAL_LOGITS, EVAL_LM, EVAL_WIDE (for ids above 65535). `in` is empty. */
void eval_input_begin(struct buf *in, uint32_t flags);
/* One input of n >= 1 tokens; counts itself in. */
void eval_input_add(struct buf *in, const int32_t *ids, uint32_t n);

struct eval_reader {
	struct get g;
	uint32_t flags, n_inputs, n_intents, n_tags;
	uint32_t at; /* inputs read */
};

/* Arrays are unaligned little-endian bytes within the output: use the functions below. */
struct eval_result {
	uint32_t n;
	uint32_t intent;			   /* EVAL_NONE: no such head */
	const uint8_t *tags;			   /* n, or NULL */
	const uint8_t *intent_logits, *tag_logits; /* n_intents; n * n_tags; or NULL */
	double nll; /* with EVAL_LM: sum over n_scored tokens, in nats */
	uint32_t n_scored;
};

/* 1, or 0 when the bytes are not an evaluation output. `out` is borrowed by the reader. */
int eval_output_open(struct eval_reader *r, const uint8_t *out, size_t len);
/* The next input's result: 1; 0 at the end; -1 when the bytes are malformed (labels out
 * of range and figures that are not numbers included). */
int eval_output_next(struct eval_reader *r, struct eval_result *result);
uint32_t eval_tag(const struct eval_result *r, uint32_t token);
float eval_logit(const uint8_t *logits, size_t i);

#endif
