/* Intent and slots of every line.
 *
 * Tags are the best path under the BIO grammar (Viterbi: I-x follows B-x or I-x only), on
 * the logits of every word's first token, as in training's scores. Words behind the
 * longest input have no tag.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/boards/text/text.h"

struct classifier {
	const struct tokeniser_table *t;
	char line[TEXT_LINE_MAX], text[2 * TEXT_LINE_MAX];
	int32_t *ids;
	uint32_t *word_first; /* token of every word */
	float *p;	      /* intents */
	int32_t *begin; /* per tag: of I-x its B-x or -1; of others the tag itself */
	char *inside;	/* per tag: it is an I-x */
	uint32_t *back; /* [seq_len, n_tags] */
	float *score;	/* [2, n_tags] */
	uint32_t *tags; /* a word */
};

static const char *tag_name(uint32_t i, size_t *len)
{
	return text_name(model_text.tags, i, len);
}

static int same_slot(uint32_t a, uint32_t b)
{
	size_t n, m;
	const char *x = tag_name(a, &n), *y = tag_name(b, &m);

	return x && y && n > 2 && n == m && !memcmp(x + 2, y + 2, n - 2);
}

static void learn_grammar(struct classifier *c)
{
	for (uint32_t i = 0; i < model_info.n_tags; i++) {
		size_t n = 0;
		const char *name = tag_name(i, &n);

		c->begin[i] = (int32_t)i;
		c->inside[i] = name && n > 2 && !memcmp(name, "I-", 2);
		if (!c->inside[i])
			continue;
		c->begin[i] = -1;
		for (uint32_t j = 0; j < model_info.n_tags; j++) {
			const char *other = tag_name(j, &n);

			if (other && n > 2 && !memcmp(other, "B-", 2) && same_slot(i, j))
				c->begin[i] = (int32_t)j;
		}
	}
}

static uint32_t largest(const float *x, uint32_t n)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < n; i++)
		if (x[i] > x[best])
			best = i;
	return best;
}

/* One word further: I-x comes from B-x or I-x, everything else from the best. */
static void extend(const struct classifier *c, const float *logits, const float *now,
	float *next, uint32_t *back)
{
	uint32_t n = model_info.n_tags, best = largest(now, n);

	for (uint32_t j = 0; j < n; j++) {
		uint32_t from = best;

		if (c->inside[j]) {
			from = j;
			if (c->begin[j] >= 0 && now[c->begin[j]] >= now[j])
				from = (uint32_t)c->begin[j];
		}
		next[j] = now[from] + logits[j];
		back[j] = from;
	}
}

static void decode(struct classifier *c, const float *logits, uint32_t n_words)
{
	uint32_t n = model_info.n_tags, at;
	float *now = c->score, *next = c->score + n, *swap;

	for (uint32_t j = 0; j < n; j++)
		now[j] = c->inside[j] ? -1e30f : logits[(size_t)c->word_first[0] * n + j];
	for (uint32_t w = 1; w < n_words; w++) {
		extend(c, logits + (size_t)c->word_first[w] * n, now, next,
			c->back + (size_t)w * n);
		swap = now;
		now = next;
		next = swap;
	}
	at = largest(now, n);
	for (uint32_t w = n_words; w-- > 0;) {
		c->tags[w] = at;
		at = w ? c->back[(size_t)w * n + at] : 0;
	}
}

/* Prints the w-th word of the normalised text. */
static void print_word(const char *text, uint32_t w)
{
	size_t n;

	for (;;) {
		text += strspn(text, " ");
		n = strcspn(text, " ");
		if (w-- == 0)
			break;
		text += n;
	}
	printf("%.*s", (int)n, text);
}

static void print_slots(const struct classifier *c, uint32_t n_words)
{
	for (uint32_t w = 0; w < n_words;) {
		uint32_t tag = c->tags[w], first = w++;
		size_t n = 0;
		const char *name = tag_name(tag, &n);

		if (!name || n < 3 || memcmp(name, "B-", 2))
			continue;
		while (w < n_words && c->inside[c->tags[w]])
			w++;
		printf("  %.*s = ", (int)(n - 2), name + 2);
		for (uint32_t i = first; i < w; i++) {
			if (i > first)
				putchar(' ');
			print_word(c->text, i);
		}
		putchar('\n');
	}
}

static int answer(struct classifier *c)
{
	uint32_t n_words = 0, n, best;
	struct model_output o;
	const char *name;
	size_t len = 0;

	tokenise_normalise(c->line, c->text, sizeof(c->text));
	n = tokenise_text(c->t, model_info.vocab_size, c->text, c->ids,
		model_info.seq_len, c->word_first, &n_words);
	if (!n)
		return 0; /* an empty line */
	if (model_run(c->ids, n, &o))
		return -1;
	text_softmax(o.intent, model_info.n_intents, 1, c->p);
	best = largest(c->p, model_info.n_intents);
	name = text_name(model_text.intents, best, &len);
	printf("%.*s (%.1f %%)\n", (int)len, name ? name : "", 100 * (double)c->p[best]);
	if (o.tags && n_words) {
		decode(c, o.tags, n_words);
		print_slots(c, n_words);
	}
	fflush(stdout);
	return 0;
}

int text_classify(const struct tokeniser_table *t)
{
	static struct classifier c;
	size_t seq = model_info.seq_len, tags = model_info.n_tags + 1u;
	int err = 0;

	c.t = t;
	c.ids = calloc(seq, sizeof(*c.ids));
	c.word_first = calloc(seq, sizeof(*c.word_first));
	c.p = calloc(model_info.n_intents, sizeof(*c.p));
	c.begin = calloc(tags, sizeof(*c.begin));
	c.inside = calloc(tags, 1);
	c.back = calloc(seq * tags, sizeof(*c.back));
	c.score = calloc(2 * tags, sizeof(*c.score));
	c.tags = calloc(seq, sizeof(*c.tags));
	if (!c.ids || !c.word_first || !c.p || !c.begin || !c.inside || !c.back ||
		!c.score || !c.tags) {
		fprintf(stderr, "out of memory\n");
		return 1;
	}
	learn_grammar(&c);
	while (!err && text_read_line(c.line, sizeof(c.line)))
		err = answer(&c);
	return err ? 1 : 0;
}
