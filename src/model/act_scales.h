/* Where a network quantises activations for a product, and the static scales of those
 * points: s > 0, q = clamp(round half away (x * (1 / s)), -127, 127), 1 / s in fp32.
 *
 * A point belongs to what is quantised, not to a product: q, k and v read one. Layers that
 * share weights have points of their own. What attention quantises itself (attn_int8, kept
 * keys and values) keeps scales of its own and is no point.
 */
#ifndef HAWSER_MODEL_ACT_SCALES_H
#define HAWSER_MODEL_ACT_SCALES_H

#include "src/model/genome.h"
#include "src/model/weights.h"

enum quant_point {
	QP_PROJ,   /* embedding, before proj */
	QP_POOLED, /* before intent_w */
	QP_TAGS,   /* before tag_w */
	QP_LM,	   /* before the tied embedding */
	/* in layers */
	QP_ATTN_IN,
	QP_ATTN_OUT,	/* before wo */
	QP_FFN_IN,	/* before w1, w1_in */
	QP_FFN_THIN,	/* before w1_out */
	QP_HIDDEN,	/* after the activation */
	QP_HIDDEN_THIN, /* before w2_out */
	N_QUANT_POINTS
};

extern const char *const quant_point_names[N_QUANT_POINTS]; /* "proj" "pooled" ... */

struct act_scales {
	float of[GENOME_MAX_LAYERS + 1]
		[N_QUANT_POINTS]; /* [layer + 1]; 0: no such point */
};

/* The point that a product with this matrix reads; N_QUANT_POINTS: no product's. */
enum quant_point quant_point_of(enum tensor_kind weight);
float act_scale(const struct act_scales *s, int layer, enum quant_point point);

#endif
