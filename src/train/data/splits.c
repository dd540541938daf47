#include <stdlib.h>
#include <string.h>

#include "src/base/rng.h"
#include "src/train/data/builder.h"

#define DRAW_SEED 20170 /* fixed: the same file always falls into the same splits */
#define DRAW_PERCENT 10

/* Row numbers of train in random order, then grouped by intent, so that taking every
 * tenth takes a tenth of every intent. */
static uint32_t *order_by_intent(const struct dataset *d, uint64_t purpose)
{
	const struct utterance *u = d->u[SPLIT_TRAIN];
	size_t n = d->n[SPLIT_TRAIN], *at;
	uint32_t *rows = malloc(n * sizeof(*rows)), *out = malloc(n * sizeof(*out));
	struct rng root, rng;

	at = calloc(d->n_intents + 1, sizeof(*at));
	if (!rows || !out || !at) {
		free(rows);
		free(out);
		free(at);
		return NULL;
	}
	rng_init(&root, DRAW_SEED);
	rng_split(&root, "draw", purpose, &rng);
	for (size_t i = 0; i < n; i++)
		rows[i] = (uint32_t)i;
	rng_shuffle(&rng, rows, n);
	for (size_t i = 0; i < n; i++)
		at[u[i].intent + 1]++;
	for (size_t k = 1; k <= d->n_intents; k++)
		at[k] += at[k - 1];
	for (size_t i = 0; i < n; i++)
		out[at[u[rows[i]].intent]++] = rows[i];
	free(rows);
	free(at);
	return out;
}

/* Counts how often each text stands in train, by the map's numbers. */
static enum err count_texts(const struct dataset *d, struct strmap *texts,
	uint32_t *count, struct err_ctx *ctx)
{
	uint32_t index;

	for (size_t i = 0; i < d->n[SPLIT_TRAIN]; i++) {
		const char *text = d->u[SPLIT_TRAIN][i].text;
		enum err e = strmap_put(texts, text, strlen(text), &index, ctx);

		if (e)
			return e;
		count[index]++;
	}
	return ERR_OK;
}

/* Marks at most `want` rows. A row whose text stands more than once stays in train, so
 * that no drawn sentence is also a training sentence, and so does the last of an intent.
 */
static enum err mark_rows(const struct dataset *d, const uint32_t *order, size_t want,
	unsigned char *taken, size_t *n_taken, struct err_ctx *ctx)
{
	const struct utterance *u = d->u[SPLIT_TRAIN];
	size_t n = d->n[SPLIT_TRAIN];
	uint32_t *count = calloc(n, sizeof(*count));
	uint32_t *left = calloc(d->n_intents, sizeof(*left));
	struct strmap texts;
	enum err e = ERR_OK;

	strmap_init(&texts);
	if (!count || !left)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	if (!e)
		e = count_texts(d, &texts, count, ctx);
	for (size_t i = 0; i < n && !e; i++)
		left[u[i].intent]++;
	*n_taken = 0;
	for (size_t k = 0; k < want && !e; k++) {
		const struct utterance *x = &u[order[(2 * k + 1) * n / (2 * want)]];

		if (count[strmap_find(&texts, x->text, strlen(x->text))] > 1 ||
			left[x->intent] < 2)
			continue;
		left[x->intent]--;
		taken[x - u] = 1;
		(*n_taken)++;
	}
	strmap_release(&texts);
	free(count);
	free(left);
	return e;
}

/* Moves the marked rows of train to split `s`, both in file order. */
static enum err move_rows(struct dataset *d, enum split s, const unsigned char *taken,
	size_t n_taken, struct err_ctx *ctx)
{
	struct utterance *u = d->u[SPLIT_TRAIN], *to = malloc(n_taken * sizeof(*to));
	size_t kept = 0, moved = 0;

	if (!to)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < d->n[SPLIT_TRAIN]; i++) {
		if (taken[i])
			to[moved++] = u[i];
		else
			u[kept++] = u[i];
	}
	d->n[SPLIT_TRAIN] = kept;
	free(d->u[s]);
	d->u[s] = to;
	d->n[s] = moved;
	return ERR_OK;
}

