#include "src/train/data/bpe.h"

#include <stdlib.h>
#include <string.h>

/* A pair of ids, how often it occurs now, and the words that have or had it. */
struct pair {
	uint32_t key; /* left << 16 | right */
	uint64_t count;
	uint32_t *words;
	uint32_t n_words, cap;
};

/* A pair's count as it was when it was put in: checked against the pair when taken out.
 */
struct entry {
	uint64_t count;
	uint32_t key, pair;
};

struct trainer {
	struct bpe_word *words;
	struct pair *pairs;
	uint32_t n_pairs, cap_pairs;
	uint32_t *slots; /* [n_slots] pair + 1, 0: free */
	uint32_t n_slots;
	struct entry *heap;
	size_t n_heap, cap_heap;
	uint32_t *touched; /* pairs that grew in this merge */
	size_t n_touched, cap_touched;
	int failed; /* out of memory */
};

/* Room for one more item of an array; 0 and `failed` when there is none. */
static int room(struct trainer *t, void *array, size_t n, size_t *cap, size_t size)
{
	size_t new_cap = *cap ? 2 * *cap : 64;
	void *p;

	if (n < *cap)
		return 1;
	memcpy(&p, array, sizeof(p)); /* whatever it points to */
	p = realloc(p, new_cap * size);
	if (!p) {
		t->failed = 1;
		return 0;
	}
	memcpy(array, &p, sizeof(p));
	*cap = new_cap;
	return 1;
}

/* ---- heap: the pair to merge next on top */

static int before(const struct entry *a, const struct entry *b)
{
	return a->count != b->count ? a->count > b->count : a->key < b->key;
}

static void heap_push(struct trainer *t, struct entry x)
{
	size_t i = t->n_heap;

	if (!room(t, &t->heap, t->n_heap, &t->cap_heap, sizeof(*t->heap)))
		return;
	t->n_heap++;
	while (i > 0 && before(&x, &t->heap[(i - 1) / 2])) {
		t->heap[i] = t->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	t->heap[i] = x;
}

static struct entry heap_pop(struct trainer *t)
{
	struct entry top = t->heap[0], x = t->heap[--t->n_heap];
	size_t i = 0;

	for (;;) {
		size_t k = 2 * i + 1;

		if (k >= t->n_heap)
			break;
		if (k + 1 < t->n_heap && before(&t->heap[k + 1], &t->heap[k]))
			k++;
		if (!before(&t->heap[k], &x))
			break;
		t->heap[i] = t->heap[k];
		i = k;
	}
	if (t->n_heap)
		t->heap[i] = x;
	return top;
}

/* ---- pairs by key */

static uint32_t slot_of(const struct trainer *t, uint32_t key)
{
	uint32_t mask = t->n_slots - 1, s = (key * 2654435761u ^ key >> 15) & mask;

	while (t->slots[s] && t->pairs[t->slots[s] - 1].key != key)
		s = (s + 1) & mask;
	return s;
}

static int grow_slots(struct trainer *t)
{
	uint32_t n = t->n_slots ? 2 * t->n_slots : 4096;
	uint32_t *slots = calloc(n, sizeof(*slots));

	if (!slots) {
		t->failed = 1;
		return 0;
	}
	free(t->slots);
	t->slots = slots;
	t->n_slots = n;
	for (uint32_t i = 0; i < t->n_pairs; i++)
		t->slots[slot_of(t, t->pairs[i].key)] = i + 1;
	return 1;
}

/* The pair of a key, made when new; NULL when out of memory. */
static struct pair *pair_of(struct trainer *t, uint32_t key)
{
	size_t cap = t->cap_pairs;
	uint32_t s;

	if (2 * (t->n_pairs + 1) > t->n_slots && !grow_slots(t))
		return NULL;
	s = slot_of(t, key);
	if (t->slots[s])
		return &t->pairs[t->slots[s] - 1];
	if (!room(t, &t->pairs, t->n_pairs, &cap, sizeof(*t->pairs)))
		return NULL;
	t->cap_pairs = (uint32_t)cap;
	memset(&t->pairs[t->n_pairs], 0, sizeof(*t->pairs));
	t->pairs[t->n_pairs].key = key;
	t->slots[s] = ++t->n_pairs;
	return &t->pairs[t->n_pairs - 1];
}

static uint32_t key_at(const struct bpe_word *w, uint32_t i)
{
	return (uint32_t)w->ids[i] << 16 | w->ids[i + 1];
}

static void add_pair(struct trainer *t, uint32_t key, uint32_t word)
{
	struct pair *p = pair_of(t, key);
	size_t cap;

	if (!p)
		return;
	p->count += t->words[word].count;
	if (!p->n_words || p->words[p->n_words - 1] != word) {
		cap = p->cap;
		if (!room(t, &p->words, p->n_words, &cap, sizeof(*p->words)))
			return;
		p->cap = (uint32_t)cap;
		p->words[p->n_words++] = word;
	}
	if (room(t, &t->touched, t->n_touched, &t->cap_touched, sizeof(*t->touched)))
		t->touched[t->n_touched++] = (uint32_t)(p - t->pairs);
}

static void add_word(struct trainer *t, uint32_t word)
{
	for (uint32_t i = 0; i + 1 < t->words[word].n; i++)
		add_pair(t, key_at(&t->words[word], i), word);
}

static void drop_word(struct trainer *t, uint32_t word)
{
	const struct bpe_word *w = &t->words[word];

	for (uint32_t i = 0; i + 1 < w->n; i++)
		t->pairs[t->slots[slot_of(t, key_at(w, i))] - 1].count -= w->count;
}

/* Pairs that grew get an entry with their new count. */
static void push_touched(struct trainer *t)
{
	for (size_t i = 0; i < t->n_touched && !t->failed; i++) {
		const struct pair *p = &t->pairs[t->touched[i]];
		struct entry x = {p->count, p->key, t->touched[i]};

		heap_push(t, x);
	}
	t->n_touched = 0;
}

/* The best pair of now; 0 when none occurs twice. */
static int best_pair(struct trainer *t, uint32_t *pair)
{
	while (t->n_heap) {
		struct entry x = heap_pop(t);

		if (x.count < 2)
			return 0;
		if (x.count == t->pairs[x.pair].count) {
			*pair = x.pair;
			return 1;
		}
		x.count = t->pairs[x.pair].count;
		if (x.count >= 2)
			heap_push(t, x);
		if (t->failed)
			return 0;
	}
	return 0;
}

static int has_pair(const struct bpe_word *w, uint32_t key)
{
	for (uint32_t i = 0; i + 1 < w->n; i++)
		if (key_at(w, i) == key)
			return 1;
	return 0;
}

static void merge_in_word(struct bpe_word *w, uint32_t key, uint16_t made)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		if (i + 1 < w->n && key_at(w, i) == key) {
			w->ids[n++] = made;
			i++;
		} else {
			w->ids[n++] = w->ids[i];
		}
	}
	w->n = n;
}

