/* The trainable tensors of a network, and how a sub-network's tensors lie in a larger
 * one.
 *
 * One flat fp32 vector; tensors follow each other in the order of the layout. Matrices
 * are [out, in] row-major. A supernet is a layout of the largest network of a space (it
 * may hold both full and factorised FFN matrices and both kinds of embedding); a
 * sub-network's tensor is a prefix of the supernet's along every axis (head h of a
 * narrower head width lies at row h * d_head_max). `weights_map` gives that
 * correspondence, so training works on a compact copy and gradients are added back.
 */
#ifndef HAWSER_MODEL_WEIGHTS_H
#define HAWSER_MODEL_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/err.h"
#include "src/model/genome.h"
#include "src/model/task.h"

enum tensor_kind {
	T_EMBED,   /* [vocab_size, d_embed] */
	T_POS,	   /* [seq_len, d_embed], when abs_pos */
	T_PROJ,	   /* [d_model, d_embed], when d_embed < d_model */
	T_NORM0_G, /* [d_model] post-norm: after the embedding */
	T_NORM0_B, /* [d_model] not for NORM_RMS */
	/* per layer; absent where the layer shares the one before it */
	T_NORM1_G, /* [d_model] before (pre) or after (post) attention */
	T_NORM1_B, /* not for NORM_RMS */
	T_CONV, /* [d_model, conv]; tap conv/2 (encoder) or conv-1 (decoder) is "now" */
	T_WQ,	/* [n_heads * d_head, d_model] */
	T_BQ,	/* [n_heads * d_head] */
	T_WK,	/* [n_kv_heads * d_head, d_model] */
	T_BK,
	T_WV,
	T_BV,
	T_WO,	   /* [d_model, n_heads * d_head] */
	T_BO,	   /* [d_model] */
	T_REL,	   /* [n_heads, 2 * rel_radius + 1] */
	T_NORM2_G, /* [d_model] around the FFN */
	T_NORM2_B,
	T_W1,	  /* [d_ff, d_model]          ffn_rank == 0 */
	T_W1_IN,  /* [ffn_rank, d_model]      ffn_rank > 0: W1 = W1_OUT W1_IN */
	T_W1_OUT, /* [d_ff, ffn_rank] */
	T_B1,	  /* [d_ff] */
	T_W2,	  /* [d_model, d_ff]          ffn_rank == 0 */
	T_W2_IN,  /* [ffn_rank, d_ff]         ffn_rank > 0: W2 = W2_OUT W2_IN */
	T_W2_OUT, /* [d_model, ffn_rank] */
	T_B2,	  /* [d_model] */
	/* heads */
	T_NORMF_G, /* [d_model] pre-norm: before the heads */
	T_NORMF_B,
	T_INTENT_W, /* [n_intents, d_model] */
	T_INTENT_B, /* [n_intents] */
	T_TAG_W,    /* [n_tags, d_model] */
	T_TAG_B,    /* [n_tags] */
	N_TENSOR_KINDS
};

extern const char *const tensor_names[N_TENSOR_KINDS]; /* "embed" "wq" ... */

struct tensor {
	uint8_t kind; /* enum tensor_kind */
	uint8_t bits; /* storage on the device: 32, 8 or 4 (biases, norms: always 32) */
	uint8_t is_head_rows; /* rows are heads x d_head (wq, bq, wk, bk, wv, bv) */
	uint8_t is_head_cols; /* columns are heads x d_head (wo) */
	int16_t layer;	      /* owner's index; -1 outside layers */
	uint16_t d_head;      /* of that layer, for the two flags above */
	uint16_t col_zero;   /* column of distance 0 (conv: "now", rel: j == i); else 0 */
	uint32_t rows, cols; /* a vector has cols == 1 */
	size_t offset;	     /* in floats, from the start of the flat vector */
};

#define LAYOUT_MAX_TENSORS (16 + 24 * GENOME_MAX_LAYERS)

struct layout {
	size_t n_tensors;
	size_t n_floats; /* length of the flat vector */
	/* index of (kind, owner layer) or -1; layer -1 is stored at [kind][0] */
	int16_t index[N_TENSOR_KINDS][GENOME_MAX_LAYERS];
	struct tensor t[LAYOUT_MAX_TENSORS];
};

/* The layout of one network. Large (tens of KB): keep it on the heap. */
void layout_init(struct layout *l, const struct genome *g, const struct task_shape *task);
/* The layout that holds every network between the given ones: per axis the largest
 * size, and the union of the optional tensors. `all` has n >= 1 genomes of one arch and
 * norm. Sharing is ignored: every layer owns tensors. */
void layout_init_super(struct layout *l, const struct genome *all, size_t n,
	const struct task_shape *task);
/* The tensor that layer `layer` of `g` uses: resolves sharing. layer -1 for the others.
 * NULL when the network has no such tensor. */
const struct tensor *layout_find(
	const struct layout *l, const struct genome *g, enum tensor_kind kind, int layer);

/* For each float of `sub` the index of the float of `super` it corresponds to.
 * `map` has sub->n_floats entries. ERR_INVALID when some tensor is missing or smaller. */
enum err weights_map(const struct layout *sub, const struct layout *super, uint32_t *map,
	struct err_ctx *ctx);

/* Fills `w` (l->n_floats): normal with sd 1/sqrt(cols) for matrices, sd 0.02..1/sqrt(d)
 * for embeddings, gains 1, biases 0, conv = identity, rel = 0. Deterministic in `seed`,
 * per tensor, so that tensors can be made one at a time. */
void weights_init(const struct layout *l, uint64_t seed, float *w);
void weights_init_tensor(const struct tensor *t, uint64_t seed, float *w);

#endif
