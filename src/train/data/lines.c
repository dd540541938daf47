#include "src/train/data/lines.h"

#include <stdio.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/utf8.h"

enum err latin1_to_utf8(struct buf *text, struct err_ctx *ctx)
{
	struct buf out;
	enum err e;

	buf_init(&out);
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->data[i];

		if (c < 0x80) {
			buf_putc(&out, (char)c);
		} else {
			buf_putc(&out, (char)(0xc0 | c >> 6));
			buf_putc(&out, (char)(0x80 | (c & 0x3f)));
		}
	}
	e = buf_err(&out, ctx);
	if (e) {
		buf_release(&out);
		return e;
	}
	buf_release(text);
	*text = out;
	return ERR_OK;
}

static size_t line_of(const char *text, size_t at)
{
	size_t line = 1;

	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	return line;
}

static enum err check_text(struct lines *l, struct err_ctx *ctx)
{
	const char *s = buf_str(&l->text);
	size_t len = l->text.len, good = utf8_valid_prefix(s, len);

	if (good == len)
		return ERR_OK;
	if (!s[good])
		return err_set(ctx, ERR_PARSE, "%s:%zu: a NUL byte in the text", l->path,
			line_of(s, good));
	return err_set(ctx, ERR_PARSE,
		"%s:%zu: not UTF-8 (byte 0x%02x); convert the file first", l->path,
		line_of(s, good), (unsigned char)s[good]);
}

enum err lines_open(struct lines *l, const char *path, struct err_ctx *ctx)
{
	enum err e;

	memset(l, 0, sizeof(*l));
	if (strlen(path) >= sizeof(l->path))
		return err_set(ctx, ERR_INVALID, "path too long: '%.80s...'", path);
	snprintf(l->path, sizeof(l->path), "%s", path);
	buf_init(&l->text);
	if (file_is_dir(path))
		e = err_set(ctx, ERR_INVALID, "'%s' is a folder, expected a file", path);
	else
		e = file_read(path, DATA_MAX_FILE, &l->text, ctx);
	if (!e)
		e = check_text(l, ctx);
	if (e) {
		buf_release(&l->text);
		return e;
	}
	if (l->text.len >= 3 && !memcmp(l->text.data, "\xef\xbb\xbf", 3))
		l->at = 3;
	return ERR_OK;
}

void lines_close(struct lines *l)
{
	buf_release(&l->text);
}

char *lines_next(struct lines *l)
{
	char *line, *end;

	if (l->at >= l->text.len)
		return NULL;
	line = l->text.data + l->at;
	end = memchr(line, '\n', l->text.len - l->at);
	if (!end)
		end = l->text.data + l->text.len;
	l->at = (size_t)(end - l->text.data) + 1;
	*end = '\0';
	if (end > line && end[-1] == '\r')
		end[-1] = '\0';
	l->number++;
	return line;
}
