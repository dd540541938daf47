#include "src/train/data/builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/utf8.h"

void builder_init(struct builder *b, struct dataset *d)
{
	memset(b, 0, sizeof(*b));
	memset(d, 0, sizeof(*d));
	b->d = d;
	strmap_init(&b->intents);
	strmap_init(&b->tags);
	buf_init(&b->note);
}

void builder_release(struct builder *b)
{
	strmap_release(&b->intents);
	strmap_release(&b->tags);
	buf_release(&b->note);
}

void builder_note(struct builder *b, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (b->note.len)
		buf_puts(&b->note, "; ");
	buf_puts(&b->note, text);
}

static int is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == '\n';
}

size_t builder_count_words(const char *text, size_t len, int newline_is_word)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n' && newline_is_word)
			n++;
		else if (!is_space(text[i]) && (i == 0 || is_space(text[i - 1])))
			n++;
	}
	return n;
}

static enum err fault(const struct finding *f, struct err_ctx *ctx, enum err code,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static enum err fault(
	const struct finding *f, struct err_ctx *ctx, enum err code, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (f->unit)
		return err_set(
			ctx, code, "%s: %s %zu: %s", f->file, f->unit, f->line, text);
	return err_set(ctx, code, "%s:%zu: %s", f->file, f->line, text);
}

enum err builder_normalise(const char *text, struct buf *out, struct err_ctx *ctx)
{
	size_t cap = 2 * strlen(text) + 2;
	enum err e;

	buf_reset(out);
	while (out->len < cap && !out->failed)
		buf_puts(out, "                                ");
	e = buf_err(out, ctx);
	if (!e)
		out->len = tokenise_normalise(text, out->data, out->len);
	return e;
}

/* Copies the words with single spaces between them and ASCII letters in lower case.
 * Returns how many letters changed. */
static size_t fold_words(const char *text, char *out)
{
	size_t n = 0, changed = 0;
	int gap = 0;

	for (; *text; text++) {
		if (is_space(*text)) {
			gap = n > 0;
			continue;
		}
		if (gap)
			out[n++] = ' ';
		gap = 0;
		if (*text >= 'A' && *text <= 'Z') {
			out[n++] = (char)(*text + ('a' - 'A'));
			changed++;
		} else {
			out[n++] = *text;
		}
	}
	out[n] = '\0';
	return changed;
}

static enum err check_label(const struct finding *f, const char *label, const char *what,
	int spaces_ok, struct err_ctx *ctx)
{
	size_t len = strlen(label);

	if (!len)
		return fault(f, ctx, ERR_INVALID, "no %s", what);
	if (len > DATA_MAX_LABEL)
		return fault(f, ctx, ERR_INVALID,
			"%s of %zu bytes, at most %d are allowed", what, len,
			DATA_MAX_LABEL);
	if (utf8_valid_prefix(label, len) != len)
		return fault(f, ctx, ERR_PARSE, "%s is not UTF-8", what);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)label[i];

		if (c < ' ' || c == 0x7f || (c == ' ' && !spaces_ok))
			return fault(f, ctx, ERR_INVALID, "%s '%.40s' holds a %s", what,
				label, c == ' ' ? "space" : "control character");
	}
	return ERR_OK;
}

static enum err intern(struct strmap *m, const struct finding *f, const char *label,
	const char *what, int16_t *out, struct err_ctx *ctx)
{
	uint32_t index;
	enum err e = strmap_put(m, label, strlen(label), &index, ctx);

	if (e)
		return e;
	if (index >= DATA_MAX_LABELS)
		return fault(f, ctx, ERR_INVALID,
			"more than %d different %ss; are the columns swapped?",
			DATA_MAX_LABELS, what);
	*out = (int16_t)index;
	return ERR_OK;
}

/* Reads one tag into `tag` (room for "B-" and DATA_MAX_LABEL), correcting an I-x that
 * opens a span. `open` is the slot of the span so far, "" outside. */
static enum err read_tag(struct builder *b, const struct finding *f, const char *at,
	size_t len, char tag[DATA_MAX_LABEL + 3], char open[DATA_MAX_LABEL + 3],
	struct err_ctx *ctx)
{
	enum err e;

	if (len > DATA_MAX_LABEL)
		return fault(f, ctx, ERR_INVALID, "a tag of %zu bytes", len);
	memcpy(tag, at, len);
	tag[len] = '\0';
	if (!strcmp(tag, "O")) {
		open[0] = '\0';
		return ERR_OK;
	}
	e = check_label(f, tag, "tag", 0, ctx);
	if (e)
		return e;
	if (len < 3 || (tag[0] != 'B' && tag[0] != 'I') || tag[1] != '-')
		return fault(f, ctx, ERR_INVALID,
			"tag '%.40s' is none of 'O', 'B-x', 'I-x'", tag);
	if (tag[0] == 'I' && strcmp(open, tag + 2)) {
		tag[0] = 'B';
		b->n_orphans++;
	}
	memcpy(open, tag + 2, len - 1);
	return ERR_OK;
}

