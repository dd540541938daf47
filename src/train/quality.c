#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/train/quality.h"
#include "src/train/spans.h"
#include "src/train/step.h"

/* Tokens (and for a language model logits) evaluated at a time. */
#define EVAL_SEQUENCES 64
#define EVAL_LOGITS (4u << 20)

/* ---- counts of right answers */
struct tally {
	double intents, sentences, spans_true, spans_found, spans_right;
};

static void tally_spans(struct tally *t, const struct tag_grammar *g,
	const int16_t *truth, const int16_t *found, size_t n, struct span *room)
{
	struct span *a = room, *b = room + n;
	size_t na = spans_find(g, truth, n, a), nb = spans_find(g, found, n, b);

	t->spans_true += (double)na;
	t->spans_found += (double)nb;
	for (size_t i = 0, j = 0; i < na && j < nb;) {
		if (a[i].first == b[j].first) {
			t->spans_right +=
				a[i].last == b[j].last && a[i].kind == b[j].kind;
			i++;
			j++;
		} else if (a[i].first < b[j].first) {
			i++;
		} else {
			j++;
		}
	}
}

static double percent(double k, double n)
{
	return n > 0 ? 100 * k / n : NAN;
}

static struct interval percent_interval(double value, double n)
{
	struct interval ci = {NAN, NAN};

	if (n > 0 && isfinite(value)) {
		ci = stats_binomial_interval(value / 100 * n, n);
		ci.lo *= 100;
		ci.hi *= 100;
	}
	return ci;
}

static void quality_clear(struct quality *q)
{
	struct interval none = {NAN, NAN};

	memset(q, 0, sizeof(*q));
	q->intent_acc = q->slot_f1 = q->sentence_acc = q->cross_entropy = q->perplexity =
		NAN;
	q->intent_ci = q->f1_ci = none;
}

static size_t longest_sentence(const struct encoded *e)
{
	size_t longest = 0;

	for (size_t s = 0; e->word_start && s < e->n; s++)
		if (e->word_start[s + 1] - e->word_start[s] > longest)
			longest = e->word_start[s + 1] - e->word_start[s];
	return longest;
}

enum err quality_count(const struct encoded *e, const struct dataset *d,
	const int16_t *intent, const int16_t *tags, struct quality *out,
	struct err_ctx *ctx)
{
	int slots = d->kind == TASK_INTENT_SLOTS;
	struct tally t = {0, 0, 0, 0, 0};
	struct span *room = malloc((2 * longest_sentence(e) + 1) * sizeof(*room));
	struct tag_grammar g;
	enum err err = tag_grammar_init(&g, d, ctx);

	quality_clear(out);
	if (!room && !err) {
		tag_grammar_release(&g);
		err = err_set(ctx, ERR_NOMEM, "out of memory to score spans");
	}
	if (err) {
		free(room);
		return err;
	}
	for (size_t s = 0; s < e->n; s++) {
		int right = intent[s] == e->intent[s];

		t.intents += right;
		if (slots) {
			size_t at = e->word_start[s], n = e->word_start[s + 1] - at;

			tally_spans(&t, &g, e->word_tags + at, tags + at, n, room);
			right &= !memcmp(tags + at, e->word_tags + at, n * sizeof(*tags));
		}
		t.sentences += right;
	}
	tag_grammar_release(&g);
	free(room);
	out->n = e->n;
	out->intent_acc = percent(t.intents, (double)e->n);
	out->sentence_acc = percent(t.sentences, (double)e->n);
	out->intent_ci = percent_interval(out->intent_acc, (double)e->n);
	if (slots) {
		out->n_spans = (size_t)t.spans_true;
		out->slot_f1 = percent(2 * t.spans_right, t.spans_true + t.spans_found);
		out->f1_ci = percent_interval(out->slot_f1, t.spans_true);
	}
	return ERR_OK;
}

void quality_from_predictions(const struct encoded *e, const struct dataset *d,
	const int16_t *intent, const int16_t *tags, struct quality *out)
{
	/* Only memory can fail it; the figures then stay NAN. */
	if (quality_count(e, d, intent, tags, out, NULL))
		quality_clear(out);
}

