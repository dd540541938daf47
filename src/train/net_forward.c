#include <string.h>

#include "src/model/quant.h"
#include "src/train/net.h"
#include "src/train/ops.h"

#include "src/train/hot.h"

HOT static void add_to(size_t n, const real *x, real *y)
{
	for (size_t i = 0; i < n; i++)
		y[i] += x[i];
}

/* keep[i] = 1 with probability 1 - drop, and x scaled by it. Decisions come from mixing
 * the index with one draw (the finaliser of MurmurHash3), which vectorises. */
HOT static void drop_values(
	size_t n, uint32_t seed, uint32_t limit, real scale, real *x, uint8_t *keep)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t h = (uint32_t)i * 0x9e3779b9u + seed;

		h = (h ^ h >> 16) * 0x85ebca6bu;
		h = (h ^ h >> 13) * 0xc2b2ae35u;
		h ^= h >> 16;
		keep[i] = h >= limit;
		x[i] *= h >= limit ? scale : 0;
	}
}

static void dropout(
	struct net_run *run, size_t n, real *x, uint8_t *keep, struct rng *rng)
{
	if (run->drop > 0)
		drop_values(n, (uint32_t)rng_u64(rng),
			(uint32_t)(run->drop * 4294967040.0f), 1 / (1 - (real)run->drop),
			x, keep);
}

struct pass {
	struct net_run *run;
	const real *w;
	struct rng *rng;
	size_t n, d;
	int rms, post;
};

static const real *weight(const struct pass *p, enum tensor_kind kind, int layer)
{
	return net_weight(p->run->net, p->w, kind, layer);
}

static void norm(const struct pass *p, enum tensor_kind gain, int layer, const real *x,
	real *y, real *xhat, real *rstd)
{
	const real *b = weight(p, (enum tensor_kind)(gain + 1), layer);

	norm_forward(p->n, p->d, p->rms, x, weight(p, gain, layer), b, y, xhat, rstd);
}

static void embed(const struct pass *p)
{
	struct net_run *run = p->run;
	const struct batch *b = run->batch;
	size_t e = run->net->g.d_embed;
	const real *proj = weight(p, T_PROJ, -1);

	embed_forward(b->n_seq, b->start, b->ids, e, weight(p, T_EMBED, -1),
		weight(p, T_POS, -1), run->embed);
	if (proj)
		linear_forward(p->n, e, p->d, run->embed, proj, NULL, run->x);
	else
		memcpy(run->x, run->embed, p->n * e * sizeof(real));
	if (p->post)
		norm(p, T_NORM0_G, -1, run->x, run->x, run->xhat0, run->rstd0);
	dropout(run, p->n * p->d, run->x, run->keep0, p->rng);
}

/* Rounds what a decoder keeps, as the device does; not in training, which runs in full
 * precision and reads neither. */
static void keep(const struct pass *p, size_t n_rows, uint32_t d_head, real *x)
{
	double row[512];
	int bits = p->run->net->g.kv;

	for (size_t i = 0; i < n_rows && bits != 32 && !p->run->backward; i++) {
		for (uint32_t c = 0; c < d_head; c++)
			row[c] = (double)x[i * d_head + c];
		quant_kv(row, d_head, bits);
		for (uint32_t c = 0; c < d_head; c++)
			x[i * d_head + c] = (real)row[c];
	}
}

