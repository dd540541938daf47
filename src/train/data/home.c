/* builtin:home, made by the grammar of home_*.c: "builtin:home?seed=7&n=4000".
 *
 * Intents come in turn, so that they are balanced. Every utterance is new, and neither
 * its skeleton (slots taken for their names) nor any slot value occurs in another split:
 * a ledger of both is kept beside the grammar's own division, since noise could break
 * that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/train/data/home_expand.h"
#include "src/train/data/reader.h"

#define PREFIX "builtin:home"
#define DEFAULT_TRAIN 6000
#define MIN_TRAIN 100
#define MAX_TRAIN 60000
#define DRAWS 400 /* for one utterance, before the grammar counts as exhausted */

struct generator {
	struct rng rng;
	struct strmap ledger; /* "u text", "s skeleton", "v slot value" */
	unsigned char *owner; /* [ledger.n] split */
	size_t cap;
};

struct request {
	uint64_t seed;
	size_t n[N_SPLITS];
};

/* ---- ledger */

static enum err claim(struct generator *g, char kind, const struct buf *key,
	enum split split, int *granted, struct err_ctx *ctx)
{
	uint32_t before = g->ledger.n, index;
	struct buf full;
	enum err e;

	buf_init(&full);
	buf_printf(&full, "%c %s", kind, buf_str(key));
	e = buf_err(&full, ctx);
	if (!e)
		e = strmap_put(&g->ledger, full.data, full.len, &index, ctx);
	buf_release(&full);
	if (e)
		return e;
	if (g->ledger.n > g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 1024;
		unsigned char *owner = realloc(g->owner, cap);

		if (!owner)
			return err_set(ctx, ERR_NOMEM, "out of memory");
		g->owner = owner;
		g->cap = cap;
	}
	if (index == before)
		g->owner[index] = (unsigned char)split;
	else if (kind == 'u' || g->owner[index] != split)
		*granted = 0;
	return ERR_OK;
}

/* Words from..to-1 with spaces; `skeleton` writes a slot's name for its words. */
static void put_words(
	const struct sentence *s, size_t from, size_t to, int skeleton, struct buf *out)
{
	buf_reset(out);
	for (size_t i = from; i < to; i++) {
		int span = s->words[i].span;

		if (skeleton && span >= 0 && i > from && s->words[i - 1].span == span)
			continue;
		if (i > from)
			buf_putc(out, ' ');
		if (skeleton && span >= 0)
			buf_printf(out, "{%s}", s->spans[span].slot);
		else
			buf_puts(out, s->words[i].text);
	}
}

static enum err claim_skeleton(struct generator *g, const struct sentence *s,
	enum split split, int *granted, struct err_ctx *ctx)
{
	struct buf key;
	enum err e;

	buf_init(&key);
	put_words(s, 0, s->n_words, 1, &key);
	e = claim(g, 's', &key, split, granted, ctx);
	buf_release(&key);
	return e;
}

static enum err claim_values(struct generator *g, const struct sentence *s,
	enum split split, int *granted, struct err_ctx *ctx)
{
	struct buf key, value;
	enum err e = ERR_OK;

	buf_init(&key);
	buf_init(&value);
	for (size_t i = 0, to; i < s->n_words && !e; i = to) {
		int span = s->words[i].span;

		for (to = i + 1;
			to < s->n_words && span >= 0 && s->words[to].span == span;)
			to++;
		if (span < 0)
			continue;
		put_words(s, i, to, 0, &value);
		buf_reset(&key);
		buf_printf(&key, "%s %s", s->spans[span].slot, buf_str(&value));
		e = claim(g, 'v', &key, split, granted, ctx);
	}
	buf_release(&key);
	buf_release(&value);
	return e;
}

/* ---- utterances */

static void put_tags(const struct sentence *s, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < s->n_words; i++) {
		int span = s->words[i].span;

		if (i)
			buf_putc(out, ' ');
		if (span < 0)
			buf_putc(out, 'O');
		else
			buf_printf(out, "%c-%s",
				i && s->words[i - 1].span == span ? 'I' : 'B',
				s->spans[span].slot);
	}
}

/* One draw: *granted is 0 when it may not be used. */
static enum err draw(struct generator *g, const struct home_template *t,
	struct sentence *s, struct buf *text, int *granted, struct err_ctx *ctx)
{
	int is_request = t->text[0] != '!';
	enum err e;

	*granted = home_expand(t->text + !is_request, t->split, &g->rng, s);
	if (!*granted)
		return ERR_OK;
	e = claim_skeleton(g, s, t->split, granted, ctx);
	if (e || !*granted)
		return e;
	*granted = home_add_wrappers(&g->rng, t->split, is_request, s);
	home_add_slips(&g->rng, s);
	if (*granted)
		e = claim_skeleton(g, s, t->split, granted, ctx);
	if (!e && *granted)
		e = claim_values(g, s, t->split, granted, ctx);
	if (e || !*granted)
		return e;
	put_words(s, 0, s->n_words, 0, text);
	return claim(g, 'u', text, t->split, granted, ctx);
}

