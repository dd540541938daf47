/* Plain text for a language model: one file, split by position 90/5/5, or a folder with
 * train.txt, valid.txt, test.txt. Letters keep their case; runs of spaces become one, and
 * spaces around line ends go, since the tokeniser could not give them back.
 */
#include <string.h>

#include "src/base/file.h"
#include "src/train/data/lines.h"
#include "src/train/data/reader.h"

#define MIN_WORDS 20 /* in any split */

static int recognise(const char *source)
{
	char head[64];

	if (file_is_dir(source))
		return source_has(source, "train.txt");
	return source_head(source, head, sizeof(head)) > 0;
}

static int is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* In place; returns the new length. */
static size_t collapse(char *s, size_t len)
{
	size_t n = 0;
	int gap = 0;

	for (size_t i = 0; i < len; i++) {
		if (is_blank(s[i])) {
			gap = 1;
			continue;
		}
		if (gap && n && s[n - 1] != '\n' && s[i] != '\n')
			s[n++] = ' ';
		gap = 0;
		s[n++] = s[i];
	}
	return n;
}

static enum err add_part(struct builder *b, enum split s, const char *path,
	const char *text, size_t len, struct err_ctx *ctx)
{
	while (len && *text == ' ') {
		text++;
		len--;
	}
	while (len && text[len - 1] == ' ')
		len--;
	if (builder_count_words(text, len, 0) < MIN_WORDS)
		return err_set(ctx, ERR_INVALID,
			"'%s' is too short: the %s text has fewer than %d words", path,
			split_names[s], MIN_WORDS);
	return builder_add_text(b, s, text, len, ctx);
}

/* Reads a file's text, collapsed; the caller closes. */
static enum err open_text(struct lines *l, const char *path, struct err_ctx *ctx)
{
	enum err e = lines_open(l, path, ctx);

	if (e)
		return e;
	if (l->text.len)
		l->text.len = l->at + collapse(l->text.data + l->at, l->text.len - l->at);
	return ERR_OK;
}

enum err text_read_split(
	struct builder *b, enum split s, const char *path, struct err_ctx *ctx)
{
	struct lines l;
	enum err e = open_text(&l, path, ctx);

	if (e)
		return e;
	e = add_part(b, s, path, buf_str(&l.text) + l.at, l.text.len - l.at, ctx);
	lines_close(&l);
	return e;
}

/* The end of the line around `at`, or of the word where lines are long. */
static size_t cut_near(const char *text, size_t len, size_t at)
{
	for (size_t i = at; i < len && i < at + 2000; i++)
		if (text[i] == '\n')
			return i + 1;
	while (at < len && text[at] != ' ')
		at++;
	return at;
}

static enum err read_file(struct builder *b, const char *path, struct err_ctx *ctx)
{
	static const unsigned percent[N_SPLITS] = {90, 95, 100};
	struct lines l;
	const char *text;
	size_t len, from = 0;
	enum err e = open_text(&l, path, ctx);

	if (e)
		return e;
	text = buf_str(&l.text) + l.at;
	len = l.text.len - l.at;
	for (int s = 0; s < N_SPLITS && !e; s++) {
		size_t to = s == SPLIT_TEST ? len
					    : cut_near(text, len, len / 100 * percent[s]);

		if (to < from)
			to = from;
		e = add_part(b, (enum split)s, path, text + from, to - from, ctx);
		from = to;
	}
	lines_close(&l);
	if (!e)
		builder_note(b, "split by position 90/5/5");
	return e;
}

static enum err read(struct builder *b, const char *source, struct err_ctx *ctx)
{
	static const char *const names[N_SPLITS] = {"train.txt", "valid.txt", "test.txt"};
	char path[DATA_PATH_MAX];
	enum err e = ERR_OK;

	if (!file_is_dir(source))
		return read_file(b, source, ctx);
	if (!source_has(source, names[SPLIT_VALID]) &&
		!source_has(source, names[SPLIT_TEST])) {
		e = file_join(path, sizeof(path), source, names[SPLIT_TRAIN], ctx);
		return e ? e : read_file(b, path, ctx);
	}
	for (int s = 0; s < N_SPLITS && !e; s++) {
		e = file_join(path, sizeof(path), source, names[s], ctx);
		if (!e)
			e = text_read_split(b, (enum split)s, path, ctx);
	}
	return e;
}

const struct reader reader_text = {"text", recognise, read};
