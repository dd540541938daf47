/* From tag logits to word tags (best path under the BIO grammar), and exact spans. */
#include <stdlib.h>
#include <string.h>

#include "src/train/spans.h"
#include "src/train/train.h"

enum { MARK_O, MARK_B, MARK_I };

enum err tag_grammar_init(
	struct tag_grammar *g, const struct dataset *d, struct err_ctx *ctx)
{
	g->n = d->n_tags;
	g->mark = calloc(d->n_tags + 1, sizeof(*g->mark));
	g->begin = calloc(d->n_tags + 1, sizeof(*g->begin));
	if (!g->mark || !g->begin) {
		tag_grammar_release(g);
		return err_set(ctx, ERR_NOMEM, "out of memory for the tag grammar");
	}
	for (size_t i = 0; i < d->n_tags; i++) {
		const char *t = d->tags[i];

		g->mark[i] = (uint8_t)(!strncmp(t, "B-", 2)   ? MARK_B
				       : !strncmp(t, "I-", 2) ? MARK_I
							      : MARK_O);
		g->begin[i] = -1;
		if (g->mark[i] == MARK_B)
			g->begin[i] = (int16_t)i;
		for (size_t j = 0; g->mark[i] == MARK_I && j < d->n_tags; j++)
			if (!strncmp(d->tags[j], "B-", 2) &&
				!strcmp(d->tags[j] + 2, t + 2))
				g->begin[i] = (int16_t)j;
	}
	return ERR_OK;
}

void tag_grammar_release(struct tag_grammar *g)
{
	free(g->mark);
	free(g->begin);
	g->mark = NULL;
	g->begin = NULL;
}

/* Viterbi. A tag other than I-x may follow anything, so its best predecessor is the best
 * path so far; I-x looks at B-x and I-x only. back [n_words, n]; score [2, n]. */
static void best_path(const struct tag_grammar *g, const float *logits, size_t n_words,
	int16_t *tags, int16_t *back, double *score)
{
	size_t n = g->n, best = 0;
	double *now = score, *next = score + n;

	for (size_t j = 0; j < n; j++)
		now[j] = g->mark[j] == MARK_I ? -1e300 : (double)logits[j];
	for (size_t w = 1; w < n_words; w++) {
		const float *x = logits + w * n;
		double *t = now;

		best = 0;
		for (size_t j = 1; j < n; j++)
			if (now[j] > now[best])
				best = j;
		for (size_t j = 0; j < n; j++) {
			size_t from = best;

			if (g->mark[j] == MARK_I) {
				from = j;
				if (g->begin[j] >= 0 && now[g->begin[j]] >= now[j])
					from = (size_t)g->begin[j];
			}
			next[j] = now[from] + (double)x[j];
			back[w * n + j] = (int16_t)from;
		}
		now = next;
		next = t;
	}
	best = 0;
	for (size_t j = 1; j < n; j++)
		if (now[j] > now[best])
			best = j;
	for (size_t w = n_words; w-- > 0;) {
		tags[w] = (int16_t)best;
		if (w)
			best = (size_t)back[w * n + best];
	}
}

enum err tag_grammar_decode(const struct tag_grammar *g, const float *logits,
	size_t n_words, int16_t *tags, struct err_ctx *ctx)
{
	int16_t *back;
	double *score;

	if (!n_words)
		return ERR_OK;
	back = malloc(n_words * g->n * sizeof(*back));
	score = malloc(2 * g->n * sizeof(*score));
	if (back && score)
		best_path(g, logits, n_words, tags, back, score);
	free(score);
	free(back);
	return back && score ? ERR_OK
			     : err_set(ctx, ERR_NOMEM, "out of memory to decode tags");
}

void decode_tags(
	const struct dataset *d, const float *logits, size_t n_words, int16_t *tags)
{
	struct tag_grammar g;

	memset(tags, 0, n_words * sizeof(*tags));
	if (tag_grammar_init(&g, d, NULL))
		return;
	tag_grammar_decode(&g, logits, n_words, tags, NULL);
	tag_grammar_release(&g);
}

/* Name part of a tag: "B-x" and "I-x" -> the B-x index, or the tag itself without one. */
static int kind_of(const struct tag_grammar *g, int16_t tag)
{
	return g->begin[tag] >= 0 ? g->begin[tag] : tag;
}

size_t spans_find(
	const struct tag_grammar *g, const int16_t *tags, size_t n, struct span *out)
{
	size_t n_out = 0;
	int open = 0;

	for (size_t w = 0; w < n; w++) {
		int mark = g->mark[tags[w]], kind = kind_of(g, tags[w]);

		if (open && mark == MARK_I && out[n_out - 1].kind == kind) {
			out[n_out - 1].last = (uint32_t)w;
			continue;
		}
		open = mark != MARK_O;
		if (open) {
			out[n_out].first = out[n_out].last = (uint32_t)w;
			out[n_out++].kind = kind;
		}
	}
	return n_out;
}
