/* The gradient of net_forward, in the reverse order. run->dx is the gradient of the
 * residual stream; run->dt and run->du are what flows into a block and comes out of it.
 */
#include <string.h>

#include "src/train/net.h"
#include "src/train/ops.h"

#include "src/train/hot.h"

struct pass {
	struct net_run *run;
	const real *w;
	real *grad;
	size_t n, d;
	int rms, post;
};

static const real *weight(const struct pass *p, enum tensor_kind kind, int layer)
{
	return net_weight(p->run->net, p->w, kind, layer);
}

static real *grad(const struct pass *p, enum tensor_kind kind, int layer)
{
	return net_grad(p->run->net, p->grad, kind, layer);
}

HOT static void add_to(size_t n, const real *x, real *y)
{
	for (size_t i = 0; i < n; i++)
		y[i] += x[i];
}

HOT static void keep_backward(
	size_t n, float drop, const uint8_t *keep, const real *dy, real *dx)
{
	real scale = 1 / (1 - (real)drop);

	if (drop <= 0)
		memcpy(dx, dy, n * sizeof *dx);
	else
		for (size_t i = 0; i < n; i++)
			dx[i] = dy[i] * (keep[i] ? scale : 0);
}

/* x [n, in] -> [n, out]; dx overwritten or added to, may be NULL. */
struct linear {
	enum tensor_kind weight, bias; /* bias N_TENSOR_KINDS: none */
	int layer;
	size_t in, out;
};

static void linear(const struct pass *p, const struct linear *f, const real *x,
	const real *dy, real *dx, int add)
{
	struct linear_grad g = {x, weight(p, f->weight, f->layer), dy, dx, add,
		grad(p, f->weight, f->layer),
		f->bias == N_TENSOR_KINDS ? NULL : grad(p, f->bias, f->layer)};

	linear_backward(p->n, f->in, f->out, &g);
}

static void norm(const struct pass *p, enum tensor_kind gain, int layer, const real *xhat,
	const real *rstd, const real *dy, real *dx, int add)
{
	struct norm_grad g = {dy, xhat, rstd, weight(p, gain, layer), dx, add,
		grad(p, gain, layer), grad(p, (enum tensor_kind)(gain + 1), layer)};

	norm_backward(p->n, p->d, p->rms, &g);
}

static void feed_forward(const struct pass *p, int l)
{
	struct net_run *run = p->run;
	const struct layer_genes *lg = &run->net->g.layer[l];
	struct layer_acts *a = &run->acts[l];
	size_t n = p->n, d = p->d, f = lg->d_ff, r = lg->ffn_rank;

	if (p->post)
		norm(p, T_NORM2_G, l, a->xhat2, a->rstd2, run->dx, run->dx, 0);
	keep_backward(n * d, run->drop, a->keep2, run->dx, run->dt);
	if (r) {
		struct linear out = {T_W2_OUT, T_B2, l, r, d},
			      in = {T_W2_IN, N_TENSOR_KINDS, l, f, r};

		linear(p, &out, a->low2, run->dt, run->dlow, 0);
		linear(p, &in, a->act, run->dlow, run->dff, 0);
	} else {
		struct linear w2 = {T_W2, T_B2, l, f, d};

		linear(p, &w2, a->act, run->dt, run->dff, 0);
	}
	act_backward((enum act)run->net->g.act, n * f, a->pre, run->dff, run->dff);
	if (r) {
		struct linear out = {T_W1_OUT, T_B1, l, r, f},
			      in = {T_W1_IN, N_TENSOR_KINDS, l, d, r};

		linear(p, &out, a->low1, run->dff, run->dlow, 0);
		linear(p, &in, a->ffn_in, run->dlow, run->du, 0);
	} else {
		struct linear w1 = {T_W1, T_B1, l, d, f};

		linear(p, &w1, a->ffn_in, run->dff, run->du, 0);
	}
	if (p->post)
		add_to(n * d, run->du, run->dx);
	else
		norm(p, T_NORM2_G, l, a->xhat2, a->rstd2, run->du, run->dx, 1);
}

static void heads_of_layer(const struct pass *p, int l)
{
	struct net_run *run = p->run;
	const struct genome *g = &run->net->g;
	const struct layer_genes *lg = &g->layer[l];
	struct layer_acts *a = &run->acts[l];
	struct attention_shape shape = {run->batch->n_seq, lg->n_heads, lg->n_kv_heads,
		lg->d_head, g->rel_radius, g->arch == ARCH_DECODER, run->batch->start};
	struct attention_grad ag = {a->q, a->k, a->v, a->p, run->d_o, run->dq, run->dk,
		run->dv, grad(p, T_REL, l)};
	size_t d = p->d, wide = (size_t)lg->n_heads * lg->d_head;
	size_t kv = (size_t)lg->n_kv_heads * lg->d_head;
	struct linear wo = {T_WO, T_BO, l, wide, d}, wq = {T_WQ, T_BQ, l, d, wide};
	struct linear wk = {T_WK, T_BK, l, d, kv}, wv = {T_WV, T_BV, l, d, kv};

	linear(p, &wo, a->o, run->dt, run->d_o, 0);
	attention_backward(&shape, &ag, run->scratch);
	linear(p, &wq, a->conv, run->dq, run->du, 0);
	linear(p, &wk, a->conv, run->dk, run->du, 1);
	linear(p, &wv, a->conv, run->dv, run->du, 1);
}

