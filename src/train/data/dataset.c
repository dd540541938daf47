#include "src/train/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/rng.h"
#include "src/train/data/builder.h"

const char *const split_names[N_SPLITS] = {"train", "valid", "test"};

void dataset_release(struct dataset *d)
{
	for (int s = 0; s < N_SPLITS; s++) {
		for (size_t i = 0; i < d->n[s]; i++) {
			free(d->u[s][i].text);
			free(d->u[s][i].tags);
		}
		free(d->u[s]);
	}
	for (size_t i = 0; i < d->n_intents; i++)
		free(d->intents[i]);
	for (size_t i = 0; i < d->n_tags; i++)
		free(d->tags[i]);
	free(d->intents);
	free(d->tags);
	memset(d, 0, sizeof(*d));
}

struct task_shape dataset_task(const struct dataset *d)
{
	struct task_shape t = {d->kind, (int)d->n_intents, (int)d->n_tags};

	return t;
}

static void hash_number(struct hash_state *st, uint64_t x)
{
	uint8_t b[8];

	for (int i = 0; i < 8; i++)
		b[i] = (uint8_t)(x >> 8 * i);
	hash_update(st, b, sizeof(b));
}

static void hash_utterance(struct hash_state *st, const struct utterance *u)
{
	hash_field_str(st, u->text);
	hash_number(st, (uint64_t)(int64_t)u->intent);
	hash_number(st, u->tags ? u->n_words : 0);
	for (uint32_t w = 0; u->tags && w < u->n_words; w++)
		hash_number(st, (uint64_t)(int64_t)u->tags[w]);
}

void dataset_rehash(struct dataset *d)
{
	struct hash_state st;

	hash_init(&st);
	hash_number(&st, (uint64_t)d->kind);
	hash_number(&st, d->n_intents);
	for (size_t i = 0; i < d->n_intents; i++)
		hash_field_str(&st, d->intents[i]);
	hash_number(&st, d->n_tags);
	for (size_t i = 0; i < d->n_tags; i++)
		hash_field_str(&st, d->tags[i]);
	for (int s = 0; s < N_SPLITS; s++) {
		hash_number(&st, d->n[s]);
		for (size_t i = 0; i < d->n[s]; i++)
			hash_utterance(&st, &d->u[s][i]);
	}
	hash_final(&st, &d->hash);
}

/* Every word's tag changes places with that of a random word of a random utterance. */
static void shuffle_tags(struct rng *rng, struct utterance *u, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (uint32_t w = 0; w < u[i].n_words; w++) {
			struct utterance *other = &u[rng_below(rng, n)];
			int16_t *x = &other->tags[rng_below(rng, other->n_words)];
			int16_t t = u[i].tags[w];

			u[i].tags[w] = *x;
			*x = t;
		}
	}
}

static void shuffle_intents(struct rng *rng, struct utterance *u, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = (size_t)rng_below(rng, i);
		int16_t t = u[i - 1].intent;

		u[i - 1].intent = u[j].intent;
		u[j].intent = t;
	}
}

/* The B-x of an I-x: they stand next to each other in the order of tags. */
static int16_t opening_tag(const struct dataset *d, int16_t tag)
{
	const char *name = d->tags[tag];

	if (name[0] == 'I' && tag > 0 && !strcmp(d->tags[tag - 1] + 1, name + 1))
		return (int16_t)(tag - 1);
	return tag;
}

/* Tags in random order break the rule that I-x follows B-x or I-x: mend them. */
static void mend_tags(const struct dataset *d, struct utterance *u)
{
	for (uint32_t w = 0; w < u->n_words; w++) {
		int16_t b = opening_tag(d, u->tags[w]), before = w ? u->tags[w - 1] : 0;

		if (b != u->tags[w] && before != b && before != u->tags[w])
			u->tags[w] = b;
	}
}

void dataset_shuffle_labels(struct dataset *d, uint64_t seed)
{
	struct utterance *u = d->u[SPLIT_TRAIN];
	size_t n = d->n[SPLIT_TRAIN];
	struct rng root, intents, tags;

	if (d->kind == TASK_LM)
		return;
	rng_init(&root, seed);
	rng_split(&root, "shuffle intents", 0, &intents);
	rng_split(&root, "shuffle tags", 0, &tags);
	shuffle_intents(&intents, u, n);
	if (d->kind == TASK_INTENT_SLOTS) {
		shuffle_tags(&tags, u, n);
		for (size_t i = 0; i < n; i++)
			mend_tags(d, &u[i]);
	}
	dataset_rehash(d);
}
