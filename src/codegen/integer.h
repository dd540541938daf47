/* Programs without floating point: what their steps call, with which numbers. The printer
 * of the generated C and the host's model of it both take them from here.
 */
#ifndef HAWSER_CODEGEN_INTEGER_H
#define HAWSER_CODEGEN_INTEGER_H

#include "src/codegen/pack.h"
#include "src/codegen/program.h"
#include "src/infer/integer/integer.h"
#include "src/model/act_scales.h"

/* The kernel that a step calls: "int_linear_i8". */
const char *integer_kernel(const struct program *p, const struct step *s);
/* The table of the network's activation: "int_gelu", and itself. */
const char *integer_act_name(const struct program *p);
const struct int_act *integer_act(const struct program *p);

/* A float above zero, exactly. */
struct int_factor integer_factor(float x);
/* 1 / the scale of what the step leaves in q, or 0. */
struct int_factor integer_inverse(const struct step *s, const struct act_scales *scales);
/* The scale of what the step's product reads, or 0. */
struct int_factor integer_read(const struct step *s, const struct act_scales *scales);
/* 1 / sqrt(d_head) as struct int_attention has it. */
int32_t integer_attention_scale(uint32_t d_head);

/* The host's model of the generated program: the same kernels, called in the same order on
 * the same bytes of weights, so that a device has to answer bit for bit as it does. */
struct integer_model;

/* Packs the weights into memory; freed by integer_model_free. All is borrowed. */
enum err integer_model_new(struct integer_model **out, const struct program *p,
	const struct tensor_source *weights, const struct act_scales *scales,
	struct err_ctx *ctx);
void integer_model_free(struct integer_model *m); /* NULL is allowed */
/* Answers an input of 1 .. seq_len tokens from a fresh state. The logits stay until the
 * next call; what the task has not is NULL. */
struct integer_output {
	const float *intent, *tags, *lm; /* as in src/infer/model_api.h */
};
void integer_model_run(struct integer_model *m, const int32_t *ids, uint32_t n,
	struct integer_output *out);

#endif
