#include "src/train/step.h"

#include <stdlib.h>
#include <string.h>

#include "src/model/quant.h"

#include "src/train/hot.h"

/* Below this many sequences a step is not split. */
#define SPLIT_FROM 16

enum err step_init(struct step *s, const struct train_options *o, struct err_ctx *ctx)
{
	struct rng root;

	memset(s, 0, sizeof(*s));
	rng_init(&root, o->seed);
	rng_split(&root, "step", 0, &s->rng);
	s->dropout = o->dropout;
	s->word_dropout = o->word_dropout;
	s->subword_dropout = o->subword_dropout;
	s->slot_weight = o->slot_weight;
	s->smoothing = o->label_smoothing;
	s->soft = o->distil_share;
	s->n_lanes = 1;
	for (int l = 0; l < STEP_MAX_LANES; l++)
		for (int p = 0; p < STEP_PARTS; p++) {
			batch_init(&s->lane[l].batch[p]);
			net_run_init(&s->lane[l].run[p]);
		}
	blas_init();
	return workers_new(&s->workers, o->threads, ctx);
}

void step_release(struct step *s)
{
	workers_free(s->workers);
	for (int i = 0; i < STEP_MAX_LANES; i++) {
		struct lane *l = &s->lane[i];

		net_release(&l->net);
		free(l->w);
		free(l->grad);
		for (int p = 0; p < STEP_PARTS; p++) {
			batch_release(&l->batch[p]);
			net_run_release(&l->run[p]);
		}
	}
	memset(s, 0, sizeof(*s));
}

/* Halves and quarters of the vocabulary in use, as far as its bytes allow. */
static enum err set_mix(
	struct lane *l, struct corpus *c, const struct genome *g, struct err_ctx *ctx)
{
	const struct tokeniser_table *t = c->tokeniser;
	uint32_t least = N_SPECIAL_TOKENS + t->n_bytes;
	uint32_t v = g->vocab_size < t->vocab_size ? g->vocab_size : t->vocab_size;
	enum err err = ERR_OK;

	l->mix.seq_len = g->seq_len;
	l->mix.n_alt = c->data.kind == TASK_LM ? 0 : 2;
	for (size_t i = 0; i < l->mix.n_alt && !err; i++) {
		v = v / 2 > least ? v / 2 : least;
		err = corpus_encoded(c, SPLIT_TRAIN, v, g->seq_len, &l->mix.alt[i], ctx);
	}
	return err;
}

enum err lane_set(
	struct lane *l, struct corpus *c, const struct genome *g, struct err_ctx *ctx)
{
	struct task_shape task = dataset_task(&c->data);
	enum err err;

	net_release(&l->net);
	err = net_init(&l->net, g, &task, ctx);
	if (err)
		return err;
	if (l->net.n_floats > l->cap) {
		free(l->w);
		free(l->grad);
		l->cap = 0;
		l->w = malloc(l->net.n_floats * sizeof(*l->w));
		l->grad = malloc(STEP_PARTS * l->net.n_floats * sizeof(*l->grad));
		if (!l->w || !l->grad)
			return err_set(ctx, ERR_NOMEM, "out of memory for %zu weights",
				l->net.n_floats);
		l->cap = l->net.n_floats;
	}
	err = corpus_encoded(c, SPLIT_TRAIN, g->vocab_size, g->seq_len, &l->encoded, ctx);
	return err ? err : set_mix(l, c, g, ctx);
}

/* The range of part p of n sequences. */
static size_t part_start(const struct step *s, size_t n, uint32_t p)
{
	return n * p / s->n_parts;
}

static void split_rng(const struct step *s, const char *purpose, uint32_t lane,
	uint32_t part, struct rng *out)
{
	struct rng of_step;

	rng_split(&s->rng, "step", s->index, &of_step);
	rng_split(&of_step, purpose, lane * STEP_PARTS + part, out);
}

static enum err fill_part(struct step *s, uint32_t at, uint32_t part,
	const uint32_t *index, size_t n, struct err_ctx *ctx)
{
	struct lane *l = &s->lane[at];
	struct rng rng;

	if (!l->mix.n_alt || s->subword_dropout <= 0)
		return batch_fill(&l->batch[part], l->encoded, index, n, ctx);
	split_rng(s, "subwords", at, part, &rng);
	l->mix.p = s->subword_dropout;
	return batch_fill_mixed(
		&l->batch[part], l->encoded, index, n, &l->mix, &rng, ctx);
}

static enum err prepare_lane(
	struct step *s, uint32_t at, const uint32_t *index, size_t n, struct err_ctx *ctx)
{
	struct lane *l = &s->lane[at];
	size_t n_words = 0, n_targets = 0;
	enum err err = ERR_OK;

