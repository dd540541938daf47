/* The host's reference: a plain double-precision forward pass of one network, with
 * the device's quantisation simulated exactly. The golden outputs of every build come
 * from here. Deliberately simple and independent of the core's kernels and of training's
 * code.
 */
#ifndef HAWSER_MODEL_REFERENCE_H
#define HAWSER_MODEL_REFERENCE_H

#include "src/model/graph.h"

/* Weights by tensor, so that a billion-parameter network need not lie in memory at once:
 * fills `w` (rows * cols floats) with the unquantised values. */
struct tensor_source {
	enum err (*read)(
		void *self, const struct tensor *t, float *w, struct err_ctx *ctx);
	void *self;
};

/* A source over a flat vector laid out by `layout_init` (both borrowed). */
struct flat_weights {
	const float *w;
};
struct tensor_source tensor_source_flat(struct flat_weights *flat);
/* A source of random weights as weights_init makes them. */
struct random_weights {
	uint64_t seed;
};
struct tensor_source tensor_source_random(struct random_weights *random);

struct reference_output {
	double *intent; /* [n_intents]; caller's, may be NULL for TASK_LM */
	double *tags;	/* [n, n_tags]; caller's, NULL unless TASK_INTENT_SLOTS */
	double *lm;	/* [vocab] after the last token; caller's, NULL unless TASK_LM */
};

/* One input of n ids (0 <= id < vocab_size, 1 <= n <= seq_len). */
enum err reference_run(const struct genome *g, const struct task_shape *task,
	const struct tensor_source *weights, const int32_t *ids, uint32_t n,
	const struct reference_output *out, struct err_ctx *ctx);

/* Largest |device - reference| / (1 + max |reference|), the maximum taken over an output tensor,
 * that a correct device may show. */
double reference_tolerance(const struct genome *g);

#endif