/* ---- predictions of a network */
struct evaluation {
	const struct corpus *corpus;
	const struct encoded *e;
	const struct net *net;
	const real *w;
	struct net_run run;
	struct batch batch;
	struct tag_grammar grammar;
	int16_t *intent, *tags; /* predictions */
	float *logits;		/* [longest, n_tags] of one sentence */
	double intent_sum, tag_sum, lm_sum;
	size_t n_words, n_targets;
};

static size_t best_of(const real *x, size_t n)
{
	size_t best = 0;

	for (size_t j = 1; j < n; j++)
		if (x[j] > x[best])
			best = j;
	return best;
}

/* Tags of sequence `s` of the batch whose words begin at row `row` of the logits. */
static enum err predict_tags(
	struct evaluation *ev, size_t seq, size_t row, size_t n_rows, struct err_ctx *ctx)
{
	size_t n_tags = ev->grammar.n, at = ev->e->word_start[seq];
	size_t n = ev->e->word_start[seq + 1] - at;

	/* Words that were cut off answer 'O'. */
	memset(ev->tags + at, 0, n * sizeof(*ev->tags));
	real_to_floats(ev->logits, ev->run.tags + row * n_tags, n_rows * n_tags);
	return tag_grammar_decode(&ev->grammar, ev->logits, n_rows, ev->tags + at, ctx);
}

static enum err predict_batch(struct evaluation *ev, size_t first, struct err_ctx *ctx)
{
	const struct task_shape *task = &ev->net->task;
	const struct batch *b = &ev->batch;
	size_t word = 0, slot = 0;
	enum err err = ERR_OK;

	for (uint32_t s = 0; s < b->n_seq && task->kind != TASK_LM; s++)
		ev->intent[first + s] =
			(int16_t)best_of(ev->run.intent + s * (size_t)task->n_intents,
				(size_t)task->n_intents);
	for (uint32_t s = 0; s < b->n_seq && task->kind == TASK_INTENT_SLOTS && !err;
		s++) {
		size_t n =
			ev->e->word_start[first + s + 1] - ev->e->word_start[first + s];
		size_t rows = 0;

		for (size_t i = 0; i < n; i++)
			rows += b->slot_word[slot + i] != BATCH_NO_ROW;
		err = predict_tags(ev, first + s, word, rows, ctx);
		word += rows;
		slot += n;
	}
	return err;
}

static enum err evaluate_batches(struct evaluation *ev, struct err_ctx *ctx)
{
	uint32_t index[EVAL_SEQUENCES];
	size_t room = EVAL_SEQUENCES, first = 0;
	const struct genome *g = &ev->net->g;
	enum err err = ERR_OK;

	if (ev->net->task.kind == TASK_LM)
		room = EVAL_LOGITS / ((size_t)g->vocab_size * g->seq_len + 1) + 1;
	room = room > EVAL_SEQUENCES ? EVAL_SEQUENCES : room;
	while (first < ev->e->n && !err) {
		size_t n = ev->e->n - first < room ? ev->e->n - first : room;
		struct net_loss loss;

		for (size_t i = 0; i < n; i++)
			index[i] = (uint32_t)(first + i);
		memset(&loss, 0, sizeof(loss));
		err = batch_fill(&ev->batch, ev->e, index, n, ctx);
		if (!err)
			err = net_run_reserve(&ev->run, ev->net, &ev->batch, 0, ctx);
		if (err)
			break;
		net_forward(&ev->run, ev->w, 0, NULL);
		err = predict_batch(ev, first, ctx);
		net_loss(&ev->run, &loss);
		ev->intent_sum += loss.intent_sum;
		ev->tag_sum += loss.tag_sum;
		ev->lm_sum += loss.lm_sum;
		ev->n_words += ev->batch.n_words;
		ev->n_targets += ev->batch.n_targets;
		first += n;
	}
	return err;
}

static enum err evaluation_init(struct evaluation *ev, struct corpus *c,
	const struct net *net, const real *w, const struct encoded *e,
	struct err_ctx *ctx)
{
	size_t n_words = e->word_start ? e->word_start[e->n] : 0;
	enum err err;

