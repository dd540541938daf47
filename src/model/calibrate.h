/* Static scales of activations, chosen from what a network sees on given inputs.
 *
 * The host's reference runs every input with dynamic scales and counts the magnitudes at
 * each point. A point's scale is the clip / 127 with the least squared error over all that
 * was seen: |x| beyond the clip loses what is cut off, |x| below it a uniform rounding
 * error. That is the largest magnitude where values are spread evenly, and less where a few
 * lie far out. A point that only saw zeros gets 1 / 127.
 */
#ifndef HAWSER_MODEL_CALIBRATE_H
#define HAWSER_MODEL_CALIBRATE_H

#include "src/model/act_scales.h"
#include "src/model/reference.h"

struct calibration_inputs {
	const int32_t *ids; /* `n` sequences one after another */
	const uint32_t *len;
	size_t n; /* at least 1 */
};

enum err calibrate(const struct genome *g, const struct task_shape *task,
	const struct tensor_source *weights, const struct calibration_inputs *in,
	struct act_scales *out, struct err_ctx *ctx);
/* Every point of the network has a scale that is finite and above zero. */
enum err act_scales_check(const struct genome *g, const struct task_shape *task,
	const struct act_scales *s, struct err_ctx *ctx);

/* Magnitudes by exponent and four bits of mantissa. */
#define MAGNITUDE_BINS 4096
struct magnitudes {
	float largest;
	uint32_t n[MAGNITUDE_BINS];
};
void magnitudes_add(struct magnitudes *m, const double *x, size_t n);
/* The scale as told above. */
float magnitudes_scale(const struct magnitudes *m);

#endif
