/* The linear baseline: how far bags of n-grams go without any network. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/train/features.h"
#include "src/train/linear.h"
#include "src/train/ngram.h"
#include "src/train/quality.h"

#define LEAST_COUNT 2
/* No text is cut: the baseline reads words, the encoding only tells the truth. */
#define WHOLE_TEXT 512

/* One classifier and the features it knows. By word or by text. */
struct task {
	int by_word;
	struct dictionary dict;
	struct linear_model model;
};

static uint32_t n_items(const struct task *t, const struct utterance *u)
{
	return t->by_word ? u->n_words : 1;
}

static void fill_bag(
	const struct task *t, struct bag *b, const struct utterance *u, uint32_t i)
{
	if (t->by_word)
		bag_of_word(b, u, i);
	else
		bag_of_text(b, u);
}

static enum err count_features(
	struct task *t, const struct dataset *d, struct err_ctx *ctx)
{
	struct bag b;
	enum err err = ERR_OK;

	bag_init(&b);
	for (size_t s = 0; s < d->n[SPLIT_TRAIN] && !err; s++) {
		const struct utterance *u = &d->u[SPLIT_TRAIN][s];

		for (uint32_t i = 0; i < n_items(t, u) && !err; i++) {
			fill_bag(t, &b, u, i);
			for (size_t k = 0; k < b.n && !err; k++)
				err = dictionary_count(&t->dict, b.key[k], ctx);
		}
	}
	if (!err && b.failed)
		err = err_set(ctx, ERR_NOMEM, "out of memory for features");
	bag_release(&b);
	if (!err)
		dictionary_number(&t->dict, LEAST_COUNT);
	return err;
}

/* TF-IDF rows for texts, plain ones for words. */
static enum err make_rows(const struct task *t, const struct dataset *d, enum split split,
	struct sparse_rows *rows, struct err_ctx *ctx)
{
	double n = (double)d->n[SPLIT_TRAIN];
	struct bag b;
	enum err err = ERR_OK;

	bag_init(&b);
	for (size_t s = 0; s < d->n[split] && !err; s++) {
		const struct utterance *u = &d->u[split][s];

		for (uint32_t i = 0; i < n_items(t, u) && !err; i++) {
			fill_bag(t, &b, u, i);
			for (size_t k = 0; k < b.n && !err; k++) {
				size_t at = dictionary_find(&t->dict, b.key[k]);
				double v = 1;

				if (at == SIZE_MAX || t->dict.index[at] == UINT32_MAX)
					continue;
				if (!t->by_word)
					v = (1 + log((double)b.count[k])) *
					    (1 + log((1 + n) / (1 + t->dict.count[at])));
				err = sparse_item(rows, t->dict.index[at], (float)v, ctx);
			}
			if (!err)
				err = sparse_end_row(rows, ctx);
		}
	}
	if (!err && b.failed)
		err = err_set(ctx, ERR_NOMEM, "out of memory for features");
	bag_release(&b);
	return err;
}

static int16_t *make_labels(const struct task *t, const struct dataset *d, size_t n)
{
	int16_t *label = malloc((n + 1) * sizeof(*label));
	size_t at = 0;

	for (size_t s = 0; label && s < d->n[SPLIT_TRAIN]; s++) {
		const struct utterance *u = &d->u[SPLIT_TRAIN][s];

		for (uint32_t i = 0; i < n_items(t, u); i++)
			label[at++] = t->by_word ? u->tags[i] : u->intent;
	}
	return label;
}

static enum err task_train(
	struct task *t, const struct dataset *d, uint64_t seed, struct err_ctx *ctx)
{
	struct linear_options o = {t->by_word ? 0.3 : 1, t->by_word ? 8 : 15};
	struct sparse_rows rows;
	int16_t *label = NULL;
	struct rng root, rng;
	enum err err;

	sparse_init(&rows);
	err = count_features(t, d, ctx);
	if (!err)
		err = make_rows(t, d, SPLIT_TRAIN, &rows, ctx);
	if (!err && !(label = make_labels(t, d, rows.n)))
		err = err_set(ctx, ERR_NOMEM, "out of memory for labels");
	t->model.n_features = t->dict.n;
	t->model.n_classes = t->by_word ? d->n_tags : d->n_intents;
	rng_init(&root, seed);
	rng_split(&root, "baseline", (uint64_t)t->by_word, &rng);
	if (!err)
		err = linear_train(&t->model, &rows, label, &o, &rng, ctx);
	free(label);
	sparse_release(&rows);
	return err;
}

static void task_release(struct task *t)
{
	dictionary_release(&t->dict);
	linear_release(&t->model);
}

