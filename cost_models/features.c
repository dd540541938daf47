#include "cost_models/features.h"

#include <assert.h>

enum feature {
	F_MACS,
	F_DEPTH,
	F_MACS_32,
	F_MACS_8,
	F_MACS_4,
	F_MACS_ATTENTION,
	F_MACS_ATTENTION_I8,
	F_MACS_O3,
	F_MACS_OS,
	F_MACS_OPT,
	F_WEIGHT_BYTES,
	F_MODEL_BYTES,
	F_EMBED_BYTES,
	F_N_NORM,
	F_N_RMS,
	F_N_ACT,
	F_N_GELU,
	F_N_SILU,
	F_N_SOFTMAX,
	F_N_QUANT,
	F_N_STATIC,
	F_N_CONV,
	F_N_OPS,
	F_N_OUT,
	F_N_HEADS,
	F_TOKENS_D_MODEL,
	F_SEQ_D_MODEL,
	F_SEQ_D_FF,
	F_SEQ_D_ATTN,
	F_SEQ_SCORES,
	F_KV_BYTES,
	N_FEATURES
};

static const char *const names[N_FEATURES] = {
	[F_MACS] = "macs",
	[F_DEPTH] = "depth",
	[F_MACS_32] = "macs_32",
	[F_MACS_8] = "macs_8",
	[F_MACS_4] = "macs_4",
	[F_MACS_ATTENTION] = "macs_attention",
	[F_MACS_ATTENTION_I8] = "macs_attention_i8",
	[F_MACS_O3] = "macs_o3",
	[F_MACS_OS] = "macs_os",
	[F_MACS_OPT] = "macs_opt",
	[F_WEIGHT_BYTES] = "weight_bytes",
	[F_MODEL_BYTES] = "model_bytes",
	[F_EMBED_BYTES] = "embed_bytes",
	[F_N_NORM] = "n_norm",
	[F_N_RMS] = "n_rms",
	[F_N_ACT] = "n_act",
	[F_N_GELU] = "n_gelu",
	[F_N_SILU] = "n_silu",
	[F_N_SOFTMAX] = "n_softmax",
	[F_N_QUANT] = "n_quant",
	[F_N_STATIC] = "n_static",
	[F_N_CONV] = "n_conv",
	[F_N_OPS] = "n_ops",
	[F_N_OUT] = "n_out",
	[F_N_HEADS] = "n_heads",
	[F_TOKENS_D_MODEL] = "tokens_d_model",
	[F_SEQ_D_MODEL] = "seq_d_model",
	[F_SEQ_D_FF] = "seq_d_ff",
	[F_SEQ_D_ATTN] = "seq_d_attn",
	[F_SEQ_SCORES] = "seq_scores",
	[F_KV_BYTES] = "kv_bytes",
};

_Static_assert(
	(int)N_FEATURES <= COST_FEATURES_MAX, "more features than callers have room for");

size_t cost_features_count(void)
{
	return N_FEATURES;
}

const char *cost_features_name(size_t i)
{
	assert(i < N_FEATURES);
	return names[i];
}

/* What the layers' shapes say: outputs written by linear ops, heads, and the widest
 * tensors, which decide the working memory. */
static void layer_features(const struct genome *g, double n_tokens, double *x)
{
	double seq = g->seq_len;

	for (size_t i = 0; i < g->n_layers; i++) {
		const struct layer_genes *l = &g->layer[i];
		double q = (double)l->n_heads * l->d_head,
		       kv = (double)l->n_kv_heads * l->d_head;
		double attn = seq * (q + 2 * kv), scores = seq * seq * l->n_heads;

		x[F_N_OUT] += n_tokens * (q + 2 * kv + 2.0 * g->d_model + l->d_ff +
						 2.0 * l->ffn_rank);
		x[F_N_HEADS] += l->n_heads;
		if (seq * l->d_ff > x[F_SEQ_D_FF])
			x[F_SEQ_D_FF] = seq * l->d_ff;
		if (attn > x[F_SEQ_D_ATTN])
			x[F_SEQ_D_ATTN] = attn;
		if (scores > x[F_SEQ_SCORES])
			x[F_SEQ_SCORES] = scores;
		if (g->arch == ARCH_DECODER)
			x[F_KV_BYTES] += seq * 2 *
					 (kv * g->kv / 8.0 +
						 (g->kv == 8 ? 4.0 * l->n_kv_heads : 0));
	}
}

void cost_features(const struct genome *g, const struct task_shape *task,
	uint32_t n_tokens, double *x)
{
	struct graph_cost c;

	graph_cost(g, task, n_tokens, &c);
	for (size_t i = 0; i < N_FEATURES; i++)
		x[i] = 0;
	x[F_MACS] = c.macs;
	x[F_DEPTH] = g->n_layers;
	x[F_MACS_32] = c.macs_bits[0];
	x[F_MACS_8] = c.macs_bits[1];
	x[F_MACS_4] = c.macs_bits[2];
	x[F_MACS_ATTENTION] = c.macs_attention;
	x[F_MACS_ATTENTION_I8] = c.macs_attention_i8;
	x[F_MACS_O3] = g->opt == OPT_O3 ? c.macs : 0;
	x[F_MACS_OS] = g->opt == OPT_OS ? c.macs : 0;
	x[F_MACS_OPT] = g->kernels == KERNELS_OPT ? c.macs : 0;
	x[F_WEIGHT_BYTES] = c.weight_bytes;
	x[F_MODEL_BYTES] = c.model_bytes;
	x[F_EMBED_BYTES] = (double)g->vocab_size * g->d_embed * g->embed_bits / 8;
	x[F_N_NORM] = c.n_norm;
	x[F_N_RMS] = g->norm == NORM_RMS ? c.n_norm : 0;
	x[F_N_ACT] = c.n_act;
	x[F_N_GELU] = g->act == ACT_GELU ? c.n_act : 0;
	x[F_N_SILU] = g->act == ACT_SILU ? c.n_act : 0;
	x[F_N_SOFTMAX] = c.n_softmax;
	x[F_N_QUANT] = c.n_quant;
	x[F_N_STATIC] = g->act_scales ? c.n_quant : 0;
	x[F_N_CONV] = c.n_conv;
	x[F_N_OPS] = c.n_ops;
	x[F_TOKENS_D_MODEL] = (double)n_tokens * g->d_model;
	x[F_SEQ_D_MODEL] = (double)g->seq_len * g->d_model;
	layer_features(g, n_tokens, x);
}
