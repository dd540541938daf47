#include "src/train/batch.h"

#include <stdlib.h>
#include <string.h>

void batch_init(struct batch *b)
{
	memset(b, 0, sizeof(*b));
}

void batch_release(struct batch *b)
{
	free(b->start);
	free(b->ids);
	free(b->intent);
	free(b->word_tok);
	free(b->word_tag);
	free(b->word_slot);
	free(b->slot_word);
	free(b->next);
	batch_init(b);
}

static int grow(void *array, size_t n, size_t size)
{
	void *p;

	memcpy(&p, array, sizeof(p)); /* whatever it points to */
	p = realloc(p, (n ? n : 1) * size);
	if (!p)
		return -1;
	memcpy(array, &p, sizeof(p));
	return 0;
}

static enum err reserve(
	struct batch *b, size_t n_seq, size_t n_tok, size_t n_word, struct err_ctx *ctx)
{
	int bad = 0;

	if (n_seq + 1 > b->cap_seq) {
		bad |= grow(&b->start, n_seq + 1, sizeof(*b->start));
		bad |= grow(&b->intent, n_seq + 1, sizeof(*b->intent));
		b->cap_seq = bad ? 0 : n_seq + 1;
	}
	if (!bad && n_tok > b->cap_tok) {
		n_tok += n_tok / 4;
		bad |= grow(&b->ids, n_tok, sizeof(*b->ids));
		bad |= grow(&b->next, n_tok, sizeof(*b->next));
		b->cap_tok = bad ? 0 : n_tok;
	}
	if (!bad && n_word > b->cap_word) {
		n_word += n_word / 4;
		bad |= grow(&b->word_tok, n_word, sizeof(*b->word_tok));
		bad |= grow(&b->word_tag, n_word, sizeof(*b->word_tag));
		bad |= grow(&b->word_slot, n_word, sizeof(*b->word_slot));
		bad |= grow(&b->slot_word, n_word, sizeof(*b->slot_word));
		b->cap_word = bad ? 0 : n_word;
	}
	return bad ? err_set(ctx, ERR_NOMEM, "out of memory for a batch") : ERR_OK;
}

static void add_words(
	struct batch *b, const struct encoded *e, size_t seq, uint32_t at, uint32_t len)
{
	for (uint32_t w = e->word_start[seq]; w < e->word_start[seq + 1]; w++) {
		uint32_t slot = b->n_slots++;

		b->slot_word[slot] = BATCH_NO_ROW;
		if (e->word_token[w] >= len)
			continue;
		b->slot_word[slot] = b->n_words;
		b->word_tok[b->n_words] = at + e->word_token[w];
		b->word_tag[b->n_words] = e->word_tags[w];
		b->word_slot[b->n_words++] = slot;
	}
}

static void add_sequence(struct batch *b, const struct encoded *e, size_t seq)
{
	uint32_t from = e->start[seq], len = e->start[seq + 1] - from, at = b->n_tok;

	b->start[b->n_seq] = at;
	b->intent[b->n_seq++] = e->intent[seq];
	/* Windows of text are cut from one stream: the token after a window exists, too.
	 */
	for (uint32_t t = 0; t < len; t++) {
		b->ids[at + t] = e->ids[from + t];
		b->next[at + t] = e->intent[seq] < 0 ? e->ids[from + t + 1] : -1;
	}
	b->n_targets += e->intent[seq] < 0 ? len : 0;
	add_words(b, e, seq, at, len);
	b->n_tok += len;
	b->longest = len > b->longest ? len : b->longest;
}

static void restart(struct batch *b, const struct encoded *e)
{
	b->n_seq = b->n_tok = b->longest = b->n_words = b->n_slots = b->n_targets = 0;
	b->from = e;
}

enum err batch_fill(struct batch *b, const struct encoded *e, const uint32_t *index,
	size_t n, struct err_ctx *ctx)
{
	size_t n_tok = 0, n_word = 0;
	enum err err;

	for (size_t i = 0; i < n; i++) {
		size_t s = index[i] % e->n;

		n_tok += e->start[s + 1] - e->start[s];
		n_word += e->word_start[s + 1] - e->word_start[s];
	}
	err = reserve(b, n, n_tok, n_word, ctx);
	if (err)
		return err;
	restart(b, e);
	for (size_t i = 0; i < n; i++)
		add_sequence(b, e, index[i] % e->n);
	b->start[b->n_seq] = b->n_tok;
	return ERR_OK;
}

/* Tokens of word w of sequence seq; returns how many, 0 when it was cut off. */
static uint32_t word_tokens(
	const struct encoded *e, size_t seq, uint32_t w, const int32_t **ids)
{
	uint32_t len = e->start[seq + 1] - e->start[seq], at = e->word_token[w],
		 end = len;

	if (at >= len)
		return 0;
	if (w + 1 < e->word_start[seq + 1] && e->word_token[w + 1] < len)
		end = e->word_token[w + 1];
	*ids = e->ids + e->start[seq] + at;
	return end - at;
}

static void add_word(struct batch *b, int16_t tag, const int32_t *ids, uint32_t n)
{
	b->slot_word[b->n_slots] = b->n_words;
	b->word_tok[b->n_words] = b->n_tok;
	b->word_tag[b->n_words] = tag;
	b->word_slot[b->n_words++] = b->n_slots++;
	for (uint32_t i = 0; i < n; i++) {
		b->next[b->n_tok] = -1;
		b->ids[b->n_tok++] = ids[i];
	}
}

/* 0, with nothing added, when the text gets too long. */
static int mix_sequence(struct batch *b, const struct encoded *e, size_t seq,
	const struct batch_mix *mix, struct rng *rng)
{
	struct batch before = *b;
	uint32_t at = b->n_tok;

	for (uint32_t w = e->word_start[seq]; w < e->word_start[seq + 1]; w++) {
		const struct encoded *from = e;
		const int32_t *ids = NULL;
		uint32_t n;

		if (rng_unit(rng) < mix->p)
			from = mix->alt[rng_below(rng, mix->n_alt)];
		n = word_tokens(from, seq, w, &ids);
		if (!n || b->n_tok - at + n > mix->seq_len) {
			*b = before;
			return 0;
		}
		add_word(b, e->word_tags[w], ids, n);
	}
	b->start[b->n_seq] = at;
	b->intent[b->n_seq++] = e->intent[seq];
	b->longest = b->n_tok - at > b->longest ? b->n_tok - at : b->longest;
	return 1;
}

enum err batch_fill_mixed(struct batch *b, const struct encoded *e, const uint32_t *index,
	size_t n, const struct batch_mix *mix, struct rng *rng, struct err_ctx *ctx)
{
	size_t n_word = 0;
	enum err err;

	for (size_t i = 0; i < n; i++) {
		size_t s = index[i] % e->n;

		n_word += e->word_start[s + 1] - e->word_start[s];
	}
	err = reserve(b, n, n * mix->seq_len, n_word, ctx);
	if (err)
		return err;
	restart(b, e);
	for (size_t i = 0; i < n; i++)
		if (!mix_sequence(b, e, index[i] % e->n, mix, rng))
			add_sequence(b, e, index[i] % e->n);
	b->start[b->n_seq] = b->n_tok;
	return ERR_OK;
}

void batch_drop_words(struct batch *b, double p, struct rng *rng)
{
	for (uint32_t t = 0; p > 0 && t < b->n_tok; t++)
		if (rng_unit(rng) < p)
			b->ids[t] = TOKEN_UNK;
}
