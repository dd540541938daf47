#include "src/train/net.h"

#include <stdlib.h>
#include <string.h>

#include "src/train/ops.h"

static size_t offset_of(const struct net *net, enum tensor_kind kind, int layer)
{
	const struct tensor *t = layout_find(net->layout, &net->g, kind, layer);

	return t ? t->offset : NET_ABSENT;
}

enum err net_init(struct net *net, const struct genome *g, const struct task_shape *task,
	struct err_ctx *ctx)
{
	memset(net, 0, sizeof(*net));
	if (g->n_layers > GENOME_MAX_LAYERS)
		return err_set(ctx, ERR_INVALID, "%d layers, more than %d", g->n_layers,
			GENOME_MAX_LAYERS);
	net->layout = malloc(sizeof(*net->layout));
	if (!net->layout)
		return err_set(ctx, ERR_NOMEM, "out of memory for a layout");
	net->g = *g;
	net->task = *task;
	layout_init(net->layout, g, task);
	net->n_floats = net->layout->n_floats;
	for (int k = 0; k < N_TENSOR_KINDS; k++) {
		int inner = k >= T_NORM1_G && k <= T_B2;

		net->top[k] =
			inner ? NET_ABSENT : offset_of(net, (enum tensor_kind)k, -1);
		for (int l = 0; l < g->n_layers; l++)
			net->layer[l][k] = inner ? offset_of(net, (enum tensor_kind)k, l)
						 : NET_ABSENT;
	}
	return ERR_OK;
}

void net_release(struct net *net)
{
	free(net->layout);
	net->layout = NULL;
}

void net_run_init(struct net_run *run)
{
	memset(run, 0, sizeof(*run));
}

void net_run_release(struct net_run *run)
{
	free(run->block);
	net_run_init(run);
}

/* Room for n items of `size` bytes; NULL while counting. Blocks are 64-byte aligned. */
static void *take(struct net_run *run, size_t n, size_t size)
{
	void *p = run->counting ? NULL : run->block + run->used;

	run->used += (n * size + 63) & ~(size_t)63;
	return p;
}

static real *take_reals(struct net_run *run, size_t n)
{
	return take(run, n, sizeof(real));
}

static void plan_layer(struct net_run *run, int l)
{
	const struct layer_genes *lg = &run->net->g.layer[l];
	struct layer_acts *a = &run->acts[l];
	size_t n = run->batch->n_tok, d = run->net->g.d_model;
	size_t wide = (size_t)lg->n_heads * lg->d_head,
	       kv = (size_t)lg->n_kv_heads * lg->d_head;
	size_t scores = 0;

	for (uint32_t s = 0; s < run->batch->n_seq; s++) {
		size_t len = run->batch->start[s + 1] - run->batch->start[s];

		scores += len * len;
	}
	a->in = take_reals(run, n * d);
	a->xhat1 = take_reals(run, n * d);
	a->rstd1 = take_reals(run, n);
	a->conv = run->net->g.conv ? take_reals(run, n * d) : a->in;
	a->q = take_reals(run, n * wide);
	a->k = take_reals(run, n * kv);
	a->v = take_reals(run, n * kv);
	a->p = take_reals(run, scores * lg->n_heads);
	a->o = take_reals(run, n * wide);
	a->keep1 = take(run, n * d, 1);
	a->ffn_in = take_reals(run, n * d);
	a->xhat2 = take_reals(run, n * d);
	a->rstd2 = take_reals(run, n);
	a->low1 = take_reals(run, n * lg->ffn_rank);
	a->low2 = take_reals(run, n * lg->ffn_rank);
	a->pre = take_reals(run, n * lg->d_ff);
	a->act = take_reals(run, n * lg->d_ff);
	a->keep2 = take(run, n * d, 1);
}

