#include "src/train/data/home_expand.h"

#include <assert.h>
#include <string.h>

#include "src/base/hash.h"

#define VALUE_DRAWS 60

struct draft {
	char text[HOME_MAX_BYTES];
	size_t len;
	struct sentence *s;
	struct rng *rng;
	enum split split;
	int failed;
};

static void expand(struct draft *d, const char *at, const char *end);

static void put(struct draft *d, char c)
{
	if (d->len + 1 >= sizeof(d->text))
		d->failed = 1;
	else
		d->text[d->len++] = c;
}

static const struct home_class *find_class(const char *name, size_t len)
{
	const struct home_class *c = home_classes;

	while (c->name && (strlen(c->name) != len || memcmp(c->name, name, len)))
		c++;
	assert(c->name);
	return c;
}

static void expand_class(struct draft *d, const struct home_class *c)
{
	size_t n = 0;
	const char *p;

	while (c->productions[n])
		n++;
	p = c->productions[rng_below(d->rng, n)];
	expand(d, p, p + strlen(p));
}

/* The end of a part that begins at `at`, at any of the characters of `stops` outside of
 * brackets. */
static const char *part_end(const char *at, const char *end, const char *stops)
{
	int depth = 0;

	for (; at < end; at++) {
		if (!depth && strchr(stops, *at))
			return at;
		depth += *at == '(';
		depth -= *at == ')';
	}
	return end;
}

/* One of "a|b|c"; returns the character after the closing bracket. */
static const char *expand_choice(struct draft *d, const char *at, const char *end)
{
	const char *close = part_end(at, end, ")"), *p;
	size_t n = 1, pick;

	for (p = part_end(at, close, "|"); p < close; p = part_end(p + 1, close, "|"))
		n++;
	pick = (size_t)rng_below(d->rng, n);
	for (p = at; pick; pick--)
		p = part_end(p, close, "|") + 1;
	expand(d, p, part_end(p, close, "|"));
	return close + 1;
}

enum split home_value_split(const char *class_name, const char *value, size_t len)
{
	struct hash_state st;
	struct hash h;
	uint64_t share;

	hash_init(&st);
	hash_field_str(&st, class_name);
	hash_field(&st, value, len);
	hash_final(&st, &h);
	share = hash_u64(&h) % 100;
	return share < 64 ? SPLIT_TRAIN : share < 80 ? SPLIT_VALID : SPLIT_TEST;
}

/* "slot" or "slot=class": draws until the value belongs to the split. */
static void expand_slot(struct draft *d, const char *at, const char *end)
{
	const char *eq = memchr(at, '=', (size_t)(end - at));
	const char *name = eq ? eq + 1 : at;
	const struct home_class *c = find_class(name, (size_t)(end - name));
	size_t slot_len = (size_t)((eq ? eq : end) - at), from = d->len;
	struct home_span *span;

	assert(slot_len < sizeof(span->slot));
	if (d->s->n_spans == HOME_MAX_SPANS) {
		d->failed = 1;
		return;
	}
	for (int i = 0; i < VALUE_DRAWS && !d->failed; i++) {
		d->len = from;
		expand_class(d, c);
		while (d->len > from && d->text[d->len - 1] == ' ')
			d->len--;
		if (home_value_split(c->name, d->text + from, d->len - from) != d->split)
			continue;
		span = &d->s->spans[d->s->n_spans++];
		memcpy(span->slot, at, slot_len);
		span->slot[slot_len] = '\0';
		span->from = from;
		span->to = d->len;
		return;
	}
	d->failed = 1;
}

static void expand(struct draft *d, const char *at, const char *end)
{
	while (at < end && !d->failed) {
		const char *close;

		if (*at == '(') {
			at = expand_choice(d, at + 1, end);
		} else if (*at == '<' || *at == '{') {
			close = memchr(at, *at == '<' ? '>' : '}', (size_t)(end - at));
			assert(close);
			if (*at == '<')
				expand_class(
					d, find_class(at + 1, (size_t)(close - at - 1)));
			else
				expand_slot(d, at + 1, close);
			at = close + 1;
		} else {
			put(d, *at++);
		}
	}
}

static int span_at(const struct sentence *s, size_t byte)
{
	for (size_t i = 0; i < s->n_spans; i++)
		if (byte >= s->spans[i].from && byte < s->spans[i].to)
			return (int)i;
	return -1;
}

static int cut_words(const struct draft *d, struct sentence *s)
{
	size_t at = 0;

	while (at < d->len) {
		struct home_word *w = &s->words[s->n_words];
		size_t n = 0, bare;

		if (d->text[at] == ' ') {
			at++;
			continue;
		}
		while (at + n < d->len && d->text[at + n] != ' ')
			n++;
		if (s->n_words == HOME_MAX_WORDS || n >= sizeof(w->text))
			return 0;
		if (d->text[at] == '*' && s->n_words && !strcmp(w[-1].text, "the")) {
			w--;
			s->n_words--;
		}
		bare = d->text[at] == '*';
		memcpy(w->text, d->text + at + bare, n - bare);
		w->text[n - bare] = '\0';
		w->span = span_at(s, at);
		s->n_words++;
		at += n;
	}
	return 1;
}

int home_expand(const char *text, enum split split, struct rng *rng, struct sentence *out)
{
	struct draft d = {.s = out, .rng = rng, .split = split};

	memset(out, 0, sizeof(*out));
	expand(&d, text, text + strlen(text));
	return !d.failed && cut_words(&d, out) && out->n_words;
}

int home_insert(struct sentence *s, size_t at, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, " ");
		struct home_word *w;

		if (s->n_words == HOME_MAX_WORDS || n >= sizeof(w->text))
			return 0;
		memmove(s->words + at + 1, s->words + at,
			(s->n_words - at) * sizeof(*s->words));
		w = &s->words[at++];
		memcpy(w->text, text, n);
		w->text[n] = '\0';
		w->span = -1;
		s->n_words++;
		text += n + (text[n] == ' ');
	}
	return 1;
}