static void merge(struct trainer *t, uint32_t pair, uint16_t made)
{
	uint32_t key = t->pairs[pair].key, n = t->pairs[pair].n_words;
	uint32_t *words = t->pairs[pair].words;

	t->pairs[pair].words = NULL; /* it never occurs again */
	t->pairs[pair].n_words = t->pairs[pair].cap = 0;
	for (uint32_t i = 0; i < n && !t->failed; i++) {
		if (!has_pair(&t->words[words[i]], key))
			continue;
		drop_word(t, words[i]);
		merge_in_word(&t->words[words[i]], key, made);
		add_word(t, words[i]);
	}
	free(words);
	push_touched(t);
}

static void release(struct trainer *t)
{
	for (uint32_t i = 0; i < t->n_pairs; i++)
		free(t->pairs[i].words);
	free(t->pairs);
	free(t->slots);
	free(t->heap);
	free(t->touched);
}

enum err bpe_train(struct bpe_word *words, uint32_t n_words, uint32_t first_id,
	uint32_t n_wanted, uint16_t *merges, uint32_t *n_made, struct err_ctx *ctx)
{
	struct trainer t;
	uint32_t pair, made = 0;
	int failed;

	memset(&t, 0, sizeof(t));
	t.words = words;
	for (uint32_t i = 0; i < n_words && !t.failed; i++)
		add_word(&t, i);
	push_touched(&t);
	while (made < n_wanted && !t.failed && best_pair(&t, &pair)) {
		merges[2 * made] = (uint16_t)(t.pairs[pair].key >> 16);
		merges[2 * made + 1] = (uint16_t)t.pairs[pair].key;
		merge(&t, pair, (uint16_t)(first_id + made));
		made++;
	}
	failed = t.failed;
	release(&t);
	if (failed)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	*n_made = made;
	return ERR_OK;
}