struct widest {
	size_t heads, kv, ff, rank, d_head;
};

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static struct widest widest_of(const struct genome *g)
{
	struct widest w = {0, 0, 0, 0, 0};

	for (int l = 0; l < g->n_layers; l++) {
		const struct layer_genes *lg = &g->layer[l];

		w.heads = larger(w.heads, (size_t)lg->n_heads * lg->d_head);
		w.kv = larger(w.kv, (size_t)lg->n_kv_heads * lg->d_head);
		w.ff = larger(w.ff, lg->d_ff);
		w.rank = larger(w.rank, lg->ffn_rank);
		w.d_head = larger(w.d_head, lg->d_head);
	}
	return w;
}

static void plan_backward(struct net_run *run)
{
	const struct batch *b = run->batch;
	const struct genome *g = &run->net->g;
	size_t n = b->n_tok, d = g->d_model;
	struct widest w = widest_of(g);

	run->dx = take_reals(run, n * d);
	run->du = take_reals(run, n * d);
	run->dn = take_reals(run, n * d);
	run->dq = take_reals(run, n * w.heads);
	run->d_o = take_reals(run, n * w.heads);
	run->dk = take_reals(run, n * w.kv);
	run->dv = take_reals(run, n * w.kv);
	run->dff = take_reals(run, n * w.ff);
	run->dlow = take_reals(run, n * w.rank);
	run->dthin = take_reals(run, n * g->d_embed);
	run->d_intent =
		take_reals(run, (size_t)b->n_seq * (size_t)run->net->task.n_intents);
	run->d_tags = take_reals(run, (size_t)b->n_words * (size_t)run->net->task.n_tags);
	if (run->net->task.kind == TASK_LM)
		run->d_lm = take_reals(run, n * g->vocab_size);
}

static void plan(struct net_run *run)
{
	const struct batch *b = run->batch;
	const struct genome *g = &run->net->g;
	size_t n = b->n_tok, d = g->d_model;
	struct widest w = widest_of(g);

	run->used = 0;
	for (int l = 0; l < g->n_layers; l++)
		plan_layer(run, l);
	run->embed = take_reals(run, n * g->d_embed);
	run->keep0 = take(run, n * d, 1);
	run->xhat0 = take_reals(run, n * d);
	run->rstd0 = take_reals(run, n);
	run->xhatf = take_reals(run, n * d);
	run->rstdf = take_reals(run, n);
	run->x = take_reals(run, n * d);
	run->dt = take_reals(run, n * d);
	run->pooled = take_reals(run, b->n_seq * d);
	run->where = take(run, b->n_seq * d, sizeof(*run->where));
	run->words = take_reals(run, b->n_words * d);
	run->thin = take_reals(run, n * g->d_embed);
	run->scratch = take_reals(run,
		larger(attention_scratch(b->longest, w.d_head), 2 * d * (size_t)g->conv));
	run->intent =
		take_reals(run, (size_t)b->n_seq * (size_t)run->net->task.n_intents);
	run->tags = take_reals(run, (size_t)b->n_words * (size_t)run->net->task.n_tags);
	run->teacher =
		take(run, larger(larger(n, b->n_seq), b->n_words), sizeof(*run->teacher));
	if (run->net->task.kind == TASK_LM)
		run->lm = take_reals(run, n * g->vocab_size);
	if (run->backward)
		plan_backward(run);
}

enum err net_run_reserve(struct net_run *run, const struct net *net,
	const struct batch *b, int backward, struct err_ctx *ctx)
{
	run->net = net;
	run->batch = b;
	run->backward = backward;
	run->counting = 1;
	plan(run);
	run->counting = 0;
	if (run->used > run->cap) {
		size_t cap = (run->used + run->used / 4 + 63) & ~(size_t)63;

		free(run->block);
		run->cap = 0;
		run->block = aligned_alloc(64, cap);
		if (!run->block)
			return err_set(ctx, ERR_NOMEM,
				"out of memory for %zu MB of activations", cap >> 20);
		run->cap = cap;
	}
	plan(run);
	return ERR_OK;
}
