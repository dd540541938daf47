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

static void tally_spans(struct tally *t, const struct label_rules *r,
	const int16_t *truth, const int16_t *found, size_t n, struct span *room)
{
	struct span *a = room, *b = room + n;
	size_t na = spans_find(r, truth, n, a), nb = spans_find(r, found, n, b);

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

enum err quality_count(const struct encoded *e, const struct label_rules *r,
	const int16_t *intent, const int16_t *tags, struct quality *out,
	struct err_ctx *ctx)
{
	int slots = r->n_tags > 0;
	struct tally t = {0, 0, 0, 0, 0};
	struct span *room = malloc((2 * longest_sentence(e) + 1) * sizeof(*room));

	quality_clear(out);
	if (!room)
		return err_set(ctx, ERR_NOMEM, "out of memory to score spans");
	for (size_t s = 0; s < e->n; s++) {
		int right = intent[s] == e->intent[s];

		t.intents += right;
		if (slots) {
			size_t at = e->word_start[s], n = e->word_start[s + 1] - at;

			tally_spans(&t, r, e->word_tags + at, tags + at, n, room);
			right &= !memcmp(tags + at, e->word_tags + at, n * sizeof(*tags));
		}
		t.sentences += right;
	}
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

void quality_from_predictions(const struct encoded *e, const struct label_rules *r,
	const int16_t *intent, const int16_t *tags, struct quality *out)
{
	/* Only memory can fail it; the figures then stay NAN. */
	if (quality_count(e, r, intent, tags, out, NULL))
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
	struct label_room room;
	int16_t *intent, *tags; /* predictions */
	float *logits;		/* [longest, n_tags] of one sentence, then [n_intents] */
	double intent_sum, tag_sum, lm_sum;
	size_t n_words, n_targets;
};

/* Labels of sequence `seq`, the at-th of the batch, whose `words` begin at row `row` of the
 * tag logits. Words that were cut off answer 'O'. */
static void predict(
	struct evaluation *ev, size_t seq, size_t at, size_t row, uint32_t words)
{
	const struct label_rules *r = &ev->corpus->rules;
	struct label_words w = {ev->logits, NULL, words};
	float *intent = ev->logits + (size_t)words * r->n_tags;
	int16_t *tags = NULL;

	real_to_floats(intent, ev->run.intent + at * r->n_intents, r->n_intents);
	if (r->n_tags) {
		size_t first = ev->e->word_start[seq], last = ev->e->word_start[seq + 1];

		tags = ev->tags + first;
		memset(tags, 0, (last - first) * sizeof(*tags));
		real_to_floats(ev->logits, ev->run.tags + row * r->n_tags,
			(size_t)words * r->n_tags);
	}
	ev->intent[seq] = (int16_t)labels_best(r, intent, &w, &ev->room, tags);
}

static void predict_batch(struct evaluation *ev, size_t first)
{
	const struct batch *b = &ev->batch;
	size_t row = 0, slot = 0;

	for (uint32_t s = 0; s < b->n_seq; s++) {
		size_t seq = first + s, n = 0;
		uint32_t words = 0;

		if (ev->net->task.kind == TASK_INTENT_SLOTS)
			n = ev->e->word_start[seq + 1] - ev->e->word_start[seq];
		for (size_t i = 0; i < n; i++)
			words += b->slot_word[slot + i] != BATCH_NO_ROW;
		predict(ev, seq, s, row, words);
		row += words;
		slot += n;
	}
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
		if (ev->net->task.kind != TASK_LM)
			predict_batch(ev, first);
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
	err = label_room_make(&ev->room, &c->rules, longest_sentence(e), ctx);
	if (err)
		return err;
	ev->intent = calloc(e->n + 1, sizeof(*ev->intent));
	ev->tags = calloc(n_words + 1, sizeof(*ev->tags));
	ev->logits = malloc((longest_sentence(e) * c->rules.n_tags + c->rules.n_intents + 1) *
			    sizeof(float));
	if (!ev->intent || !ev->tags || !ev->logits)
		return err_set(ctx, ERR_NOMEM, "out of memory to evaluate");
	return ERR_OK;
}

static void evaluation_release(struct evaluation *ev)
{
	free(ev->intent);
	free(ev->tags);
	free(ev->logits);
	label_room_release(&ev->room);
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
	err = quality_count(ev->e, &ev->corpus->rules, ev->intent, ev->tags, &q, ctx);
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