static void attention(const struct pass *p, int l)
{
	struct net_run *run = p->run;
	const struct genome *g = &run->net->g;
	struct layer_acts *a = &run->acts[l];
	size_t n = p->n, d = p->d;
	real *du = run->du;

	if (p->post)
		norm(p, T_NORM1_G, l, a->xhat1, a->rstd1, run->dx, run->dx, 0);
	keep_backward(n * d, run->drop, a->keep1, run->dx, run->dt);
	heads_of_layer(p, l);
	if (g->conv) {
		struct conv_shape c = {run->batch->n_seq, d, g->conv,
			g->arch == ARCH_DECODER ? g->conv - 1u : g->conv / 2u,
			run->batch->start};

		conv_backward(&c, a->in, weight(p, T_CONV, l), run->du, run->dn,
			grad(p, T_CONV, l), run->scratch);
		du = run->dn;
	}
	if (p->post)
		add_to(n * d, du, run->dx);
	else
		norm(p, T_NORM1_G, l, a->xhat1, a->rstd1, du, run->dx, 1);
}

static void lm_head(const struct pass *p)
{
	struct net_run *run = p->run;
	size_t e = run->net->g.d_embed, vocab = run->net->g.vocab_size;
	struct linear table = {T_EMBED, N_TENSOR_KINDS, -1, e, vocab};
	const real *proj = weight(p, T_PROJ, -1);

	if (!proj) {
		linear(p, &table, run->x, run->d_lm, run->dx, 0);
		return;
	}
	linear(p, &table, run->thin, run->d_lm, run->dthin, 0);
	/* thin = x proj: dx = dthin proj^T; dproj += x^T dthin */
	linear_forward(p->n, e, p->d, run->dthin, proj, NULL, run->dx);
	struct linear_grad g = {
		run->dthin, NULL, run->x, NULL, 0, grad(p, T_PROJ, -1), NULL};

	linear_backward(p->n, e, p->d, &g);
}

static void label_heads(const struct pass *p)
{
	struct net_run *run = p->run;
	const struct net *net = run->net;
	const struct batch *b = run->batch;
	size_t d = p->d;
	struct linear_grad g = {run->pooled, NULL, run->d_intent, NULL, 0,
		grad(p, T_INTENT_W, -1), grad(p, T_INTENT_B, -1)};
	struct linear_grad back = {NULL, weight(p, T_INTENT_W, -1), run->d_intent,
		run->pooled, 0, NULL, NULL};

	memset(run->dx, 0, p->n * d * sizeof(real));
	linear_backward(b->n_seq, d, (size_t)net->task.n_intents, &g);
	linear_backward(b->n_seq, d, (size_t)net->task.n_intents, &back);
	pool_backward((enum pool)net->g.pool, b->n_seq, b->start, d, run->pooled,
		run->where, run->dx);
	if (net->task.kind != TASK_INTENT_SLOTS)
		return;
	struct linear_grad t = {run->words, weight(p, T_TAG_W, -1), run->d_tags, run->dt,
		0, grad(p, T_TAG_W, -1), grad(p, T_TAG_B, -1)};

	linear_backward(b->n_words, d, (size_t)net->task.n_tags, &t);
	for (uint32_t i = 0; i < b->n_words; i++)
		for (size_t j = 0; j < d; j++)
			run->dx[b->word_tok[i] * d + j] += run->dt[i * d + j];
}

static void embedding(const struct pass *p)
{
	struct net_run *run = p->run;
	const struct batch *b = run->batch;
	size_t e = run->net->g.d_embed;
	real *dx = run->dx;

	keep_backward(p->n * p->d, run->drop, run->keep0, run->dx, run->dt);
	if (p->post)
		norm(p, T_NORM0_G, -1, run->xhat0, run->rstd0, run->dt, run->dt, 0);
	dx = run->dt;
	if (weight(p, T_PROJ, -1)) {
		struct linear proj = {T_PROJ, N_TENSOR_KINDS, -1, e, p->d};

		linear(p, &proj, run->embed, run->dt, run->dthin, 0);
		dx = run->dthin;
	}
	embed_backward(b->n_seq, b->start, b->ids, e, dx, grad(p, T_EMBED, -1),
		grad(p, T_POS, -1));
}

void net_backward(struct net_run *run, const real *w, real *g)
{
	const struct genome *ge = &run->net->g;
	struct pass p = {run, w, g, run->batch->n_tok, ge->d_model, ge->norm == NORM_RMS,
		ge->norm_place == NORM_POST};

	if (run->net->task.kind == TASK_LM)
		lm_head(&p);
	else
		label_heads(&p);
	if (!p.post)
		norm(&p, T_NORMF_G, -1, run->xhatf, run->rstdf, run->dx, run->dx, 0);
	for (int l = ge->n_layers - 1; l >= 0; l--) {
		feed_forward(&p, l);
		attention(&p, l);
	}
	embedding(&p);
}
