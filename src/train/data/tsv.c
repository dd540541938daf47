/* text<TAB>label: one file, or a folder with train.tsv, valid.tsv (or dev.tsv), test.tsv.
 */
#include <string.h>

#include "src/base/file.h"
#include "src/train/data/lines.h"
#include "src/train/data/reader.h"

/* Most lines of the file's beginning have one tab: a text with a tab here and there is
 * text, a table with a broken row is a table. */
static int looks_tabbed(const char *head)
{
	size_t n_lines = 0, n_tabbed = 0;

	while (*head) {
		size_t len = strcspn(head, "\n");
		const char *tab = memchr(head, '\t', len);

		n_lines++;
		n_tabbed += tab && !memchr(tab + 1, '\t', (size_t)(head + len - tab) - 1);
		head += len + (head[len] == '\n');
	}
	return 2 * n_tabbed > n_lines;
}

static int recognise(const char *source)
{
	char head[8192];

	if (file_is_dir(source))
		return source_has(source, "train.tsv");
	if (source_ends_with(source, ".tsv"))
		return file_exists(source);
	return source_head(source, head, sizeof(head)) && looks_tabbed(head);
}

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " ");
	n = strlen(s);
	while (n && s[n - 1] == ' ')
		s[--n] = '\0';
	return s;
}

static enum err add_line(struct builder *b, enum split s, const struct lines *l,
	char *line, struct buf *text, struct err_ctx *ctx)
{
	struct finding f = {.file = l->path, .line = l->number};
	char *tab = strchr(line, '\t');
	enum err e;

	if (!line[strspn(line, " \t")])
		return err_set(ctx, ERR_INVALID,
			"%s:%zu: an empty line; expected text<TAB>label", l->path,
			l->number);
	if (!tab)
		return err_set(ctx, ERR_INVALID,
			"%s:%zu: text without a label; expected text<TAB>label", l->path,
			l->number);
	if (strchr(tab + 1, '\t'))
		return err_set(ctx, ERR_INVALID,
			"%s:%zu: more than two columns; expected text<TAB>label", l->path,
			l->number);
	*tab = '\0';
	if (strlen(line) > DATA_MAX_TEXT)
		return err_set(ctx, ERR_INVALID,
			"%s:%zu: a text of %zu bytes, at most %d are allowed", l->path,
			l->number, strlen(line), DATA_MAX_TEXT);
	e = builder_normalise(line, text, ctx);
	if (e)
		return e;
	f.text = buf_str(text);
	f.intent = trim(tab + 1);
	return builder_add(b, s, &f, ctx);
}

static enum err read_file(
	struct builder *b, enum split s, const char *path, struct err_ctx *ctx)
{
	struct lines l;
	struct buf text;
	char *line;
	enum err e = lines_open(&l, path, ctx);

	if (e)
		return e;
	buf_init(&text);
	while (!e && (line = lines_next(&l))) {
		if (l.number == 1 && !strcasecmp(line, "text\tlabel"))
			continue;
		e = add_line(b, s, &l, line, &text, ctx);
	}
	if (!e && !b->d->n[s])
		e = err_set(ctx, ERR_INVALID, "'%s' is empty", path);
	buf_release(&text);
	lines_close(&l);
	return e;
}

static enum err read(struct builder *b, const char *source, struct err_ctx *ctx)
{
	static const struct {
		const char *name;
		enum split split;
	} files[] = {{"train.tsv", SPLIT_TRAIN}, {"valid.tsv", SPLIT_VALID},
		{"dev.tsv", SPLIT_VALID}, {"test.tsv", SPLIT_TEST}};
	char path[DATA_PATH_MAX];
	enum err e = ERR_OK;

	if (!file_is_dir(source))
		return read_file(b, SPLIT_TRAIN, source, ctx);
	for (size_t i = 0; i < 4 && !e; i++) {
		enum split s = files[i].split;

		if ((s != SPLIT_TRAIN && !source_has(source, files[i].name)) ||
			b->d->n[s])
			continue;
		e = file_join(path, sizeof(path), source, files[i].name, ctx);
		if (!e)
			e = read_file(b, s, path, ctx);
	}
	return e;
}

const struct reader reader_tsv = {"tsv", recognise, read};
