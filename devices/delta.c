#include "devices/delta.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 32
#define STEP 4 /* blocks of the old content begin at its multiples */
#define MIN_BITS 8
#define MAX_BITS 20
#define NOWHERE UINT32_MAX

struct search {
	const uint8_t *old, *data;
	size_t old_len, len;
	uint32_t *table; /* where a block with this hash lies in the old content */
	unsigned bits;	 /* of its size */
	size_t done;	 /* of the new content */
	struct delta *d;
	size_t cap;
};

static size_t slot(const struct search *s, const uint8_t *block)
{
	uint64_t h = 0, v;

	for (size_t i = 0; i < BLOCK; i += sizeof(v)) {
		memcpy(&v, block + i, sizeof(v));
		h = (h ^ v) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return (size_t)(h >> (64 - s->bits));
}

/* The match around `at` in the new and `from` in the old content; 0 long when there is none. */
static struct delta_copy grow(const struct search *s, size_t at, size_t from)
{
	size_t n = 0, back = 0;

	if (from + BLOCK > s->old_len || memcmp(s->data + at, s->old + from, BLOCK) != 0)
		return (struct delta_copy){0, 0, 0};
	while (at + n < s->len && from + n < s->old_len &&
		s->data[at + n] == s->old[from + n])
		n++;
	while (at - back > s->done && from > back &&
		s->data[at - back - 1] == s->old[from - back - 1])
		back++;
	return (struct delta_copy){
		(uint32_t)(at - back), (uint32_t)(from - back), (uint32_t)(n + back)};
}

static int add(struct search *s, const struct delta_copy *c)
{
	struct delta *d = s->d;

	if (d->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		struct delta_copy *p = realloc(d->copies, cap * sizeof(*p));

		if (!p)
			return 0;
		d->copies = p;
		s->cap = cap;
	}
	d->copies[d->n++] = *c;
	s->done = c->at + c->len;
	return 1;
}

/* The longer of what the hash finds and what goes on as the copy before did. */
static struct delta_copy best_at(const struct search *s, size_t at)
{
	const struct delta_copy *last = s->d->n ? &s->d->copies[s->d->n - 1] : NULL;
	struct delta_copy best = {0, 0, 0}, other;
	uint32_t from = s->table[slot(s, s->data + at)];

	if (last)
		best = grow(s, at, at - last->at + last->from);
	if (from != NOWHERE) {
		other = grow(s, at, from);
		if (other.len > best.len)
			best = other;
	}
	return best;
}

static int search(struct search *s)
{
	for (size_t at = s->old_len / STEP * STEP + STEP; at > 0;) {
		at -= STEP;
		if (at + BLOCK <= s->old_len)
			s->table[slot(s, s->old + at)] = (uint32_t)at;
	}
	for (size_t at = 0; at + BLOCK <= s->len;) {
		struct delta_copy c = best_at(s, at);

		if (c.len < DELTA_MIN_BYTES)
			at++;
		else if (!add(s, &c))
			return 0;
		else
			at = s->done;
	}
	return 1;
}

enum err delta_plan(struct delta *d, const uint8_t *old, size_t old_len,
	const uint8_t *data, size_t len, struct err_ctx *ctx)
{
	struct search s = {
		.old = old, .data = data, .old_len = old_len, .len = len, .d = d};
	int done;

	memset(d, 0, sizeof(*d));
	if (old_len > DELTA_MAX_BYTES || len > DELTA_MAX_BYTES)
		return ERR_OK;
	for (s.bits = MIN_BITS; s.bits < MAX_BITS && old_len >> s.bits > STEP / 2;)
		s.bits++;
	s.table = malloc(sizeof(*s.table) << s.bits);
	if (s.table)
		memset(s.table, 0xff, sizeof(*s.table) << s.bits);
	done = s.table && search(&s);
	free(s.table);
	if (done)
		return ERR_OK;
	delta_release(d);
	return err_set(ctx, ERR_NOMEM, "out of memory");
}

void delta_release(struct delta *d)
{
	free(d->copies);
	memset(d, 0, sizeof(*d));
}
