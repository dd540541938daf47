/* One network's forward and backward pass over a packed batch.
 *
 * struct net says where a genome's tensors lie in its flat vector; struct net_run holds the
 * activations of one batch. Weights are borrowed per call, so that several runs share one
 * vector, and gradients are added to a vector of the same layout. One run per thread.
 *
 * Memory: net_run_reserve grows the run's block when a batch needs more, after which forward,
 * loss and backward allocate nothing and cannot fail.
 */
#ifndef HAWSER_TRAIN_NET_H
#define HAWSER_TRAIN_NET_H

#include "src/base/err.h"
#include "src/base/rng.h"
#include "src/model/genome.h"
#include "src/model/weights.h"
#include "src/train/batch.h"
#include "src/train/real.h"

struct net {
	struct genome g;
	struct task_shape task;
	struct layout *layout; /* owned */
	size_t n_floats;
	/* Offset of a tensor in the flat vector, sharing resolved; NET_ABSENT without.
	 * Tensors outside layers are in top. */
	size_t top[N_TENSOR_KINDS];
	size_t layer[GENOME_MAX_LAYERS][N_TENSOR_KINDS];
};
#define NET_ABSENT SIZE_MAX

enum err net_init(struct net *net, const struct genome *g, const struct task_shape *task,
	struct err_ctx *ctx);
void net_release(struct net *net);

/* The tensor in a flat vector; layer -1 for those outside layers; NULL when absent. */
static inline const real *net_weight(
	const struct net *net, const real *w, enum tensor_kind kind, int layer)
{
	size_t at = layer < 0 ? net->top[kind] : net->layer[layer][kind];

	return at == NET_ABSENT ? NULL : w + at;
}

static inline real *net_grad(const struct net *net, real *w, enum tensor_kind kind, int layer)
{
	size_t at = layer < 0 ? net->top[kind] : net->layer[layer][kind];

	return at == NET_ABSENT ? NULL : w + at;
}

/* What a layer keeps for its backward pass; widths as in graph.h. */
struct layer_acts {
	real *in;		/* [n, d] into the convolution, or straight into wq, wk, wv */
	real *xhat1, *rstd1;	/* norm 1 */
	real *conv;		/* [n, d] its output; == in without a convolution */
	real *q, *k, *v, *p, *o;
	uint8_t *keep1;		/* dropout after attention: [n, d] */
	real *ffn_in;		/* [n, d] */
	real *xhat2, *rstd2;
	real *low1, *low2;	/* [n, ffn_rank] */
	real *pre, *act;	/* [n, d_ff] around the activation */
	uint8_t *keep2;
};

struct net_run {
	/* Outputs. After net_loss the logits hold probabilities. */
	real *intent;	/* [n_seq, n_intents] logits */
	real *tags;	/* [n_words, n_tags] */
	real *lm;	/* [n_tok, vocab] */
	/* Their gradients, written by net_loss. */
	real *d_intent, *d_tags, *d_lm;
	/* Private from here on. */
	const struct net *net;
	const struct batch *batch;
	char *block; /* the memory of everything below and above */
	size_t cap, used;
	int counting; /* laying out without a block, to learn the size */
	int backward;
	struct layer_acts acts[GENOME_MAX_LAYERS];
	real *embed;	      /* [n, d_embed] */
	uint8_t *keep0;
	real *xhat0, *rstd0, *xhatf, *rstdf;
	real *x;	      /* [n, d] the residual stream */
	real *pooled;	      /* [n_seq, d] */
	uint32_t *where;      /* [n_seq, d] */
	real *words;	      /* [n_words, d] rows of x that tags read */
	real *thin;	      /* [n, d_embed] x proj of a factorised language model */
	real *dx, *dt, *du, *dn; /* [n, d] */
	real *dq, *dk, *dv, *d_o, *dff, *dlow, *dthin;
	real *scratch;
	const real **teacher;
	float drop; /* dropout in use */
};

void net_run_init(struct net_run *run);
void net_run_release(struct net_run *run);
/* Prepares for a batch of this network; both are borrowed until the next reserve. */
enum err net_run_reserve(struct net_run *run, const struct net *net, const struct batch *b,
	int backward, struct err_ctx *ctx);

/* `rng` drives dropout and is advanced; NULL or drop == 0: none. */
void net_forward(struct net_run *run, const real *w, float drop, struct rng *rng);

/* The loss of a batch, and its gradient by the logits. */
struct net_loss {
	real intent_scale; /* 1 / sequences of the whole step */
	real tag_scale;	   /* slot weight / words of the whole step */
	real lm_scale;	   /* 1 / predicted tokens of the whole step */
	real smoothing;
	/* The run of a larger network over the same sequences, after its own net_loss, and the
	 * share of its probabilities in the target; NULL: labels only. */
	const struct net_run *teacher;
	real soft;
	/* Out: sums of cross-entropies against the labels, unscaled. */
	double intent_sum, tag_sum, lm_sum;
};
void net_loss(struct net_run *run, struct net_loss *loss);

/* Adds the gradient of the loss to grad (net->n_floats), after net_loss. */
void net_backward(struct net_run *run, const real *w, real *grad);

#endif
