#include "src/cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/nearest.h"

#define LOG_EVERY_S 5.0

volatile int cli_cancel;

static void on_signal(int number)
{
	static const char note[] = "\nstopping; press Ctrl-C again to end at once\n";
	int kept = errno;

	if (cli_cancel) {
		signal(number, SIG_DFL);
		raise(number);
	}
	cli_cancel = number;
	if (isatty(STDERR_FILENO) && write(STDERR_FILENO, note, sizeof(note) - 1) < 0)
		cli_cancel = number; /* nobody is left to be told */
	errno = kept;
}

void cli_catch_signals(void)
{
	struct sigaction a;

	/* No SA_RESTART: a read that waits for a device has to notice. */
	memset(&a, 0, sizeof(a));
	a.sa_handler = on_signal;
	sigemptyset(&a.sa_mask);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	/* A closed pipe and a file size limit are errors of write, reported like others.
	 */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

int cli_colour(FILE *f)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no && *no)
		return 0;
	if (!term || strcmp(term, "dumb") == 0)
		return 0;
	return isatty(fileno(f));
}

struct progress *cli_progress(void)
{
	return progress_new(stderr, LOG_EVERY_S);
}

void cli_print_error(FILE *f, const char *text)
{
	fputs("hawser: ", f);
	for (const char *p = text; *p; p++)
		fputc(iscntrl((unsigned char)*p) ? '?' : *p, f);
	fputc('\n', f);
	fflush(f);
}

enum err cli_int(const char *text, const char *what, long lo, long hi, long *out,
	struct err_ctx *ctx)
{
	const char *digits = text + (text[0] == '-' || text[0] == '+');
	long v;

	if (!digits[0] || digits[strspn(digits, "0123456789")])
		return err_set(
			ctx, ERR_USAGE, "%s: '%.60s' is not a whole number", what, text);
	errno = 0;
	v = strtol(text, NULL, 10);
	if (errno || v < lo || v > hi)
		return err_set(ctx, ERR_USAGE, "%s: '%.60s' is not in %ld to %ld", what,
			text, lo, hi);
	*out = v;
	return ERR_OK;
}

enum err cli_double(const char *text, const char *what, double lo, double hi, double *out,
	struct err_ctx *ctx)
{
	char *end;
	double v = strtod(text, &end);

	/* strtod also takes "nan", "inf" and hexadecimal; we do not. */
	if (end == text || *end || text[strspn(text, "+-.0123456789eE")])
		return err_set(ctx, ERR_USAGE, "%s: '%.60s' is not a number", what, text);
	if (!isfinite(v) || v < lo || v > hi)
		return err_set(ctx, ERR_USAGE, "%s: '%.60s' is not in %g to %g", what,
			text, lo, hi);
	*out = v;
	return ERR_OK;
}

enum err cli_unknown(
	const char *what, const char *word, const char *const *known, struct err_ctx *ctx)
{
	const char *hint = nearest_word(word, known);

	if (hint)
		return err_set(ctx, ERR_USAGE, "unknown %s '%.80s' (did you mean '%s'?)",
			what, word, hint);
	return err_set(ctx, ERR_USAGE, "unknown %s '%.80s'", what, word);
}
