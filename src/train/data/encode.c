#include <stdlib.h>
#include <string.h>

#include "src/train/data/strmap.h"
#include "src/train/dataset.h"

/* Words repeat: each is encoded once. */
struct cache {
	const struct tokeniser_table *t;
	uint32_t vocab_size;
	struct strmap words;
	uint32_t *start; /* [words.n + 1] into ids */
	int32_t *ids;
	size_t cap_words, cap_ids, n_ids;
};

/* Where the encoder writes. */
struct writer {
	struct encoded *e;
	size_t cap_ids, cap_words, n_words;
	uint32_t n_ids, seq_len;
};

static enum err nomem(struct err_ctx *ctx)
{
	return err_set(ctx, ERR_NOMEM, "out of memory");
}

static int grow(void *array, size_t n, size_t size)
{
	void *p;

	memcpy(&p, array, sizeof(p)); /* whatever it points to */
	p = realloc(p, n * size);
	if (!p)
		return 0;
	memcpy(array, &p, sizeof(p));
	return 1;
}

static void cache_release(struct cache *c)
{
	strmap_release(&c->words);
	free(c->start);
	free(c->ids);
}

static int cache_grow(struct cache *c)
{
	size_t cap_words = c->cap_words ? 2 * c->cap_words : 1024;
	size_t cap_ids = c->cap_ids ? 2 * c->cap_ids : 8192;

	if (c->words.n + 2 > c->cap_words) {
		if (!grow(&c->start, cap_words, sizeof(*c->start)))
			return 0;
		c->cap_words = cap_words;
	}
	if (c->n_ids + TOKENISE_MAX_WORD > c->cap_ids) {
		if (!grow(&c->ids, cap_ids, sizeof(*c->ids)))
			return 0;
		c->cap_ids = cap_ids;
	}
	return 1;
}

/* The ids of a word: *ids is valid until the next call. */
static enum err cache_word(struct cache *c, const char *word, size_t len,
	const int32_t **ids, uint32_t *n, struct err_ctx *ctx)
{
	uint32_t known = c->words.n, w;
	enum err e;

	if (!cache_grow(c))
		return nomem(ctx);
	e = strmap_put(&c->words, word, len, &w, ctx);
	if (e)
		return e;
	if (w == known) {
		c->start[w] = (uint32_t)c->n_ids;
		c->n_ids += tokenise_word(c->t, c->vocab_size, word, len,
			c->ids + c->n_ids, TOKENISE_MAX_WORD);
		c->start[w + 1] = (uint32_t)c->n_ids;
	}
	*ids = c->ids + c->start[w];
	*n = c->start[w + 1] - c->start[w];
	return ERR_OK;
}

static enum err need_ids(struct writer *w, size_t extra, struct err_ctx *ctx)
{
	size_t cap = w->cap_ids ? w->cap_ids : 4096;

	if (w->n_ids + extra > UINT32_MAX / 2)
		return err_set(ctx, ERR_INVALID, "the split has too many tokens");
	if (w->n_ids + extra <= w->cap_ids)
		return ERR_OK;
	while (cap < w->n_ids + extra)
		cap *= 2;
	if (!grow(&w->e->ids, cap, sizeof(*w->e->ids)) ||
		!grow(&w->e->tags, cap, sizeof(*w->e->tags)))
		return nomem(ctx);
	w->cap_ids = cap;
	return ERR_OK;
}

static enum err need_words(struct writer *w, size_t extra, struct err_ctx *ctx)
{
	size_t cap = w->cap_words ? w->cap_words : 4096;

	if (w->n_words + extra <= w->cap_words)
		return ERR_OK;
	while (cap < w->n_words + extra)
		cap *= 2;
	if (cap > UINT32_MAX / 2)
		return err_set(ctx, ERR_INVALID, "the split has too many words");
	if (!grow(&w->e->word_tags, cap, sizeof(*w->e->word_tags)) ||
		!grow(&w->e->word_token, cap, sizeof(*w->e->word_token)))
		return nomem(ctx);
	w->cap_words = cap;
	return ERR_OK;
}