/* The templates of an intent for a split: how many, and the pick-th. */
static const struct home_template *template_of(
	const struct home_template *first, enum split split, size_t pick, size_t *n)
{
	const struct home_template *found = NULL;

	*n = 0;
	for (const struct home_template *t = first;
		t->intent && !strcmp(t->intent, first->intent); t++) {
		if (t->split != split)
			continue;
		if (*n == pick)
			found = t;
		(*n)++;
	}
	return found;
}

static enum err add_utterance(struct generator *g, struct builder *b, enum split split,
	const struct home_template *first, struct buf *text, struct err_ctx *ctx)
{
	struct finding f = {.file = PREFIX,
		.unit = split_names[split],
		.intent = first->intent,
		.line = b->d->n[split] + 1};
	struct sentence s;
	struct buf tags;
	int granted = 0;
	enum err e = ERR_OK;
	size_t n;

	template_of(first, split, 0, &n);
	for (int i = 0; i < DRAWS && !granted && !e; i++)
		e = draw(g, template_of(first, split, (size_t)rng_below(&g->rng, n), &n),
			&s, text, &granted, ctx);
	if (e)
		return e;
	if (!granted)
		return err_set(ctx, ERR_INVALID,
			"the grammar holds no %zu different utterances; ask for fewer "
			"(n=...)",
			f.line);
	buf_init(&tags);
	put_tags(&s, &tags);
	f.text = buf_str(text);
	f.tags = buf_str(&tags);
	e = buf_err(text->failed ? text : &tags, ctx);
	if (!e)
		e = builder_add(b, split, &f, ctx);
	buf_release(&tags);
	return e;
}

/* Intents came in turn: mix them. */
static void mix(struct rng *rng, struct utterance *u, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = (size_t)rng_below(rng, i);
		struct utterance t = u[i - 1];

		u[i - 1] = u[j];
		u[j] = t;
	}
}

static enum err make_split(struct generator *g, struct builder *b, enum split split,
	size_t n, struct err_ctx *ctx)
{
	const struct home_template *const *topic = home_topics, *t = *topic;
	struct buf text;
	enum err e = ERR_OK;

	buf_init(&text);
	for (size_t i = 0; i < n && !e; i++) {
		const char *intent = t->intent;

		e = add_utterance(g, b, split, t, &text, ctx);
		while (t->intent && !strcmp(t->intent, intent))
			t++;
		if (t->intent)
			continue;
		topic = topic[1] ? topic + 1 : home_topics;
		t = *topic;
	}
	buf_release(&text);
	if (!e)
		mix(&g->rng, b->d->u[split], n);
	return e;
}

/* ---- the source's name */

static enum err read_number(const char *text, size_t len, uint64_t *out)
{
	uint64_t x = 0;

	if (!len || len > 18)
		return ERR_USAGE;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return ERR_USAGE;
		x = 10 * x + (uint64_t)(text[i] - '0');
	}
	*out = x;
	return ERR_OK;
}

static enum err read_request(const char *source, struct request *r, struct err_ctx *ctx)
{
	const char *at = source + strlen(PREFIX);
	uint64_t n = DEFAULT_TRAIN;

	r->seed = 1;
	while (*at) {
		size_t len = strcspn(at + 1, "&"), key = strcspn(at + 1, "=&");
		uint64_t *to = NULL;

		if (key == 4 && !strncmp(at + 1, "seed", 4))
			to = &r->seed;
		else if (key == 1 && at[1] == 'n')
			to = &n;
		if (!to || key >= len || read_number(at + 2 + key, len - key - 1, to))
			return err_set(ctx, ERR_USAGE,
				"'%s': cannot read '%.*s'; say " PREFIX "?seed=7&n=4000",
				source, (int)len, at + 1);
		at += 1 + len;
	}
	if (n < MIN_TRAIN || n > MAX_TRAIN)
		return err_set(ctx, ERR_USAGE, "'%s': n must be %d to %d", source,
			MIN_TRAIN, MAX_TRAIN);
	r->n[SPLIT_TRAIN] = (size_t)n;
	r->n[SPLIT_VALID] = (size_t)n / 6;
	r->n[SPLIT_TEST] = (size_t)n / 5;
	return ERR_OK;
}

static int recognise(const char *source)
{
	size_t n = strlen(PREFIX);

	return !strncmp(source, PREFIX, n) && (!source[n] || source[n] == '?');
}

static enum err read(struct builder *b, const char *source, struct err_ctx *ctx)
{
	struct generator g;
	struct request r;
	struct rng root;
	enum err e;

	if (!recognise(source))
		return err_set(ctx, ERR_USAGE, "'%s' is not '" PREFIX "'", source);
	e = read_request(source, &r, ctx);
	if (e)
		return e;
	memset(&g, 0, sizeof(g));
	rng_init(&root, r.seed);
	strmap_init(&g.ledger);
	for (int s = 0; s < N_SPLITS && !e; s++) {
		rng_split(&root, "home", (uint64_t)s, &g.rng);
		e = make_split(&g, b, (enum split)s, r.n[s], ctx);
	}
	strmap_release(&g.ledger);
	free(g.owner);
	if (!e)
		builder_note(b, "made by a grammar; valid and test have templates and "
				"slot values of their own");
	return e;
}

const struct reader reader_home = {"home", recognise, read};
