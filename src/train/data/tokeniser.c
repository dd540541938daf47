/* Training, storing and freeing of a tokeniser table: words out of a data set's training
 * text, the merges by bpe.c. */
#include <stdlib.h>
#include <string.h>

#include "src/train/data/bpe.h"
#include "src/train/data/strmap.h"
#include "src/train/dataset.h"

#define MAX_VOCAB 65536u

/* A table in one allocation. */
struct owned_table {
	struct tokeniser_table t;
	uint8_t bytes[256];
	uint16_t merges[];
};

struct vocabulary {
	struct strmap words;
	uint64_t *count; /* [words.n] */
	size_t cap;
	uint16_t id_of[256]; /* base byte to id */
	uint32_t n_bytes;
};

static int is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static enum err count_word(
	struct vocabulary *v, const char *word, size_t len, struct err_ctx *ctx)
{
	uint32_t index;
	enum err e;

	if (len > TOKENISE_MAX_WORD - 1)
		len = TOKENISE_MAX_WORD - 1;
	e = strmap_put(&v->words, word, len, &index, ctx);
	if (e)
		return e;
	if (index >= v->cap) {
		size_t cap = v->cap ? 2 * v->cap : 4096;
		uint64_t *count = realloc(v->count, cap * sizeof(*count));

		if (!count)
			return err_set(ctx, ERR_NOMEM, "out of memory");
		memset(count + v->cap, 0, (cap - v->cap) * sizeof(*count));
		v->count = count;
		v->cap = cap;
	}
	v->count[index]++;
	return ERR_OK;
}

/* The words of a text as tokenise_text cuts them; line ends count for plain text only. */
static enum err count_text(
	struct vocabulary *v, const char *text, int newline_is_word, struct err_ctx *ctx)
{
	enum err e = ERR_OK;

	while (*text && !e) {
		size_t len = 0;

		if (*text == '\n') {
			if (newline_is_word)
				e = count_word(v, text, 1, ctx);
			len = 1;
		} else if (is_blank(*text)) {
			len = 1;
		} else {
			while (text[len] && text[len] != '\n' && !is_blank(text[len]))
				len++;
			e = count_word(v, text, len, ctx);
		}
		text += len;
	}
	return e;
}

static void number_bytes(struct vocabulary *v)
{
	int seen[256] = {0};

	seen[' '] = 1;
	for (uint32_t i = 0; i < v->words.n; i++)
		for (uint32_t k = 0; k < v->words.lens[i]; k++)
			seen[(uint8_t)v->words.keys[i][k]] = 1;
	for (int c = 0; c < 256; c++)
		if (seen[c])
			v->id_of[c] = (uint16_t)(N_SPECIAL_TOKENS + v->n_bytes++);
}

/* The words as ids in one block, each with its leading space. */
static enum err make_words(const struct vocabulary *v, struct bpe_word **words,
	uint16_t **block, struct err_ctx *ctx)
{
	size_t total = 0, at = 0;

	for (uint32_t i = 0; i < v->words.n; i++)
		total += v->words.lens[i] + 1;
	*words = malloc((v->words.n + 1) * sizeof(**words));
	*block = malloc((total + 1) * sizeof(**block));
	if (!*words || !*block)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (uint32_t i = 0; i < v->words.n; i++) {
		const char *key = v->words.keys[i];
		struct bpe_word *w = &(*words)[i];

		w->ids = *block + at;
		w->n = 0;
		w->count = v->count[i];
		if (strcmp(key, "\n"))
			w->ids[w->n++] = v->id_of[' '];
		for (; *key; key++)
			w->ids[w->n++] = v->id_of[(uint8_t)*key];
		at += w->n;
	}
	return ERR_OK;
}

static enum err train_merges(const struct vocabulary *v, struct owned_table *o,
	uint32_t wanted, struct err_ctx *ctx)
{
	struct bpe_word *words = NULL;
	uint16_t *block = NULL;
	enum err e = make_words(v, &words, &block, ctx);

	if (!e)
		e = bpe_train(words, v->words.n, N_SPECIAL_TOKENS + v->n_bytes, wanted,
			o->merges, &o->t.n_merges, ctx);
	free(words);
	free(block);
	return e;
}

static enum err make_table(const struct vocabulary *v, uint32_t vocab_size,
	struct tokeniser_table **out, struct err_ctx *ctx)
{
	uint32_t base = N_SPECIAL_TOKENS + v->n_bytes, n = 0;
	struct owned_table *o;
	enum err e;

	if (vocab_size < base)
		return err_set(ctx, ERR_INVALID,
			"a vocabulary of %u tokens is too small: the training text has "
			"%u "
			"different bytes, so at least %u are needed",
			vocab_size, v->n_bytes, base);
	if (vocab_size > MAX_VOCAB)
		return err_set(ctx, ERR_INVALID,
			"a vocabulary of %u tokens is too large, at most %u are possible",
			vocab_size, MAX_VOCAB);
	o = calloc(1, sizeof(*o) + (vocab_size - base + 1) * 2 * sizeof(o->merges[0]));
	if (!o)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (int c = 0; c < 256; c++)
		if (v->id_of[c])
			o->bytes[n++] = (uint8_t)c;
	e = train_merges(v, o, vocab_size - base, ctx);
	if (e) {
		free(o);
		return e;
	}
	o->t.n_bytes = v->n_bytes;
	o->t.vocab_size = base + o->t.n_merges;
	o->t.bytes = o->bytes;
	o->t.merges = o->merges;
	*out = &o->t;
	return ERR_OK;
}

enum err tokeniser_train(const struct dataset *d, uint32_t vocab_size,
	struct tokeniser_table **out, struct err_ctx *ctx)
{
	struct vocabulary v;
	enum err e = ERR_OK;

	memset(&v, 0, sizeof(v));
	strmap_init(&v.words);
	for (size_t i = 0; i < d->n[SPLIT_TRAIN] && !e; i++)
		e = count_text(&v, d->u[SPLIT_TRAIN][i].text, d->kind == TASK_LM, ctx);
	if (!e) {
		number_bytes(&v);
		e = make_table(&v, vocab_size, out, ctx);
	}
	strmap_release(&v.words);
	free(v.count);
	return e;
}

void tokeniser_free(struct tokeniser_table *t)
{
	free(t); /* the first member of its owned_table */
}

static void put_u32(struct buf *out, uint32_t x)
{
	for (int i = 0; i < 4; i++)
		buf_putc(out, (char)(x >> 8 * i & 0xff));
}

void tokeniser_pack(const struct tokeniser_table *t, struct buf *out)
{
	put_u32(out, t->n_bytes);
	put_u32(out, t->n_merges);
	buf_append(out, t->bytes, t->n_bytes);
	if (t->n_bytes % 2)
		buf_putc(out, 0);
	for (size_t i = 0; i < 2 * (size_t)t->n_merges; i++) {
		buf_putc(out, (char)(t->merges[i] & 0xff));
		buf_putc(out, (char)(t->merges[i] >> 8));
	}
}
