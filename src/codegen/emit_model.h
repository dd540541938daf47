/* What the files that print model.c share: emit_model.c the tables and the frame,
 * emit_steps.c a call for each step. */
#ifndef HAWSER_CODEGEN_EMIT_MODEL_H
#define HAWSER_CODEGEN_EMIT_MODEL_H

#include "src/codegen/emit.h"

struct printer {
	const struct program *p;
	const struct packed_tensor *at;
	const struct codegen_input *in;
	const struct act_scales *scales; /* of genomes with static ones */
	struct buf *out;
	int split; /* steps are printed for `rows` rows from `first`, one thread's */
	int block; /* so are they, but these are a block's */
};

extern const char *const emit_act_words[N_ACTS]; /* KERNEL_GELU */

static inline unsigned long long data_at(const struct printer *pr, const struct tensor *t)
{
	return (unsigned long long)pr->at[t - pr->p->layout.t].data;
}

static inline const char *name_of(const struct printer *pr, int buffer)
{
	return pr->p->buffer[buffer].name;
}

/* Of what a step's product reads. */
static inline float scale_read(const struct printer *pr, const struct step *s)
{
	return act_scale(pr->scales, s->layer, (enum quant_point)(s->src_point - 1));
}

/* "layer3_wq", or "embed" outside layers. */
void emit_tensor_name(const struct printer *pr, const struct tensor *t);
/* A pointer to fp32 weights, or 0. */
void emit_floats(const struct printer *pr, const struct tensor *t);
/* "layer3_hidden_scale" */
void emit_scale_name(const struct printer *pr, const struct step *s);
/* The call, or calls. */
void emit_step(const struct printer *pr, const struct step *s);

/* Of programs without floating point: emit_integer.c. The last ends an inference: an output's
 * logits to floats, `rows` of them ("": one). */
void emit_integer_tables(const struct printer *pr);
void emit_integer_step(const struct printer *pr, const struct step *s);
void emit_integer_logits(
	const struct printer *pr, const char *field, int buffer, const char *rows);

#endif
