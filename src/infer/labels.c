#include "src/infer/labels.h"

#define NEVER (-1e30f)

static const float *logits_of(
	const struct label_rules *r, const struct label_words *words, uint32_t w)
{
	return words->logits + (uint64_t)(words->row ? words->row[w] : w) * r->n_tags;
}

/* Lists the tags that go with an intent (-1: any) and returns how many there are. */
static uint32_t tags_of(const struct label_rules *r, int32_t intent, int16_t *choice)
{
	const uint8_t *bits = 0;
	uint32_t n = 0;

	if (r->pairs && intent >= 0)
		bits = r->pairs + (uint32_t)intent * LABEL_PAIR_BYTES(r->n_tags);
	for (uint32_t t = 0; t < r->n_tags; t++)
		if (!bits || bits[t / 8] >> t % 8 & 1)
			choice[n++] = (int16_t)t;
	return n;
}

static int16_t highest(const float *score, const int16_t *choice, uint32_t n)
{
	int16_t best = choice[0];

	for (uint32_t i = 1; i < n; i++)
		if (score[choice[i]] > score[best])
			best = choice[i];
	return best;
}

/* One word further. A tag other than I-x may follow anything, so it comes from the best
 * path so far; I-x comes from B-x or I-x. */
static void extend(const struct label_rules *r, const float *x, const int16_t *choice,
	uint32_t n, const float *now, float *next, int16_t *back)
{
	int16_t best = highest(now, choice, n);

	for (uint32_t i = 0; i < n; i++) {
		int16_t t = choice[i], from = best, begin = r->begin[t];

		if (r->mark[t] == LABEL_INSIDE)
			from = begin >= 0 && now[begin] >= now[t] ? begin : t;
		next[t] = now[from] + x[t];
		back[t] = from;
	}
}

/* The best path of the n tags in room->choice; returns its sum of logits. */
static float best_path(const struct label_rules *r, uint32_t n,
	const struct label_words *words, const struct label_room *room, int16_t *tags)
{
	const int16_t *choice = room->choice;
	float *now = room->score, *next = now + r->n_tags, *swap, sum;
	const float *x;
	int16_t at;

	if (!words->n)
		return 0;
	for (uint32_t t = 0; t < 2 * r->n_tags; t++)
		now[t] = NEVER;
	x = logits_of(r, words, 0);
	for (uint32_t i = 0; i < n; i++)
		if (r->mark[choice[i]] != LABEL_INSIDE)
			now[choice[i]] = x[choice[i]];
	for (uint32_t w = 1; w < words->n; w++) {
		extend(r, logits_of(r, words, w), choice, n, now, next,
			room->back + (uint64_t)w * r->n_tags);
		swap = now;
		now = next;
		next = swap;
	}
	at = highest(now, choice, n);
	sum = now[at];
	for (uint32_t w = words->n - 1;; w--) {
		tags[w] = at;
		if (w == 0)
			return sum;
		at = (room->back + (uint64_t)w * r->n_tags)[at];
	}
}

void labels_path(const struct label_rules *r, const struct label_words *words,
	const struct label_room *room, int16_t *tags)
{
	best_path(r, tags_of(r, -1, room->choice), words, room, tags);
}

uint32_t labels_best(const struct label_rules *r, float *intent,
	const struct label_words *words, const struct label_room *room, int16_t *tags)
{
	uint32_t best = 0;

	for (uint32_t i = 0; i < r->n_intents; i++) {
		uint32_t n = tags_of(r, (int32_t)i, room->choice);

		intent[i] += best_path(r, n, words, room, room->path);
		if (i && intent[i] <= intent[best])
			continue;
		best = i;
		for (uint32_t w = 0; w < words->n; w++)
			tags[w] = room->path[w];
	}
	return best;
}