static void attention(const struct pass *p, int l)
{
	struct net_run *run = p->run;
	const struct genome *g = &run->net->g;
	const struct layer_genes *lg = &g->layer[l];
	struct layer_acts *a = &run->acts[l];
	size_t n = p->n, d = p->d, wide = (size_t)lg->n_heads * lg->d_head;
	size_t kv = (size_t)lg->n_kv_heads * lg->d_head;
	struct attention_shape shape = {run->batch->n_seq, lg->n_heads, lg->n_kv_heads,
		lg->d_head, g->rel_radius, g->arch == ARCH_DECODER, run->batch->start};

	if (p->post)
		memcpy(a->in, run->x, n * d * sizeof(real));
	else
		norm(p, T_NORM1_G, l, run->x, a->in, a->xhat1, a->rstd1);
	if (g->conv) {
		struct conv_shape c = {run->batch->n_seq, d, g->conv,
			g->arch == ARCH_DECODER ? g->conv - 1u : g->conv / 2u,
			run->batch->start};

		conv_forward(&c, a->in, weight(p, T_CONV, l), a->conv, run->scratch);
	}
	linear_forward(n, d, wide, a->conv, weight(p, T_WQ, l), weight(p, T_BQ, l), a->q);
	linear_forward(n, d, kv, a->conv, weight(p, T_WK, l), weight(p, T_BK, l), a->k);
	linear_forward(n, d, kv, a->conv, weight(p, T_WV, l), weight(p, T_BV, l), a->v);
	keep(p, n * lg->n_kv_heads, lg->d_head, a->k);
	keep(p, n * lg->n_kv_heads, lg->d_head, a->v);
	attention_forward(
		&shape, a->q, a->k, a->v, weight(p, T_REL, l), a->p, a->o, run->scratch);
	linear_forward(n, wide, d, a->o, weight(p, T_WO, l), weight(p, T_BO, l), run->dt);
	dropout(run, n * d, run->dt, a->keep1, p->rng);
	add_to(n * d, run->dt, run->x);
	if (p->post)
		norm(p, T_NORM1_G, l, run->x, run->x, a->xhat1, a->rstd1);
}

static void feed_forward(const struct pass *p, int l)
{
	struct net_run *run = p->run;
	const struct layer_genes *lg = &run->net->g.layer[l];
	struct layer_acts *a = &run->acts[l];
	size_t n = p->n, d = p->d, f = lg->d_ff, r = lg->ffn_rank;
	const real *b1 = weight(p, T_B1, l), *b2 = weight(p, T_B2, l);

	if (p->post)
		memcpy(a->ffn_in, run->x, n * d * sizeof(real));
	else
		norm(p, T_NORM2_G, l, run->x, a->ffn_in, a->xhat2, a->rstd2);
	if (r) {
		linear_forward(n, d, r, a->ffn_in, weight(p, T_W1_IN, l), NULL, a->low1);
		linear_forward(n, r, f, a->low1, weight(p, T_W1_OUT, l), b1, a->pre);
	} else {
		linear_forward(n, d, f, a->ffn_in, weight(p, T_W1, l), b1, a->pre);
	}
	act_forward((enum act)run->net->g.act, n * f, a->pre, a->act);
	if (r) {
		linear_forward(n, f, r, a->act, weight(p, T_W2_IN, l), NULL, a->low2);
		linear_forward(n, r, d, a->low2, weight(p, T_W2_OUT, l), b2, run->dt);
	} else {
		linear_forward(n, f, d, a->act, weight(p, T_W2, l), b2, run->dt);
	}
	dropout(run, n * d, run->dt, a->keep2, p->rng);
	add_to(n * d, run->dt, run->x);
	if (p->post)
		norm(p, T_NORM2_G, l, run->x, run->x, a->xhat2, a->rstd2);
}

static void heads(const struct pass *p)
{
	struct net_run *run = p->run;
	const struct net *net = run->net;
	const struct batch *b = run->batch;
	size_t d = p->d, e = net->g.d_embed;

	if (net->task.kind == TASK_LM) {
		const real *proj = weight(p, T_PROJ, -1), *x = run->x;

		if (proj) { /* x proj: the product that linear_backward makes for dx */
			struct linear_grad g = {
				NULL, proj, run->x, run->thin, 0, NULL, NULL};

			linear_backward(p->n, e, d, &g);
			x = run->thin;
		}
		linear_forward(p->n, e, net->g.vocab_size, x, weight(p, T_EMBED, -1),
			NULL, run->lm);
		return;
	}
	pool_forward((enum pool)net->g.pool, b->n_seq, b->start, d, run->x, run->pooled,
		run->where);
	linear_forward(b->n_seq, d, (size_t)net->task.n_intents, run->pooled,
		weight(p, T_INTENT_W, -1), weight(p, T_INTENT_B, -1), run->intent);
	if (net->task.kind != TASK_INTENT_SLOTS)
		return;
	for (uint32_t i = 0; i < b->n_words; i++)
		memcpy(run->words + i * d, run->x + b->word_tok[i] * d, d * sizeof(real));
	linear_forward(b->n_words, d, (size_t)net->task.n_tags, run->words,
		weight(p, T_TAG_W, -1), weight(p, T_TAG_B, -1), run->tags);
}

