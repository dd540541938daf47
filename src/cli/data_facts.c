#include "src/cli/data_show.h"

#include <stdlib.h>
#include <string.h>

#include "src/train/data/strmap.h"

/* Long enough for any utterance; windows of plain text have a usual length. */
#define TEXT_WINDOW 64
#define WHOLE (1u << 18)

void data_facts_release(struct data_facts *f)
{
	free(f->n_intent);
	free(f->n_slot);
	memset(f, 0, sizeof(*f));
}

static void count_labels(const struct dataset *d, int s, struct data_facts *f)
{
	for (size_t i = 0; i < d->n[s]; i++) {
		const struct utterance *u = &d->u[s][i];

		if (u->intent >= 0)
			f->n_intent[(size_t)s * d->n_intents + (size_t)u->intent]++;
		for (uint32_t w = 0; u->tags && w < u->n_words; w++) {
			if (d->tags[u->tags[w]][0] != 'B')
				continue;
			f->n_slot[(size_t)s * d->n_tags + (size_t)u->tags[w]]++;
			f->split[s].n_spans++;
		}
	}
}

/* Counts a text's words; those of train go into the map, others are looked up. */
static enum err count_words(const char *text, enum split s, struct strmap *words,
	struct data_split_facts *f, struct err_ctx *ctx)
{
	size_t n = 0;
	enum err e = ERR_OK;

	while (*text && !e) {
		size_t len = strcspn(text, " \n");
		uint32_t index = 0;

		if (len && s == SPLIT_TRAIN)
			e = strmap_put(words, text, len, &index, ctx);
		else if (len)
			f->n_unseen += strmap_find(words, text, len) == STRMAP_NONE;
		n += len > 0;
		text += len + (text[len] != '\0');
	}
	f->n_words += n;
	if (n > f->max_words)
		f->max_words = n;
	return e;
}

static enum err count_split(const struct dataset *d, enum split s, struct strmap *words,
	struct data_facts *f, struct err_ctx *ctx)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < d->n[s] && !e; i++)
		e = count_words(d->u[s][i].text, s, words, &f->split[s], ctx);
	count_labels(d, s, f);
	return e;
}

static enum err count_tokens(const struct dataset *d, enum split s,
	const struct tokeniser_table *t, struct data_split_facts *f, struct err_ctx *ctx)
{
	uint32_t length = d->kind == TASK_LM ? TEXT_WINDOW : WHOLE;
	struct encoded x;
	enum err e = dataset_encode(d, s, t, t->vocab_size, length, &x, ctx);

	if (e)
		return e;
	f->n = x.n;
	f->n_tokens = x.start[x.n];
	for (size_t i = 0; i < x.n; i++) {
		size_t n = x.start[i + 1] - x.start[i];
		uint32_t n_words = x.word_start[i + 1] - x.word_start[i];
		const uint32_t *first = x.word_token + x.word_start[i];

		if (n > f->max_tokens)
			f->max_tokens = n;
		for (uint32_t w = 0; w < n_words; w++)
			f->n_single += (w + 1 < n_words ? first[w + 1] : (uint32_t)n) -
					       first[w] ==
				       1;
	}
	for (size_t i = 0; i < f->n_tokens; i++)
		f->n_unknown += x.ids[i] == TOKEN_UNK;
	encoded_release(&x);
	return ERR_OK;
}

static enum err take(const struct dataset *d, const struct tokeniser_table *t,
	struct data_facts *f, struct err_ctx *ctx)
{
	struct strmap words;
	enum err e = ERR_OK;

	f->n_intent = calloc(N_SPLITS * d->n_intents + 1, sizeof(*f->n_intent));
	f->n_slot = calloc(N_SPLITS * d->n_tags + 1, sizeof(*f->n_slot));
	if (!f->n_intent || !f->n_slot)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	f->vocab_made = t->vocab_size;
	f->n_bytes = t->n_bytes;
	strmap_init(&words);
	for (int s = 0; s < N_SPLITS && !e; s++) {
		e = count_split(d, (enum split)s, &words, f, ctx);
		if (!e)
			e = count_tokens(d, (enum split)s, t, &f->split[s], ctx);
	}
	strmap_release(&words);
	return e;
}

enum err data_facts_take(const struct dataset *d, uint32_t vocab_size,
	struct data_facts *f, struct err_ctx *ctx)
{
	struct tokeniser_table *t;
	enum err e = tokeniser_train(d, vocab_size, &t, ctx);

	if (e)
		return e;
	memset(f, 0, sizeof(*f));
	f->vocab_asked = vocab_size;
	e = take(d, t, f, ctx);
	tokeniser_free(t);
	if (e)
		data_facts_release(f);
	return e;
}
