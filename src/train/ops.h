/* The ops of a network and their gradients, on packed sequences.
 *
 * Tensors are [n, width] row-major; sequence s occupies rows start[s]..start[s+1]-1. Backward
 * functions add to weight gradients (dw, dg, db ...) and say of every input gradient
 * whether it is added to or overwritten. Definitions: src/model/graph.h. No memory is
 * allocated here; buffers are the caller's and do not overlap unless said.
 */
#ifndef HAWSER_TRAIN_OPS_H
#define HAWSER_TRAIN_OPS_H

#include "src/model/genome.h"
#include "src/train/real.h"

#define NORM_EPS 1e-5

/* y = xhat g + b. Keeps xhat [n, d] and rstd [n] for the backward pass. b NULL: RMS norm.
 * y may be x. */
void norm_forward(size_t n, size_t d, int rms, const real *x, const real *g, const real *b,
	real *y, real *xhat, real *rstd);

struct norm_grad {
	const real *dy, *xhat, *rstd, *g;
	real *dx; /* may be dy when not added to */
	int add;
	real *dg, *db; /* db NULL: RMS norm */
};
void norm_backward(size_t n, size_t d, int rms, const struct norm_grad *g);

/* Activation of n values; backward: da = dh act'(a), da may be dh. */
void act_forward(enum act act, size_t n, const real *a, real *h);
void act_backward(enum act act, size_t n, const real *a, const real *dh, real *da);

/* Depthwise convolution of k taps; w [d, k]. `taps` is scratch of 2 k d values. */
struct conv_shape {
	size_t n_seq, d, k, now;
	const uint32_t *start;
};
void conv_forward(
	const struct conv_shape *c, const real *u, const real *w, real *y, real *taps);
/* du is overwritten. */
void conv_backward(const struct conv_shape *c, const real *u, const real *w,
	const real *dy, real *du, real *dw, real *taps);

/* Attention of all heads. q, o [n, heads * d_head]; k, v [n, kv_heads * d_head]; rel [heads,
 * 2 radius + 1] or NULL. p keeps the probabilities: per sequence of T tokens, per head
 * [T, T], in order. `scratch`: attention_scratch(longest, d_head) values. */
struct attention_shape {
	size_t n_seq, heads, kv_heads, d_head, radius;
	int causal;
	const uint32_t *start;
};
size_t attention_scratch(size_t longest, size_t d_head);
void attention_forward(const struct attention_shape *s, const real *q, const real *k,
	const real *v, const real *rel, real *p, real *o, real *scratch);
struct attention_grad {
	const real *q, *k, *v, *p, *d_o;
	real *dq, *dk, *dv; /* overwritten */
	real *drel;	    /* NULL without */
};
void attention_backward(
	const struct attention_shape *s, const struct attention_grad *g, real *scratch);

/* Pooled [n_seq, d]; an empty sequence pools to zero. `where` [n_seq, d] keeps the row of
 * the maximum (POOL_MAX only). Backward adds to dx. */
void pool_forward(enum pool pool, size_t n_seq, const uint32_t *start, size_t d,
	const real *x, real *y, uint32_t *where);
void pool_backward(enum pool pool, size_t n_seq, const uint32_t *start, size_t d,
	const real *dy, const uint32_t *where, real *dx);

/* x = table[id] (+ pos); table [vocab, d], pos [seq_len, d] or NULL. */
void embed_forward(size_t n_seq, const uint32_t *start, const int32_t *ids, size_t d,
	const real *table, const real *pos, real *x);
void embed_backward(size_t n_seq, const uint32_t *start, const int32_t *ids, size_t d,
	const real *dx, real *dtable, real *dpos);

/* Softmax cross-entropy of n rows of c logits. On return `logits` holds the
 * probabilities and dlogits scale * (p - target), where target = (1 - soft) onehot(label)
 * + soft * teacher[row]. A row with label < 0 has no loss and no gradient. Returns the sum of
 * the losses of the hard labels (unscaled). */
struct cross_entropy {
	size_t n, c;
	const int32_t *label; /* [n] */
	real scale;
	real smoothing; /* label smoothing: share spread evenly over the classes */
	real soft; /* share of the teacher; rows without one use labels alone */
	const real *const *teacher; /* [n] rows of c probabilities, or NULL */
};
double cross_entropy(const struct cross_entropy *ce, real *logits, real *dlogits);

#endif
