/* Intent and slots of every line, as src/infer/labels.h finds them. Words behind the
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
	int16_t *tags;	      /* a word */
	struct label_room room;
};

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
	const uint8_t *mark = model_text.rules->mark;

	for (uint32_t w = 0; w < n_words;) {
		uint32_t tag = (uint32_t)c->tags[w], first = w++;
		size_t n = 0;
		const char *name = text_name(model_text.tags, tag, &n);

		if (!name || mark[tag] != LABEL_BEGIN)
			continue;
		while (w < n_words && mark[c->tags[w]] == LABEL_INSIDE)
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
	struct label_words words;
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
	memcpy(c->p, o.intent, model_info.n_intents * sizeof(*c->p));
	words.logits = o.tags;
	words.row = c->word_first;
	words.n = o.tags ? n_words : 0;
	best = labels_best(model_text.rules, c->p, &words, &c->room, c->tags);
	text_softmax(c->p, model_info.n_intents, 1, c->p);
	name = text_name(model_text.intents, best, &len);
	printf("%.*s (%.1f %%)\n", (int)len, name ? name : "", 100 * (double)c->p[best]);
	print_slots(c, words.n);
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
	c.tags = calloc(seq, sizeof(*c.tags));
	c.room.score = calloc(2 * tags, sizeof(*c.room.score));
	c.room.back = calloc(seq * tags, sizeof(*c.room.back));
	c.room.choice = calloc(tags, sizeof(*c.room.choice));
	c.room.path = calloc(seq, sizeof(*c.room.path));
	if (!c.ids || !c.word_first || !c.p || !c.tags || !c.room.score || !c.room.back ||
		!c.room.choice || !c.room.path) {
		fprintf(stderr, "out of memory\n");
		return 1;
	}
	while (!err && text_read_line(c.line, sizeof(c.line)))
		err = answer(&c);
	return err ? 1 : 0;
}