/* ---- labelled utterances: a sequence each, cut at seq_len */

static enum err encode_utterance(
	struct writer *w, struct cache *c, const struct utterance *u, struct err_ctx *ctx)
{
	const char *at = u->text;
	uint32_t used = 0, n;
	const int32_t *ids;
	int cut = 0;
	enum err e = need_words(w, u->n_words, ctx);

	if (!e)
		e = need_ids(w, w->seq_len, ctx);
	for (uint32_t k = 0; k < u->n_words && !e; k++) {
		size_t len = strcspn(at, " ");
		int16_t tag = u->tags ? u->tags[k] : -1;

		e = cache_word(c, at, len, &ids, &n, ctx);
		if (e)
			break;
		w->e->word_tags[w->n_words] = tag;
		w->e->word_token[w->n_words++] = used < w->seq_len ? used : UINT32_MAX;
		cut |= n > w->seq_len - used;
		for (uint32_t i = 0; i < n && used < w->seq_len; i++, used++) {
			w->e->ids[w->n_ids] = ids[i];
			w->e->tags[w->n_ids++] = i ? -1 : tag;
		}
		at += len + (at[len] == ' ');
	}
	w->e->n_truncated += cut != 0;
	return e;
}

static enum err encode_labelled(struct writer *w, struct cache *c,
	const struct utterance *u, size_t n, struct err_ctx *ctx)
{
	struct encoded *e = w->e;
	enum err err = ERR_OK;

	e->start = calloc(n + 1, sizeof(*e->start));
	e->word_start = calloc(n + 1, sizeof(*e->word_start));
	e->intent = calloc(n + 1, sizeof(*e->intent));
	if (!e->start || !e->word_start || !e->intent)
		return nomem(ctx);
	for (size_t i = 0; i < n && !err; i++) {
		err = encode_utterance(w, c, &u[i], ctx);
		e->start[i + 1] = w->n_ids;
		e->word_start[i + 1] = (uint32_t)w->n_words;
		e->intent[i] = u[i].intent;
	}
	e->n = n;
	return err;
}

/* ---- plain text: one stream, cut into windows */

static size_t word_length(const char *at)
{
	return *at == '\n' ? 1 : strcspn(at, " \n");
}

static enum err encode_stream(
	struct writer *w, struct cache *c, const char *at, struct err_ctx *ctx)
{
	const int32_t *ids;
	uint32_t n;
	enum err e = ERR_OK;

	while (*at && !e) {
		size_t len = word_length(at);

		if (len) {
			e = cache_word(c, at, len, &ids, &n, ctx);
			if (!e)
				e = need_ids(w, n, ctx);
			for (uint32_t i = 0; i < n && !e; i++) {
				w->e->ids[w->n_ids] = ids[i];
				w->e->tags[w->n_ids++] = -1;
			}
		}
		at += len + (at[len] == ' ');
	}
	return e;
}

/* The stream's last token is a target only, so windows cover all but one. */
static enum err cut_windows(struct writer *w, struct err_ctx *ctx)
{
	struct encoded *e = w->e;
	uint32_t covered = w->n_ids ? w->n_ids - 1 : 0;
	size_t n = covered / w->seq_len + (covered % w->seq_len > 0);

	e->start = calloc(n + 1, sizeof(*e->start));
	e->word_start = calloc(n + 1, sizeof(*e->word_start));
	e->intent = malloc((n + 1) * sizeof(*e->intent));
	if (!e->start || !e->word_start || !e->intent)
		return nomem(ctx);
	for (size_t i = 0; i < n; i++) {
		e->start[i] = (uint32_t)(i * w->seq_len);
		e->intent[i] = -1;
	}
	e->start[n] = covered;
	e->n = n;
	return ERR_OK;
}

static enum err encode_text(struct writer *w, struct cache *c, const struct utterance *u,
	size_t n, struct err_ctx *ctx)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < n && !e; i++)
		e = encode_stream(w, c, u[i].text, ctx);
	return e ? e : cut_windows(w, ctx);
}

