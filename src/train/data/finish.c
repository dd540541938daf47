#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/utf8.h"
#include "src/train/data/builder.h"

/* "O" first, then by slot name, B before I. */
static int compare_tags(const void *pa, const void *pb)
{
	const char *a = *(const char *const *)pa, *b = *(const char *const *)pb;
	int c;

	if (!strcmp(a, "O") || !strcmp(b, "O"))
		return strcmp(b, "O") == 0 ? strcmp(a, "O") != 0 : -1;
	c = strcmp(a + 2, b + 2);
	return c ? c : a[0] - b[0];
}

static int compare_names(const void *pa, const void *pb)
{
	return strcmp(*(const char *const *)pa, *(const char *const *)pb);
}

/* Copies the map's names in order into *names and old index -> new index into *map. */
static enum err order_labels(const struct strmap *m,
	int (*compare)(const void *, const void *), char ***names, size_t *n,
	int16_t **map, struct err_ctx *ctx)
{
	char **sorted = calloc(m->n + 1, sizeof(*sorted));
	int16_t *order = calloc(m->n + 1, sizeof(*order));
	struct strmap back;
	uint32_t index;
	enum err e = ERR_OK;

	strmap_init(&back);
	if (!sorted || !order)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	for (uint32_t i = 0; i < m->n && !e; i++) {
		sorted[i] = strdup(m->keys[i]);
		if (!sorted[i])
			e = err_set(ctx, ERR_NOMEM, "out of memory");
	}
	if (!e)
		qsort(sorted, m->n, sizeof(*sorted), compare);
	for (uint32_t i = 0; i < m->n && !e; i++)
		e = strmap_put(&back, sorted[i], strlen(sorted[i]), &index, ctx);
	for (uint32_t i = 0; i < m->n && !e; i++)
		order[i] = (int16_t)strmap_find(&back, m->keys[i], m->lens[i]);
	strmap_release(&back);
	if (e) {
		for (uint32_t i = 0; sorted && i < m->n; i++)
			free(sorted[i]);
		free(sorted);
		free(order);
		return e;
	}
	*names = sorted;
	*n = m->n;
	*map = order;
	return ERR_OK;
}

static enum err finish_labels(struct builder *b, struct err_ctx *ctx)
{
	struct dataset *d = b->d;
	int16_t *intent_map = NULL, *tag_map = NULL;
	uint32_t o;
	enum err e;

	if (b->has_tags) {
		e = strmap_put(&b->tags, "O", 1, &o, ctx);
		if (e)
			return e;
	}
	e = order_labels(
		&b->intents, compare_names, &d->intents, &d->n_intents, &intent_map, ctx);
	if (!e)
		e = order_labels(
			&b->tags, compare_tags, &d->tags, &d->n_tags, &tag_map, ctx);
	for (int s = 0; s < N_SPLITS && !e; s++) {
		for (size_t i = 0; i < d->n[s]; i++) {
			struct utterance *u = &d->u[s][i];

			u->intent = intent_map[u->intent];
			for (uint32_t w = 0; u->tags && w < u->n_words; w++)
				u->tags[w] = tag_map[u->tags[w]];
		}
	}
	free(intent_map);
	free(tag_map);
	return e;
}

static enum err check_classes(
	const struct builder *b, const char *source, struct err_ctx *ctx)
{
	const struct dataset *d = b->d;

	if (!d->n[SPLIT_TRAIN])
		return err_set(
			ctx, ERR_INVALID, "'%s' holds no training utterances", source);
	for (size_t i = 1; i < d->n[SPLIT_TRAIN]; i++)
		if (d->u[SPLIT_TRAIN][i].intent != d->u[SPLIT_TRAIN][0].intent)
			return ERR_OK;
	return err_set(ctx, ERR_INVALID,
		"'%s' has one label only ('%s'): there is nothing to learn", source,
		b->intents.keys[d->u[SPLIT_TRAIN][0].intent]);
}

static enum err finish_labelled(
	struct builder *b, const char *source, struct err_ctx *ctx)
{
	struct dataset *d = b->d;
	enum err e = check_classes(b, source, ctx);

	d->kind = b->has_tags ? TASK_INTENT_SLOTS : TASK_CLASSIFY;
	if (!e)
		e = finish_labels(b, ctx);
	if (!e)
		e = splits_draw(b, source, ctx);
	if (!e && !b->is_saved)
		e = splits_note_overlap(b, ctx);
	if (e || b->is_saved)
		return e;
	if (b->n_folded)
		builder_note(
			b, "letters of %zu utterances put in lower case", b->n_folded);
	if (b->n_orphans)
		builder_note(
			b, "%zu tags I-x that opened a span read as B-x", b->n_orphans);
	return ERR_OK;
}

/* Cuts what is no UTF-8, such as half a character at the end of a full array. */
static void cut_utf8(char *s)
{
	s[utf8_valid_prefix(s, strlen(s))] = '\0';
}

enum err builder_finish(struct builder *b, const char *source, struct err_ctx *ctx)
{
	struct dataset *d = b->d;
	enum err e = ERR_OK;

	if (d->kind != TASK_LM)
		e = finish_labelled(b, source, ctx);
	if (!e)
		e = buf_err(&b->note, ctx);
	if (e)
		return e;
	snprintf(d->note, sizeof(d->note), "%s", buf_str(&b->note));
	cut_utf8(d->note);
	cut_utf8(d->name);
	dataset_rehash(d);
	if (b->is_saved && !hash_equal(&b->stored, &d->hash))
		return err_set(ctx, ERR_CORRUPT,
			"'%s' is not as it was saved; import its source again", source);
	return ERR_OK;
}