static enum err draw_split(
	struct builder *b, enum split s, const char *source, struct err_ctx *ctx)
{
	struct dataset *d = b->d;
	size_t n = d->n[SPLIT_TRAIN], want = n * DRAW_PERCENT / 100, n_taken;
	unsigned char *taken = calloc(n, 1);
	uint32_t *order = order_by_intent(d, s);
	enum err e = ERR_OK;

	if (!want)
		want = 1;
	if (!taken || !order)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	if (!e)
		e = mark_rows(d, order, want, taken, &n_taken, ctx);
	if (!e && (!n_taken || n - n_taken < 2))
		e = err_set(ctx, ERR_INVALID,
			"'%s' has no %s split and too few different training utterances "
			"(%zu) "
			"to draw one from",
			source, split_names[s], n);
	if (!e)
		e = move_rows(d, s, taken, n_taken, ctx);
	if (!e) {
		b->cap[s] = d->n[s];
		builder_note(b,
			"no %s split given: %zu utterances drawn from train by fixed "
			"seed",
			split_names[s], n_taken);
	}
	free(taken);
	free(order);
	return e;
}

enum err splits_draw(struct builder *b, const char *source, struct err_ctx *ctx)
{
	static const enum split wanted[] = {SPLIT_TEST, SPLIT_VALID};
	enum err e = ERR_OK;

	for (size_t i = 0; i < 2 && !e; i++)
		if (!b->d->n[wanted[i]])
			e = draw_split(b, wanted[i], source, ctx);
	return e;
}

/* Intents of a split that train does not have. */
static size_t count_unseen(const struct dataset *d, enum split s, unsigned char *seen)
{
	size_t n = 0;

	memset(seen, 0, d->n_intents);
	for (size_t i = 0; i < d->n[SPLIT_TRAIN]; i++)
		seen[d->u[SPLIT_TRAIN][i].intent] = 1;
	for (size_t i = 0; i < d->n[s]; i++) {
		unsigned char *x = &seen[d->u[s][i].intent];

		n += !*x;
		*x = 1;
	}
	return n;
}

static enum err note_split_overlap(
	struct builder *b, enum split s, const struct strmap *train, struct err_ctx *ctx)
{
	const struct dataset *d = b->d;
	unsigned char *seen = malloc(d->n_intents + 1);
	size_t shared = 0, unseen;

	if (!seen)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	unseen = count_unseen(d, s, seen);
	free(seen);
	for (size_t i = 0; i < d->n[s]; i++)
		shared += strmap_find(train, d->u[s][i].text, strlen(d->u[s][i].text)) !=
			  STRMAP_NONE;
	if (shared)
		builder_note(b, "%zu %s sentence%s also in train", shared, split_names[s],
			shared == 1 ? "" : "s");
	if (unseen)
		builder_note(b, "%zu intent%s of %s not in train", unseen,
			unseen == 1 ? "" : "s", split_names[s]);
	return ERR_OK;
}

enum err splits_note_overlap(struct builder *b, struct err_ctx *ctx)
{
	const struct dataset *d = b->d;
	struct strmap train;
	uint32_t index;
	enum err e = ERR_OK;

	strmap_init(&train);
	for (size_t i = 0; i < d->n[SPLIT_TRAIN] && !e; i++) {
		const char *text = d->u[SPLIT_TRAIN][i].text;

		e = strmap_put(&train, text, strlen(text), &index, ctx);
	}
	for (int s = SPLIT_VALID; s < N_SPLITS && !e; s++)
		e = note_split_overlap(b, (enum split)s, &train, ctx);
	strmap_release(&train);
	return e;
}