void net_forward(struct net_run *run, const real *w, float drop, struct rng *rng)
{
	const struct genome *g = &run->net->g;
	struct pass p = {run, w, rng, run->batch->n_tok, g->d_model, g->norm == NORM_RMS,
		g->norm_place == NORM_POST};

	run->drop = rng ? drop : 0;
	embed(&p);
	for (int l = 0; l < g->n_layers; l++) {
		attention(&p, l);
		feed_forward(&p, l);
	}
	if (!p.post)
		norm(&p, T_NORMF_G, -1, run->x, run->x, run->xhatf, run->rstdf);
	heads(&p);
}

/* Rows of the teacher for this run's rows; NULL where it has none. */
static const real *const *teacher_rows(
	struct net_run *run, const struct net_run *t, int kind)
{
	const struct batch *b = run->batch, *tb;
	const real **row = run->teacher;
	size_t n_tags = (size_t)run->net->task.n_tags;

	if (!t)
		return NULL;
	tb = t->batch;
	if (kind == 0)
		for (uint32_t s = 0; s < b->n_seq; s++)
			row[s] = t->intent + s * (size_t)run->net->task.n_intents;
	if (kind == 1)
		for (uint32_t i = 0; i < b->n_words; i++) {
			uint32_t at = tb->slot_word[b->word_slot[i]];

			row[i] = at == BATCH_NO_ROW ? NULL : t->tags + at * n_tags;
		}
	if (kind == 2)
		for (uint32_t i = 0; i < b->n_tok; i++)
			row[i] = t->lm + i * (size_t)run->net->g.vocab_size;
	return row;
}

void net_loss(struct net_run *run, struct net_loss *loss)
{
	const struct batch *b = run->batch;
	const struct net *net = run->net;
	const struct net_run *t = loss->teacher;
	struct cross_entropy ce = {0, 0, NULL, 0, loss->smoothing, loss->soft, NULL};

	loss->intent_sum = loss->tag_sum = loss->lm_sum = 0;
	if (net->task.kind == TASK_LM) {
		/* Windows differ between encodings: only the same one can be taught. */
		int same = t && t->batch->from == b->from &&
			   t->net->g.vocab_size == net->g.vocab_size;

		ce.n = b->n_tok;
		ce.c = net->g.vocab_size;
		ce.label = b->next;
		ce.scale = loss->lm_scale;
		ce.teacher = teacher_rows(run, same ? t : NULL, 2);
		loss->lm_sum =
			cross_entropy(&ce, run->lm, run->backward ? run->d_lm : NULL);
		return;
	}
	ce.n = b->n_seq;
	ce.c = (size_t)net->task.n_intents;
	ce.label = b->intent;
	ce.scale = loss->intent_scale;
	ce.teacher = teacher_rows(run, t, 0);
	loss->intent_sum =
		cross_entropy(&ce, run->intent, run->backward ? run->d_intent : NULL);
	if (net->task.kind != TASK_INTENT_SLOTS)
		return;
	ce.n = b->n_words;
	ce.c = (size_t)net->task.n_tags;
	ce.label = b->word_tag;
	ce.scale = loss->tag_scale;
	ce.teacher = teacher_rows(run, t, 1);
	loss->tag_sum = cross_entropy(&ce, run->tags, run->backward ? run->d_tags : NULL);
}