static enum err read_tags(struct builder *b, const struct finding *f, struct utterance *u,
	struct err_ctx *ctx)
{
	char tag[DATA_MAX_LABEL + 3], open[DATA_MAX_LABEL + 3] = "";
	const char *at = f->tags;
	size_t n = builder_count_words(at, strlen(at), 0);
	enum err e;

	if (n != u->n_words)
		return fault(f, ctx, ERR_INVALID, "%u word%s but %zu tag%s", u->n_words,
			u->n_words == 1 ? "" : "s", n, n == 1 ? "" : "s");
	u->tags = malloc(n * sizeof(*u->tags));
	if (!u->tags)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		size_t len = 0;

		while (is_space(*at))
			at++;
		while (at[len] && !is_space(at[len]))
			len++;
		e = read_tag(b, f, at, len, tag, open, ctx);
		if (!e)
			e = intern(&b->tags, f, tag, "tag", &u->tags[i], ctx);
		if (e)
			return e;
		at += len;
	}
	return ERR_OK;
}

static enum err read_text(struct builder *b, const struct finding *f, struct utterance *u,
	struct err_ctx *ctx)
{
	size_t len = strlen(f->text), n;

	if (len > DATA_MAX_TEXT)
		return fault(f, ctx, ERR_INVALID,
			"a text of %zu bytes, at most %d are allowed", len,
			DATA_MAX_TEXT);
	if (utf8_valid_prefix(f->text, len) != len)
		return fault(f, ctx, ERR_PARSE, "text is not UTF-8");
	n = builder_count_words(f->text, len, 0);
	if (!n)
		return fault(f, ctx, ERR_INVALID, "no text");
	if (n > DATA_MAX_WORDS)
		return fault(f, ctx, ERR_INVALID, "%zu words, at most %d are allowed", n,
			DATA_MAX_WORDS);
	u->text = malloc(len + 1);
	if (!u->text)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	b->n_folded += fold_words(f->text, u->text) > 0;
	u->n_words = (uint32_t)n;
	return ERR_OK;
}

/* Room for one more utterance, zeroed and counted, so that a release finds it. */
static enum err next_utterance(
	struct builder *b, enum split s, struct utterance **out, struct err_ctx *ctx)
{
	struct dataset *d = b->d;

	if (d->n[s] == b->cap[s]) {
		size_t cap = b->cap[s] ? 2 * b->cap[s] : 256;
		struct utterance *u = realloc(d->u[s], cap * sizeof(*u));

		if (!u)
			return err_set(ctx, ERR_NOMEM, "out of memory");
		d->u[s] = u;
		b->cap[s] = cap;
	}
	*out = &d->u[s][d->n[s]++];
	memset(*out, 0, sizeof(**out));
	(*out)->intent = -1;
	return ERR_OK;
}

enum err builder_add(
	struct builder *b, enum split s, const struct finding *f, struct err_ctx *ctx)
{
	struct utterance *u;
	enum err e;

	if (b->d->n[s] >= DATA_MAX_ROWS)
		return fault(
			f, ctx, ERR_INVALID, "more than %u utterances", DATA_MAX_ROWS);
	if (b->started && b->has_tags != (f->tags != NULL))
		return fault(
			f, ctx, ERR_INVALID, "some utterances have slots and some not");
	b->has_tags = f->tags != NULL;
	b->started = 1;
	e = next_utterance(b, s, &u, ctx);
	if (!e)
		e = read_text(b, f, u, ctx);
	if (!e)
		e = check_label(f, f->intent, "label", 1, ctx);
	if (!e)
		e = intern(&b->intents, f, f->intent, "label", &u->intent, ctx);
	if (!e && f->tags)
		e = read_tags(b, f, u, ctx);
	return e;
}

enum err builder_add_text(struct builder *b, enum split s, const char *text, size_t len,
	struct err_ctx *ctx)
{
	size_t n = builder_count_words(text, len, 1);
	struct utterance *u;
	enum err e;

	if (!n || n > UINT32_MAX)
		return err_set(ctx, ERR_INVALID,
			n ? "the %s text is too long" : "the %s text is empty",
			split_names[s]);
	b->d->kind = TASK_LM;
	e = next_utterance(b, s, &u, ctx);
	if (e)
		return e;
	u->text = malloc(len + 1);
	if (!u->text)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	memcpy(u->text, text, len);
	u->text[len] = '\0';
	u->n_words = (uint32_t)n;
	return ERR_OK;
}
