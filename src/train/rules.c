/* The rules of a data set's labels, room to decode with them, and exact spans. */
#include <stdlib.h>
#include <string.h>

#include "src/train/spans.h"

static enum label_mark mark_of(const char *tag)
{
	return !strncmp(tag, "B-", 2)	? LABEL_BEGIN
	       : !strncmp(tag, "I-", 2) ? LABEL_INSIDE
					: LABEL_OUTSIDE;
}

/* The B-x of B-x and I-x. */
static int16_t begin_of(const struct dataset *d, size_t tag)
{
	if (mark_of(d->tags[tag]) == LABEL_OUTSIDE)
		return -1;
	for (size_t j = 0; j < d->n_tags; j++)
		if (mark_of(d->tags[j]) == LABEL_BEGIN &&
			!strcmp(d->tags[j] + 2, d->tags[tag] + 2))
			return (int16_t)j;
	return -1;
}

/* Which tags the training split has beside which intent; "O" goes with every one. */
static void find_pairs(const struct dataset *d, uint8_t *pairs)
{
	size_t width = LABEL_PAIR_BYTES(d->n_tags);

	for (size_t i = 0; i < d->n_intents; i++)
		pairs[i * width] = 1;
	for (size_t s = 0; s < d->n[SPLIT_TRAIN]; s++) {
		const struct utterance *u = &d->u[SPLIT_TRAIN][s];
		uint8_t *row = pairs + (size_t)u->intent * width;

		for (uint32_t w = 0; w < u->n_words; w++)
			row[u->tags[w] / 8] |= (uint8_t)(1u << u->tags[w] % 8);
	}
}

enum err label_rules_make(
	struct label_rules *r, const struct dataset *d, struct err_ctx *ctx)
{
	size_t n_pairs = d->n_intents * LABEL_PAIR_BYTES(d->n_tags);
	int16_t *begin = calloc(1, d->n_tags * (sizeof(*begin) + 1) + n_pairs + 1);
	uint8_t *mark = (uint8_t *)(begin + d->n_tags), *pairs = mark + d->n_tags;

	memset(r, 0, sizeof(*r));
	if (!begin)
		return err_set(ctx, ERR_NOMEM, "out of memory for the rules of labels");
	for (size_t i = 0; i < d->n_tags; i++) {
		mark[i] = (uint8_t)mark_of(d->tags[i]);
		begin[i] = begin_of(d, i);
	}
	r->n_intents = (uint32_t)d->n_intents;
	r->n_tags = (uint32_t)d->n_tags;
	r->begin = begin;
	r->mark = mark;
	if (d->n_tags && d->n[SPLIT_TRAIN]) {
		find_pairs(d, pairs);
		r->pairs = pairs;
	}
	return ERR_OK;
}

void label_rules_release(struct label_rules *r)
{
	free((void *)r->begin); /* the block that holds all three */
	memset(r, 0, sizeof(*r));
}

enum err label_room_make(struct label_room *room, const struct label_rules *r,
	size_t n_words, struct err_ctx *ctx)
{
	room->score = malloc((2 * (size_t)r->n_tags + 1) * sizeof(*room->score));
	room->back = malloc((n_words * r->n_tags + 1) * sizeof(*room->back));
	room->choice = malloc((r->n_tags + 1) * sizeof(*room->choice));
	room->path = malloc((n_words + 1) * sizeof(*room->path));
	if (room->score && room->back && room->choice && room->path)
		return ERR_OK;
	label_room_release(room);
	return err_set(ctx, ERR_NOMEM, "out of memory to decode labels");
}

void label_room_release(struct label_room *room)
{
	free(room->score);
	free(room->back);
	free(room->choice);
	free(room->path);
	memset(room, 0, sizeof(*room));
}

/* Name part of a tag: "B-x" and "I-x" -> the B-x index, or the tag itself without one. */
static int kind_of(const struct label_rules *r, int16_t tag)
{
	return r->begin[tag] >= 0 ? r->begin[tag] : tag;
}

size_t spans_find(
	const struct label_rules *r, const int16_t *tags, size_t n, struct span *out)
{
	size_t n_out = 0;
	int open = 0;

	for (size_t w = 0; w < n; w++) {
		int mark = r->mark[tags[w]], kind = kind_of(r, tags[w]);

		if (open && mark == LABEL_INSIDE && out[n_out - 1].kind == kind) {
			out[n_out - 1].last = (uint32_t)w;
			continue;
		}
		open = mark != LABEL_OUTSIDE;
		if (open) {
			out[n_out].first = out[n_out].last = (uint32_t)w;
			out[n_out++].kind = kind;
		}
	}
	return n_out;
}