enum err dataset_encode(const struct dataset *d, enum split split,
	const struct tokeniser_table *t, uint32_t vocab_size, uint32_t seq_len,
	struct encoded *out, struct err_ctx *ctx)
{
	struct cache c = {.t = t, .vocab_size = vocab_size};
	struct encoded made;
	struct writer w = {.e = &made, .seq_len = seq_len};
	enum err e;

	if (!seq_len || seq_len > 1u << 20)
		return err_set(ctx, ERR_INVALID,
			"a sequence length of %u is not possible", seq_len);
	if (vocab_size < N_SPECIAL_TOKENS + t->n_bytes)
		return err_set(ctx, ERR_INVALID,
			"a vocabulary of %u tokens is too small: the tokeniser's bytes "
			"alone "
			"take %u",
			vocab_size, N_SPECIAL_TOKENS + t->n_bytes);
	memset(&made, 0, sizeof(made));
	strmap_init(&c.words);
	/* Also for an empty split every array exists. */
	e = need_ids(&w, 1, ctx);
	if (!e)
		e = need_words(&w, 1, ctx);
	if (!e && d->kind == TASK_LM)
		e = encode_text(&w, &c, d->u[split], d->n[split], ctx);
	else if (!e)
		e = encode_labelled(&w, &c, d->u[split], d->n[split], ctx);
	cache_release(&c);
	if (e) {
		encoded_release(&made);
		return e;
	}
	*out = made;
	return ERR_OK;
}

static enum err make_room(struct encoded *e, size_t n_sequences, size_t n_ids,
	size_t n_words, struct err_ctx *ctx)
{
	e->start = calloc(n_sequences + 1, sizeof(*e->start));
	e->word_start = calloc(n_sequences + 1, sizeof(*e->word_start));
	e->intent = calloc(n_sequences + 1, sizeof(*e->intent));
	e->ids = calloc(n_ids + 1, sizeof(*e->ids));
	e->tags = calloc(n_ids + 1, sizeof(*e->tags));
	e->word_tags = calloc(n_words + 1, sizeof(*e->word_tags));
	e->word_token = calloc(n_words + 1, sizeof(*e->word_token));
	return e->start && e->word_start && e->intent && e->ids && e->tags &&
			       e->word_tags && e->word_token
		       ? ERR_OK
		       : nomem(ctx);
}

static void copy_sequence(struct encoded *to, const struct encoded *from, size_t i)
{
	uint32_t at = to->start[to->n], word = to->word_start[to->n];
	uint32_t first = from->start[i], n = from->start[i + 1] - first;
	uint32_t first_word = from->word_start[i],
		 n_words = from->word_start[i + 1] - first_word;

	memcpy(to->ids + at, from->ids + first, n * sizeof(*to->ids));
	memcpy(to->tags + at, from->tags + first, n * sizeof(*to->tags));
	memcpy(to->word_tags + word, from->word_tags + first_word,
		n_words * sizeof(*to->word_tags));
	memcpy(to->word_token + word, from->word_token + first_word,
		n_words * sizeof(*to->word_token));
	to->intent[to->n] = from->intent[i];
	to->n++;
	to->start[to->n] = at + n;
	to->word_start[to->n] = word + n_words;
}

enum err encoded_sample(
	const struct encoded *all, size_t n, struct encoded *out, struct err_ctx *ctx)
{
	enum err e;

	memset(out, 0, sizeof(*out));
	n = n < all->n ? n : all->n;
	e = make_room(out, n, all->start[all->n], all->word_start[all->n], ctx);
	for (size_t i = 0; i < n && !e; i++)
		copy_sequence(out, all, i * all->n / n);
	if (e)
		encoded_release(out);
	return e;
}

void encoded_release(struct encoded *e)
{
	free(e->start);
	free(e->ids);
	free(e->tags);
	free(e->intent);
	free(e->word_start);
	free(e->word_tags);
	free(e->word_token);
	memset(e, 0, sizeof(*e));
}
