/* The host's reference: a plain double-precision forward pass of one network, with
 * the device's quantisation simulated exactly. The golden outputs of every build come
 * from here. Deliberately simple and independent of the core's kernels and of training's
 * code.
 */
#ifndef HAWSER_MODEL_REFERENCE_H
#define HAWSER_MODEL_REFERENCE_H

#include "src/model/act_scales.h"
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

/* Is shown each row that is about to be quantised. */
struct reference_watch {
	void (*see)(
		void *self, int layer, enum quant_point point, const double *x, size_t n);
	void *self;
};

struct reference_input {
	const int32_t *ids;		     /* 0 <= id < vocab_size */
	uint32_t n;			     /* 1..seq_len */
	const struct act_scales *scales;     /* NULL: a scale a token, whatever the
						genome says */
	const struct reference_watch *watch; /* or NULL */
};

enum err reference_run_on(const struct genome *g, const struct task_shape *task,
	const struct tensor_source *weights, const struct reference_input *in,
	const struct reference_output *out, struct err_ctx *ctx);
/* The same with a scale a token. */
enum err reference_run(const struct genome *g, const struct task_shape *task,
	const struct tensor_source *weights, const int32_t *ids, uint32_t n,
	const struct reference_output *out, struct err_ctx *ctx);

/* Largest |device - reference| / (1 + max |reference|), the maximum taken over an output tensor,
 * that a correct device may show. */
double reference_tolerance(const struct genome *g);

#endif
