#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "src/train/train.h"

/* One encoded split; the list only grows, entries never move. */
struct corpus_entry {
	enum split split;
	uint32_t vocab_size, seq_len;
	struct encoded encoded;
	struct corpus_entry *next;
};

struct corpus_cache {
	pthread_mutex_t lock;
	struct corpus_entry *first;
};

static void hash_corpus(struct corpus *c)
{
	struct hash_state st;

	hash_init(&st);
	hash_field_str(&st, "corpus 1");
	hash_field(&st, c->data.hash.b, HASH_BYTES);
	hash_field(&st, c->tokeniser->bytes, c->tokeniser->n_bytes);
	hash_field(&st, c->tokeniser->merges,
		c->tokeniser->n_merges * 2 * sizeof(*c->tokeniser->merges));
	hash_final(&st, &c->hash);
}

enum err corpus_open(struct corpus *c, const char *source, const char *format,
	uint32_t vocab_size, struct err_ctx *ctx)
{
	struct dataset data;
	enum err err = dataset_open(&data, source, format, ctx);

	return err ? err : corpus_from_dataset(c, &data, vocab_size, ctx);
}

enum err corpus_from_dataset(
	struct corpus *c, struct dataset *data, uint32_t vocab_size, struct err_ctx *ctx)
{
	enum err err;

	memset(c, 0, sizeof(*c));
	c->data = *data;
	memset(data, 0, sizeof(*data));
	if (!c->data.n[SPLIT_TRAIN]) {
		err = err_set(ctx, ERR_INVALID, "data set '%s' has no training text",
			c->data.name);
		corpus_release(c);
		return err;
	}
	err = tokeniser_train(&c->data, vocab_size, &c->tokeniser, ctx);
	if (!err)
		err = label_rules_make(&c->rules, &c->data, ctx);
	if (!err) {
		c->cache = calloc(1, sizeof(*c->cache));
		if (!c->cache)
			err = err_set(ctx, ERR_NOMEM, "out of memory for a corpus");
	}
	if (err) {
		corpus_release(c);
		return err;
	}
	pthread_mutex_init(&c->cache->lock, NULL);
	hash_corpus(c);
	return ERR_OK;
}

void corpus_release(struct corpus *c)
{
	struct corpus_entry *e = c->cache ? c->cache->first : NULL;

	while (e) {
		struct corpus_entry *next = e->next;

		encoded_release(&e->encoded);
		free(e);
		e = next;
	}
	if (c->cache)
		pthread_mutex_destroy(&c->cache->lock);
	free(c->cache);
	if (c->tokeniser)
		tokeniser_free(c->tokeniser);
	label_rules_release(&c->rules);
	dataset_release(&c->data);
	memset(c, 0, sizeof(*c));
}

static enum err find_or_encode(struct corpus *c, const struct corpus_entry *key,
	const struct encoded **out, struct err_ctx *ctx)
{
	struct corpus_entry *e;
	enum err err;

	for (e = c->cache->first; e; e = e->next)
		if (e->split == key->split && e->vocab_size == key->vocab_size &&
			e->seq_len == key->seq_len) {
			*out = &e->encoded;
			return ERR_OK;
		}
	e = malloc(sizeof(*e));
	if (!e)
		return err_set(ctx, ERR_NOMEM, "out of memory for an encoded split");
	*e = *key;
	err = dataset_encode(&c->data, key->split, c->tokeniser, key->vocab_size,
		key->seq_len, &e->encoded, ctx);
	if (err) {
		free(e);
		return err;
	}
	e->next = c->cache->first;
	c->cache->first = e;
	*out = &e->encoded;
	return ERR_OK;
}

enum err corpus_encoded(struct corpus *c, enum split split, uint32_t vocab_size,
	uint32_t seq_len, const struct encoded **out, struct err_ctx *ctx)
{
	struct corpus_entry key;
	enum err err;

	memset(&key, 0, sizeof(key));
	key.split = split;
	key.seq_len = seq_len;
	/* A small text may not fill the vocabulary that a genome has rows for. */
	key.vocab_size = vocab_size < c->tokeniser->vocab_size ? vocab_size
							       : c->tokeniser->vocab_size;
	if (!c->data.n[split])
		return err_set(ctx, ERR_INVALID, "data set '%s' has no %s split",
			c->data.name, split_names[split]);
	pthread_mutex_lock(&c->cache->lock);
	err = find_or_encode(c, &key, out, ctx);
	pthread_mutex_unlock(&c->cache->lock);
	if (!err && !(*out)->n)
		return err_set(ctx, ERR_INVALID, "the %s split of '%s' is empty",
			split_names[split], c->data.name);
	return err;
}
