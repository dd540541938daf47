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

/* Makes argv. */
static enum err args_done(struct args *a, struct err_ctx *ctx)
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

/* What a compiler says when this machine, not the program, is at fault, and what
 * the scripts in devices/boards/mcu say of a program that is too large. */
static const struct {
	const char *phrase;
	enum err code;
} known_faults[] = {
	{"No space left on device", ERR_FULL},
	{"Disk quota exceeded", ERR_FULL},
	{"File too large", ERR_FULL},
	{"Cannot allocate memory", ERR_NOMEM},
	{"virtual memory exhausted", ERR_NOMEM},
	{"out of memory", ERR_NOMEM},
	{"Killed signal terminated program", ERR_NOMEM},
	{"larger than the board's window", ERR_NO_FIT},
	{"larger than the board's flash", ERR_NO_FIT},
};

/* The line of `text` that `at` is in. */
static const char *line_of(const char *text, const char *at, size_t *len)
{
	while (at > text && at[-1] != '\n')
		at--;
	*len = strcspn(at, "\n");
	return at;
}

/* Takes the line that names a fault of this machine, else the first that tells of an
 * error, else the first. */
static enum err judge(const char *text, const char **line, size_t *len)
{
	const char *at = NULL;

	for (size_t i = 0; i < sizeof(known_faults) / sizeof(*known_faults); i++) {
		at = strstr(text, known_faults[i].phrase);
		if (at) {
			*line = line_of(text, at, len);
			return known_faults[i].code;
		}
	}
	at = strstr(text, "rror");
	*line = line_of(text, at ? at : text, len);
	return ERR_TOOL;
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
		const char *line;
		size_t len;

		e = judge(buf_str(&text), &line, &len);
		err_set(ctx, e, "'%s' %s: %.*s", a->argv[0],
			e == ERR_TOOL ? "refused" : "could not finish",
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

enum err toolchain_macros(
	const char *cc, const char *cflags, struct buf *out, struct err_ctx *ctx)
{
	struct args a;
	enum err e;

	args_init(&a);
	args_add_words(&a, cc);
	args_add_words(&a, cflags);
	args_add_words(&a, "-dM -E -x c /dev/null");
	e = args_done(&a, ctx);
	if (!e)
		e = process_run_command(a.argv, NULL, 30, out, NULL, ctx);
	args_release(&a);
	return e;
}
