#include "src/codegen/toolchain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/codegen/codegen.h"

const char toolchain_cflags[] =
	"-std=c11 -Wall -Wextra -Werror -ffunction-sections -fdata-sections -fno-pie "
	"-fno-asynchronous-unwind-tables -fno-ident -pipe";

void args_init(struct args *a)
{
	memset(a, 0, sizeof(*a));
	buf_init(&a->text);
}

void args_release(struct args *a)
{
	buf_release(&a->text);
}

static void add_span(struct args *a, const char *word, size_t len)
{
	if (a->n == ARGS_MAX) {
		a->too_many = 1;
		return;
	}
	a->offset[a->n++] = a->text.len;
	buf_append(&a->text, word, len);
	buf_putc(&a->text, 0);
}

void args_add(struct args *a, const char *word)
{
	add_span(a, word, strlen(word));
}

void args_add_words(struct args *a, const char *words)
{
	while (*words) {
		size_t blank = strspn(words, " \t"), len;

		words += blank;
		len = strcspn(words, " \t");
		if (len)
			add_span(a, words, len);
		words += len;
	}
}

void args_printf(struct args *a, const char *fmt, ...)
{
	char word[4600];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(word, sizeof(word), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(word))
		a->too_many = 1;
	else
		add_span(a, word, (size_t)n);
}

enum err args_done(struct args *a, struct err_ctx *ctx)
{
	enum err e = buf_err(&a->text, ctx);

	if (e)
		return e;
	if (a->too_many || a->n == 0)
		return err_set(ctx, ERR_INVALID, "a compiler call of %s",
			a->n ? "too many words" : "no words: the compiler has no name");
	for (size_t i = 0; i < a->n; i++)
		a->argv[i] = a->text.data + a->offset[i];
	a->argv[a->n] = NULL;
	return ERR_OK;
}

/* The first line that tells of an error; else the first line. */
static const char *first_error(const char *text, size_t *len)
{
	const char *best = text;

	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		const char *word = strstr(line, "rror");

		if (word && word < line + n) {
			best = line;
			break;
		}
		line += n + (line[n] == '\n');
	}
	*len = strcspn(best, "\n");
	return best;
}

enum err toolchain_run(struct args *a, const char *cwd, struct err_ctx *ctx)
{
	struct buf text;
	enum err e = args_done(a, ctx);

	if (e)
		return e;
	buf_init(&text);
	e = process_run_command(a->argv, cwd, TOOLCHAIN_TIMEOUT_S, NULL, &text, ctx);
	if (e == ERR_TOOL && text.len) {
		size_t len;
		const char *line = first_error(buf_str(&text), &len);

		if (strstr(buf_str(&text), "No space left on device"))
			e = ERR_FULL;
		err_set(ctx, e, "'%s' refused: %.*s", a->argv[0],
			(int)(len < 500 ? len : 500), line);
	}
	buf_release(&text);
	return e;
}

enum err codegen_probe_compiler(
	const char *cc, char *version, size_t cap, struct err_ctx *ctx)
{
	struct args a;
	struct buf out;
	enum err e;

	args_init(&a);
	buf_init(&out);
	args_add_words(&a, cc);
	args_add(&a, "--version");
	e = args_done(&a, ctx);
	if (!e)
		e = process_run_command(a.argv, NULL, 30, &out, NULL, ctx);
	if (e == ERR_TOOL)
		err_set(ctx, e,
			"compiler '%s' does not run: install it (Debian and Ubuntu: "
			"apt-get install %s), or name another as 'cc' in the device "
			"profile",
			cc, strcmp(cc, "cc") ? cc : "gcc");
	if (!e)
		snprintf(version, cap, "%.*s", (int)strcspn(buf_str(&out), "\n"),
			buf_str(&out));
	buf_release(&out);
	args_release(&a);
	return e;
}