	for (uint32_t p = 0; p < s->n_parts && !err; p++) {
		size_t lo = part_start(s, n, p), hi = part_start(s, n, p + 1);

		err = fill_part(s, at, p, index + lo, hi - lo, ctx);
		if (!err)
			err = net_run_reserve(&l->run[p], &l->net, &l->batch[p], 1, ctx);
		n_words += l->batch[p].n_words;
		n_targets += l->batch[p].n_targets;
	}
	for (uint32_t p = 0; p < s->n_parts; p++) {
		struct net_loss *loss = &l->loss[p];

		loss->intent_scale = (real)(1 / (double)n);
		loss->tag_scale = (real)(n_words ? s->slot_weight / (double)n_words : 0);
		loss->lm_scale = (real)(n_targets ? 1 / (double)n_targets : 0);
		loss->smoothing = (real)s->smoothing;
		loss->teacher = at && s->soft > 0 ? &s->lane[0].run[p] : NULL;
		loss->soft = (real)s->soft;
	}
	return err;
}

static void run_part(struct step *s, uint32_t lane, uint32_t part)
{
	struct lane *l = &s->lane[lane];
	size_t n = l->net.n_floats;
	real *grad = l->grad + part * n;
	struct rng rng;

	split_rng(s, "dropout", lane, part, &rng);
	batch_drop_words(&l->batch[part], s->word_dropout, &rng);
	memset(grad, 0, n * sizeof(*grad));
	net_forward(&l->run[part], l->w, (float)s->dropout, &rng);
	net_loss(&l->run[part], &l->loss[part]);
	net_backward(&l->run[part], l->w, grad);
}

static void run_first(void *self, uint32_t i)
{
	run_part(self, 0, i);
}

static void run_others(void *self, uint32_t i)
{
	struct step *s = self;

	run_part(s, 1 + i / s->n_parts, i % s->n_parts);
}

HOT static void sum_parts(void *self, uint32_t i)
{
	struct step *s = self;
	struct lane *l = &s->lane[i];
	size_t n = l->net.n_floats;

	for (uint32_t p = 1; p < s->n_parts; p++) {
		const real *from = l->grad + p * n;
		real *to = l->grad;

		for (size_t j = 0; j < n; j++)
			to[j] += from[j];
	}
}

enum err step_run(struct step *s, const uint32_t *index, size_t n, struct err_ctx *ctx)
{
	enum err err = ERR_OK;

	s->n_parts = n >= SPLIT_FROM ? STEP_PARTS : 1;
	for (uint32_t i = 0; i < s->n_lanes && !err; i++)
		err = prepare_lane(s, i, index, n, ctx);
	if (err)
		return err;
	workers_run(s->workers, s->n_parts, run_first, s);
	workers_run(s->workers, (s->n_lanes - 1) * s->n_parts, run_others, s);
	if (s->n_parts > 1)
		workers_run(s->workers, s->n_lanes, sum_parts, s);
	return ERR_OK;
}

double lane_loss(const struct step *s, uint32_t lane)
{
	const struct lane *l = &s->lane[lane];
	double sum[3] = {0, 0, 0}, n[3] = {0, 0, 0}, loss = 0;

	for (uint32_t p = 0; p < s->n_parts; p++) {
		sum[0] += l->loss[p].intent_sum;
		sum[1] += l->loss[p].tag_sum;
		sum[2] += l->loss[p].lm_sum;
		n[0] += l->batch[p].n_seq;
		n[1] += l->batch[p].n_words;
		n[2] += l->batch[p].n_targets;
	}
	for (int i = 0; i < 3; i++)
		loss += n[i] > 0 ? sum[i] / n[i] : 0;
	return loss;
}

enum err shuffler_init(struct shuffler *s, size_t n, uint64_t seed, struct err_ctx *ctx)
{
	struct rng root;

	rng_init(&root, seed);
	rng_split(&root, "order", 0, &s->rng);
	s->n = n;
	s->epoch = UINT64_MAX;
	s->order = malloc(n * sizeof(*s->order));
	return s->order ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory for an epoch");
}

void shuffler_release(struct shuffler *s)
{
	free(s->order);
	s->order = NULL;
}

static void shuffle_epoch(struct shuffler *s, uint64_t epoch)
{
	struct rng r;

	for (size_t i = 0; i < s->n; i++)
		s->order[i] = (uint32_t)i;
	rng_split(&s->rng, "epoch", epoch, &r);
	rng_shuffle(&r, s->order, s->n);
	s->epoch = epoch;
}

void shuffler_take(struct shuffler *s, uint64_t first, size_t count, uint32_t *out)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t at = first + i;

		if (at / s->n != s->epoch)
			shuffle_epoch(s, at / s->n);
		out[i] = s->order[at % s->n];
	}
}

enum err net_quantise(const struct net *net, real *w, struct err_ctx *ctx)
{
	float *copy = NULL;

	for (size_t i = 0; i < net->layout->n_tensors; i++) {
		const struct tensor *t = &net->layout->t[i];
		size_t n = (size_t)t->rows * t->cols;
		float *flat = NULL;

		if (t->bits == 32)
			continue;
#ifdef TRAIN_DOUBLE
		free(copy);
		flat = copy = malloc(n * sizeof(*copy));
		if (!copy)
			return err_set(ctx, ERR_NOMEM, "out of memory to quantise");
		real_to_floats(flat, w + t->offset, n);
		quant_fake(flat, t->rows, t->cols, t->bits);
		real_from_floats(w + t->offset, flat, n);
#else
		(void)n;
		(void)ctx;
		flat = w + t->offset;
		quant_fake(flat, t->rows, t->cols, t->bits);
#endif
	}
	free(copy);
	return ERR_OK;
}