static enum err predict_intents(const struct task *t, const struct dataset *d,
	enum split split, int16_t *out, struct err_ctx *ctx)
{
	float *scores = malloc((t->model.n_classes + 1) * sizeof(*scores));
	struct sparse_rows rows;
	enum err err =
		scores ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory for scores");

	sparse_init(&rows);
	if (!err)
		err = make_rows(t, d, split, &rows, ctx);
	for (size_t i = 0; i < rows.n && !err; i++) {
		size_t best = 0;

		linear_scores(&t->model, &rows, i, scores);
		for (size_t c = 1; c < t->model.n_classes; c++)
			if (scores[c] > scores[best])
				best = c;
		out[i] = (int16_t)best;
	}
	sparse_release(&rows);
	free(scores);
	return err;
}

/* Best path over the classifier's margins, which are no log probabilities: intents do not
 * take part. Words of one text are consecutive rows. */
static enum err decode_split(const struct task *t, const struct corpus *c,
	enum split split, const struct sparse_rows *rows, int16_t *out,
	struct err_ctx *ctx)
{
	const struct label_rules *r = &c->rules;
	size_t row = 0;

	for (size_t s = 0; s < c->data.n[split]; s++) {
		uint32_t n = c->data.u[split][s].n_words;
		float *scores = malloc(((size_t)n * r->n_tags + 1) * sizeof(*scores));
		struct label_words words = {scores, NULL, n};
		struct label_room room;
		enum err err = label_room_make(&room, r, n, ctx);

		if (!scores && !err)
			err = err_set(ctx, ERR_NOMEM, "out of memory for scores");
		for (size_t i = 0; i < n && !err; i++)
			linear_scores(&t->model, rows, row + i, scores + i * r->n_tags);
		if (!err)
			labels_path(r, &words, &room, out + row);
		label_room_release(&room);
		free(scores);
		if (err)
			return err;
		row += n;
	}
	return ERR_OK;
}

static enum err predict_tags(const struct task *t, const struct corpus *c,
	enum split split, int16_t *out, struct err_ctx *ctx)
{
	struct sparse_rows rows;
	enum err err;

	sparse_init(&rows);
	err = make_rows(t, &c->data, split, &rows, ctx);
	if (!err)
		err = decode_split(t, c, split, &rows, out, ctx);
	sparse_release(&rows);
	return err;
}

static enum err score_split(struct corpus *c, const struct task *intents,
	const struct task *tags, enum split split, struct quality *out,
	struct err_ctx *ctx)
{
	const struct dataset *d = &c->data;
	const struct encoded *e;
	int16_t *intent = NULL, *tag = NULL;
	size_t n_words = 0;
	enum err err;

	err = corpus_encoded(c, split, c->tokeniser->vocab_size, WHOLE_TEXT, &e, ctx);
	if (err)
		return err;
	for (size_t s = 0; s < d->n[split]; s++)
		n_words += d->u[split][s].n_words;
	intent = calloc(d->n[split] + 1, sizeof(*intent));
	tag = calloc(n_words + 1, sizeof(*tag));
	if (!intent || !tag)
		err = err_set(ctx, ERR_NOMEM, "out of memory for predictions");
	if (!err)
		err = predict_intents(intents, d, split, intent, ctx);
	if (!err && d->kind == TASK_INTENT_SLOTS)
		err = predict_tags(tags, c, split, tag, ctx);
	if (!err)
		err = quality_count(e, &c->rules, intent, tag, out, ctx);
	free(intent);
	free(tag);
	return err;
}

const char *baseline_name(enum task_kind kind)
{
	return kind == TASK_LM ? "4-grams of tokens" : "linear, TF-IDF";
}

enum err baseline_train(struct corpus *c, uint64_t seed, struct quality *valid,
	struct quality *test, struct err_ctx *ctx)
{
	struct task intents, tags;
	enum err err;

	if (c->data.kind == TASK_LM)
		return baseline_ngram(c, valid, test, ctx);
	memset(&intents, 0, sizeof(intents));
	memset(&tags, 0, sizeof(tags));
	tags.by_word = 1;
	err = task_train(&intents, &c->data, seed, ctx);
	if (!err && c->data.kind == TASK_INTENT_SLOTS)
		err = task_train(&tags, &c->data, seed, ctx);
	if (!err)
		err = score_split(c, &intents, &tags, SPLIT_VALID, valid, ctx);
	if (!err)
		err = score_split(c, &intents, &tags, SPLIT_TEST, test, ctx);
	task_release(&intents);
	task_release(&tags);
	return err;
}
