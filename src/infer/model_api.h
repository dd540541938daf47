/* The embedded inference core's contract: what every generated model offers, on every
 * target. Freestanding C: no heap, no stdio, no recursion; all memory is one static
 * arena that the generated code owns. Not reentrant: one model, one caller at a time.
 *
 * Ids are token ids in 0..vocab_size-1, 1 <= n <= seq_len. Outputs stay valid until the
 * next call. The functions return 0, or -1 when an argument is out of range (nothing is
 * computed).
 */
#ifndef HAWSER_INFER_MODEL_API_H
#define HAWSER_INFER_MODEL_API_H

#include <stdint.h>

#include "src/infer/labels.h"

struct model_info {
	uint32_t vocab_size, seq_len, n_intents, n_tags;
	uint32_t is_decoder;
	uint32_t arena_bytes, state_bytes, weight_bytes;
	uint32_t timed_tokens; /* default length of a timed input */
	const char *candidate; /* canonical text */
};

struct model_output {
	const float *intent; /* [n_intents] logits, or 0 */
	const float *tags;   /* [n, n_tags] logits, or 0 */
	const float *lm;     /* [vocab_size] logits after the last token, or 0 */
};

struct model_golden {
	const int32_t *ids;
	uint32_t n;
	const float *intent, *tags, *lm; /* expected, as in model_output */
};

/* The text that travels with a model, all 0 when there is none (random weights). */
struct model_text {
	const uint8_t
		*vocab; /* tokeniser tables, the stored form of src/infer/tokenise.h */
	uint32_t vocab_bytes;
	const char *intents,
		*tags; /* names in the order of the logits, each ended by '\n' */
	const struct label_rules *rules; /* how logits become labels; 0 without */
};

extern const struct model_info model_info;
extern const struct model_text model_text;
extern const struct model_golden model_golden[];
extern const uint32_t model_n_golden;
extern const float model_golden_tolerance; /* |d - r| / (1 + max |r|) */

/* A decoder continues after the tokens it has seen since model_reset; an encoder starts
 * anew at every call. */
int model_run(const int32_t *ids, uint32_t n, struct model_output *out);
void model_reset(void);

#endif
