#include "src/train/features.h"

#include <stdlib.h>
#include <string.h>

void bag_init(struct bag *b)
{
	memset(b, 0, sizeof(*b));
}

void bag_release(struct bag *b)
{
	free(b->key);
	free(b->count);
	bag_init(b);
}

static void add(struct bag *b, uint64_t key)
{
	if (b->n == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 256;
		uint64_t *k = realloc(b->key, cap * sizeof(*k));
		float *c;

		if (k)
			b->key = k;
		c = k ? realloc(b->count, cap * sizeof(*c)) : NULL;
		if (!c) {
			b->failed = 1;
			return;
		}
		b->count = c;
		b->cap = cap;
	}
	b->key[b->n] = key;
	b->count[b->n++] = 1;
}

/* FNV-1a from a seed that tells kinds of features apart. */
static uint64_t mix(uint64_t h, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)s[i]) * 0x100000001b3u;
	return h;
}

static uint64_t kind(uint64_t k)
{
	return 0xcbf29ce484222325u ^ k * 0x9e3779b97f4a7c15u;
}

static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts, and counts equal keys together. */
static void merge(struct bag *b)
{
	size_t n = 0;

	if (!b->n)
		return;
	qsort(b->key, b->n, sizeof(*b->key), by_key);
	for (size_t i = 0; i < b->n; i++) {
		if (n && b->key[n - 1] == b->key[i]) {
			b->count[n - 1]++;
			continue;
		}
		b->key[n] = b->key[i];
		b->count[n++] = 1;
	}
	b->n = n;
}

/* The next word from *p on; its length, 0 at the end. */
static size_t next_word(const char **p, const char **word)
{
	const char *s = *p;
	size_t n;

	while (*s == ' ')
		s++;
	n = strcspn(s, " ");
	*word = s;
	*p = s + n;
	return n;
}

static void add_characters(struct bag *b, const char *word, size_t len)
{
	char padded[130];
	size_t n = len < sizeof(padded) - 2 ? len : sizeof(padded) - 2;

	padded[0] = ' ';
	memcpy(padded + 1, word, n);
	padded[n + 1] = ' ';
	for (size_t size = 2; size <= 4; size++)
		for (size_t i = 0; i + size <= n + 2; i++)
			add(b, mix(kind(3), padded + i, size));
}

void bag_of_text(struct bag *b, const struct utterance *u)
{
	const char *p = u->text, *word;
	uint64_t before = kind(2);
	size_t len;

	b->n = 0;
	while ((len = next_word(&p, &word))) {
		add(b, mix(kind(1), word, len));
		add(b, mix(before, word, len));
		before = mix(mix(kind(2), word, len), " ", 1);
		add_characters(b, word, len);
	}
	merge(b);
}

/* Word i of the text, or "" outside. */
static const char *word_at(const struct utterance *u, int64_t i, size_t *len)
{
	const char *p = u->text, *word = "";

	*len = 0;
	if (i < 0 || i >= (int64_t)u->n_words)
		return "";
	for (int64_t k = 0; k <= i; k++)
		*len = next_word(&p, &word);
	return word;
}

static uint64_t shape_of(const char *word, size_t n)
{
	uint64_t digits = 0, other = 0;

	for (size_t i = 0; i < n; i++) {
		digits += word[i] >= '0' && word[i] <= '9';
		other += !((word[i] >= 'a' && word[i] <= 'z') || (uint8_t)word[i] >= 128);
	}
	return (digits == n ? 4u : 0u) + (digits > 0 ? 2u : 0u) +
	       (other > digits ? 1u : 0u);
}

void bag_of_word(struct bag *b, const struct utterance *u, uint32_t at)
{
	const char *w[5];
	size_t len[5];

	b->n = 0;
	for (int d = -2; d <= 2; d++) {
		w[d + 2] = word_at(u, (int64_t)at + d, &len[d + 2]);
		add(b, mix(kind((uint64_t)(20 + d)), w[d + 2], len[d + 2]));
	}
	add(b, mix(mix(mix(kind(30), w[1], len[1]), " ", 1), w[2], len[2]));
	add(b, mix(mix(mix(kind(31), w[2], len[2]), " ", 1), w[3], len[3]));
	add(b, mix(mix(mix(kind(32), w[1], len[1]), " ", 1), w[3], len[3]));
	add(b, mix(mix(mix(kind(33), w[0], len[0]), " ", 1), w[1], len[1]));
	for (size_t n = 1; n <= 4 && n <= len[2]; n++) {
		add(b, mix(kind(40 + n), w[2], n));
		add(b, mix(kind(50 + n), w[2] + len[2] - n, n));
	}
	add(b, kind(60) + shape_of(w[2], len[2]));
	add(b, kind(70) + (at == 0));
	merge(b);
}