	memset(ev, 0, sizeof(*ev));
	ev->corpus = c;
	ev->net = net;
	ev->w = w;
	ev->e = e;
	batch_init(&ev->batch);
	net_run_init(&ev->run);
	err = tag_grammar_init(&ev->grammar, &c->data, ctx);
	if (err)
		return err;
	ev->intent = calloc(e->n + 1, sizeof(*ev->intent));
	ev->tags = calloc(n_words + 1, sizeof(*ev->tags));
	ev->logits =
		malloc((longest_sentence(e) + 1) * (ev->grammar.n + 1) * sizeof(float));
	if (!ev->intent || !ev->tags || !ev->logits)
		return err_set(ctx, ERR_NOMEM, "out of memory to evaluate");
	return ERR_OK;
}

static void evaluation_release(struct evaluation *ev)
{
	free(ev->intent);
	free(ev->tags);
	free(ev->logits);
	tag_grammar_release(&ev->grammar);
	batch_release(&ev->batch);
	net_run_release(&ev->run);
}

static enum err evaluation_finish(
	struct evaluation *ev, struct quality *out, struct err_ctx *ctx)
{
	struct quality q;
	enum err err;

	if (ev->net->task.kind == TASK_LM) {
		quality_clear(&q);
		if (!ev->n_targets)
			return err_set(ctx, ERR_INVALID,
				"no token to predict; sequences of one token");
		q.n = ev->e->n;
		q.n_tokens = ev->n_targets;
		q.cross_entropy = ev->lm_sum / (double)ev->n_targets;
		q.perplexity = exp(q.cross_entropy);
		*out = q;
		return ERR_OK;
	}
	err = quality_count(ev->e, &ev->corpus->data, ev->intent, ev->tags, &q, ctx);
	if (err)
		return err;
	q.cross_entropy = ev->intent_sum / (double)ev->e->n;
	if (ev->n_words)
		q.cross_entropy += ev->tag_sum / (double)ev->n_words;
	*out = q;
	return ERR_OK;
}

enum err quality_of_net(struct corpus *c, const struct net *net, const real *w,
	enum split split, struct quality *out, struct err_ctx *ctx)
{
	const struct encoded *e;
	struct evaluation ev;
	enum err err;

	blas_init();
	err = corpus_encoded(c, split, net->g.vocab_size, net->g.seq_len, &e, ctx);
	if (err)
		return err;
	err = evaluation_init(&ev, c, net, w, e, ctx);
	if (!err)
		err = evaluate_batches(&ev, ctx);
	if (!err)
		err = evaluation_finish(&ev, out, ctx);
	evaluation_release(&ev);
	return err;
}

enum err quality_evaluate(struct corpus *c, const struct genome *g, const float *weights,
	enum split split, int full_precision, struct quality *out, struct err_ctx *ctx)
{
	struct task_shape task = dataset_task(&c->data);
	struct net net;
	enum err err = net_init(&net, g, &task, ctx);
	real *w;

	if (err)
		return err;
	w = malloc(net.n_floats * sizeof(*w));
	if (!w) {
		net_release(&net);
		return err_set(
			ctx, ERR_NOMEM, "out of memory for %zu weights", net.n_floats);
	}
	real_from_floats(w, weights, net.n_floats);
	if (full_precision)
		net.g.kv = 32;
	else
		err = net_quantise(&net, w, ctx);
	if (!err)
		err = quality_of_net(c, &net, w, split, out, ctx);
	free(w);
	net_release(&net);
	return err;
}

void quality_brief(const struct quality *q, enum task_kind kind, char *out, size_t cap)
{
	switch (kind) {
	case TASK_INTENT_SLOTS:
		snprintf(out, cap, "valid f1 %.1f intents %.1f", q->slot_f1,
			q->intent_acc);
		break;
	case TASK_LM:
		snprintf(out, cap, "valid loss %.3f", q->cross_entropy);
		break;
	default:
		snprintf(out, cap, "valid accuracy %.1f", q->intent_acc);
	}
}
