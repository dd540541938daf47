/* What a network computes, as a list of ops: the one definition that training, the host's
 * reference, the code generator and the cost models share.
 *
 * Notation: n = tokens of this input (1..seq_len), tensors [n, width] row-major.
 *
 *   x = embed[id]                                   [n, d_embed]
 *   x += pos[0..n)                                  if abs_pos
 *   x = x proj^T                                    if d_embed < d_model
 *   x = norm0(x)                                    if norm_place == post
 *   layer, pre-norm:   u = norm1(x); u = conv(u); x += attn(u)
 *                      x += ffn(norm2(x))
 *   layer, post-norm:  x = norm1(x + attn(conv(x)))
 *                      x = norm2(x + ffn(x))
 *   x = normf(x)                                    if norm_place == pre
 *
 *   conv(u)[t,c] = sum_j conv[c,j] u[t + j - now, c], zero outside the input;
 *                  now = conv/2 in an encoder, conv - 1 in a decoder (never looks ahead)
 *   attn(u):       q = u wq^T + bq, k, v alike; query head h reads kv head
 *                  h / (n_heads / n_kv_heads);
 *                  s[h,i,j] = q_hi . k_j / sqrt(d_head)
 *                             + rel[h, clip(j - i) + rel_radius];
 *                  j <= i in a decoder; p = softmax_j s; o = p v; result = o wo^T + bo
 *   ffn(u):        act(u w1^T + b1) w2^T + b2; w1, w2 as two thin products each if
 *                  ffn_rank > 0, nothing between them
 *   norm:          ln: (x - mean) / sqrt(var + 1e-5) * g + b;
 *                  rms: x / sqrt(ms + 1e-5) * g
 *   act:           relu; gelu (exact, erf); silu
 *   heads:         intent = pool(x) intent_w^T + intent_b    [n_intents]
 *                  tags   = x tag_w^T + tag_b                [n, n_tags]
 *                  lm     = (x proj) embed^T                 [vocab] per position
 *                  (x proj only if factorised: proj read by columns; its weights are
 *                  dequantised and the product is fp32, as their scales lie along
 *                  the summed axis)
 *
 * Quantised linear ops: weights as in src/model/quant.h, the op's input quantised per
 * token to int8 (bits 8 and 4), products summed in integers, then
 * y = (sum q_a q_w) * s_a * s_w + bias (per group for int4). act_scales == static: s_a is
 * not the token's own but one number for each point of src/model/act_scales.h, and what
 * lies beyond 127 s_a saturates. Embedding rows are
 * dequantised on look-up. Norm, softmax, activation, conv, residual are fp32. The pooled
 * vector counts as one token.
 *
 * act_scales == integer: as static, and what is fp32 above is fixed, in units of 2^-16 (see
 * src/infer/integer/integer.h): each value within about a unit of what it would be.
 *
 * attn_int8: with one scale max|.| / 127 for each head's q, k and v over all n tokens and
 * integers rounded half to even, s[h,i,j] = (sum q_q q_k) s_q s_k / sqrt(d_head) + rel;
 * u[j] = exp(s[j] - max s) * 255 rounded to an integer; o = (sum u q_v) s_v / sum u.
 *
 * A decoder's keys and values are kept as the gene `kv` says: fp32; fp16; or int8 with a
 * scale a token and kv head, as activations are quantised. Every sum over j reads what
 * was kept, also of the newest tokens.
 *
 * A decoder works on n new tokens after n_past cached ones (keys, values and the last
 * conv - 1 inputs of each convolution are kept); sums over j then run over
 * both.
 */
#ifndef HAWSER_MODEL_GRAPH_H
#define HAWSER_MODEL_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "src/model/genome.h"
#include "src/model/task.h"
#include "src/model/weights.h"

enum op_kind {
	OP_EMBED,     /* look-up (+ positions) */
	OP_LINEAR,    /* [n, in] -> [n, out] */
	OP_NORM,      /* [n, in] */
	OP_CONV,      /* [n, in], depthwise */
	OP_ATTENTION, /* scores, softmax, mix: all heads */
	OP_ACT,	      /* [n, in] */
	OP_ADD,	      /* residual [n, in] */
	OP_POOL,      /* [n, in] -> [in] */
	N_OP_KINDS
};

extern const char *const op_names[N_OP_KINDS];

struct op {
	uint8_t kind;  /* enum op_kind */
	uint8_t bits;  /* of the weights: 32, 8, 4 */
	int16_t layer; /* -1 outside layers */
	/* enum tensor_kind of the matrix (OP_LINEAR, OP_EMBED, OP_CONV, OP_NORM) */
	uint8_t weight;
	uint8_t bias; /* enum tensor_kind, or N_TENSOR_KINDS for none */
	uint8_t once; /* 1: runs on the pooled vector or last token only, not per token */
	/* widths per token; OP_ATTENTION: in = n_kv * d_head, out = n_heads * d_head */
	uint32_t in, out;
};

#define GRAPH_MAX_OPS (16 + 20 * GENOME_MAX_LAYERS)

struct graph {
	size_t n_ops;
	struct op op[GRAPH_MAX_OPS];
};

/* In execution order. Ops are logical: a code generator may fuse them. */
void graph_init(struct graph *gr, const struct genome *g, const struct task_shape *task);

/* Work of one run on n tokens (decoder: prefill of n tokens from an empty cache). */
struct graph_cost {
	double macs;	       /* all multiply-adds of linear, conv and attention ops */
	double macs_bits[3];   /* of linear ops, by weight bits: 32, 8, 4 */
	double macs_attention; /* in fp32 */
	double macs_attention_i8;
	/* read once a run: matrices, scales, vectors (not unused embedding rows) */
	double weight_bytes;
	double n_norm;	  /* elements normalised */
	double n_act;	  /* elements through the activation */
	double n_softmax; /* scores exponentiated */
	double n_quant;	  /* activations quantised */
	double n_conv;	  /* multiply-adds of convolutions */
	double n_ops;	  /* ops dispatched */
	double n_params;  /* stored parameters, sharing counted once */
	/* stored size: quantised weights and scales, vectors; no vocabulary */
	double model_bytes;
};

void graph_cost(const struct genome *g, const struct task_shape *task, uint32_t n_tokens,
	struct graph_cost *out);

#endif
