#include "src/cli/cli.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/nearest.h"
#include "src/store/store.h"

#define MAX_OPTIONS 48
#define HELP_COLUMNS 90

static const char *results_dir; /* --results */

/* Every command has these, behind its own. */
static const struct cli_option common[] = {
	{"results", "DIR", "where databases, builds and reports are kept", 0,
		&results_dir},
	{"help", NULL, "show this text", 0, NULL},
	{NULL, NULL, NULL, 0, NULL},
};

/* Where results go unless told otherwise: into a checkout's own folder; for an installed
 * program, whose folder belongs to the system, below the user's data. */
static enum err usual_results(char *out, size_t cap, struct err_ctx *ctx)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	enum err e = file_home(out, cap, ctx);

	if (!e)
		e = file_join(out, cap, out, "results", ctx);
	if (e || file_is_dir(out))
		return e;
	if (data && data[0] == '/')
		return file_join(out, cap, data, "hawser", ctx);
	if (home && home[0] == '/')
		return file_join(out, cap, home, ".local/share/hawser", ctx);
	return err_set(ctx, ERR_USAGE,
		"no folder for results: HOME is not set (give --results DIR)");
}

enum err cli_results(char *out, size_t cap, struct err_ctx *ctx)
{
	const char *given = getenv("HAWSER_RESULTS");
	char dir[PATH_MAX];
	enum err e;

	if (results_dir)
		given = results_dir;
	if (given && *given)
		e = file_join(dir, sizeof(dir), "", given, ctx);
	else
		e = usual_results(dir, sizeof(dir), ctx);
	if (!e)
		e = file_mkdirs(dir, ctx);
	if (!e)
		e = file_join(out, cap, "", dir, ctx);
	return e;
}

enum err cli_database(char *out, size_t cap, struct err_ctx *ctx)
{
	char dir[PATH_MAX];
	enum err e = cli_results(dir, sizeof(dir), ctx);

	return e ? e : file_join(out, cap, dir, "hawser.db", ctx);
}

enum err cli_open_store(struct store **out, struct err_ctx *ctx)
{
	char path[PATH_MAX];
	enum err e = cli_database(path, sizeof(path), ctx);

	return e ? e : store_open(out, path, STORE_READ, ctx);
}

/* Writes `len` characters from column `at` on; what does not fit goes on at column
 * `indent`, broken between words. */
static void print_wrapped(FILE *f, const char *text, size_t len, size_t at, size_t indent)
{
	while (at + len > HELP_COLUMNS) {
		size_t end = at < HELP_COLUMNS ? HELP_COLUMNS - at : 0;

		while (end > 0 && text[end] != ' ')
			end--;
		if (end == 0)
			end = strcspn(text, " \n");
		if (end >= len)
			break;
		fprintf(f, "%.*s\n%*s", (int)end, text, (int)indent, "");
		at = indent;
		text += end + 1;
		len -= end + 1;
	}
	fprintf(f, "%.*s\n", (int)len, text);
}

/* Lines that are indented already keep no more than the prefix; long ones go on below
 * their first word. */
static void print_indented(FILE *f, const char *prefix, const char *lines)
{
	while (lines && *lines) {
		size_t blanks = strspn(lines, " "), len = strcspn(lines, "\n");

		if (prefix[0]) {
			lines += blanks;
			len -= blanks;
			blanks = strlen(prefix);
		}
		if (len)
			fputs(prefix, f);
		print_wrapped(f, lines, len, strlen(prefix), blanks);
		lines += len + (lines[len] == '\n');
	}
}

static void print_option(FILE *f, const struct cli_option *o)
{
	char left[64], right[512];
	int n;

	snprintf(left, sizeof(left), "%s%s%s%s", strlen(o->name) == 1 ? "-" : "--",
		o->name, o->value_name ? " " : "", o->value_name ? o->value_name : "");
	snprintf(right, sizeof(right), "%s%s", o->help,
		o->repeat ? " (may be repeated)" : "");
	n = fprintf(f, "  %-22s ", left);
	print_wrapped(f, right, strlen(right), n > 0 ? (size_t)n : 0, 25);
}

static void print_help(FILE *f, const struct command *c, const struct cli_option *options)
{
	const char *line = c->synopsis;

	for (int first = 1; first || *line; first = 0) {
		size_t len = strcspn(line, "\n"), at = strlen("usage: hawser ");

		fprintf(f, "%s hawser %s%s", first ? "usage:" : "      ", c->name,
			len ? " " : "");
		at += strlen(c->name) + 1;
		print_wrapped(f, line, len, at, at);
		line += len + (line[len] == '\n');
	}
	fprintf(f, "\n%s\n\noptions:\n", c->summary);
	for (; options && options->name; options++)
		print_option(f, options);
	for (const struct cli_option *o = common; o->name; o++)
		print_option(f, o);
	if (c->details) {
		fputc('\n', f);
		print_indented(f, "", c->details);
	}
	if (c->examples) {
		fputs("\nexamples:\n", f);
		print_indented(f, "  ", c->examples);
	}
}

struct parser {
	const struct command *command;
	const struct cli_option *all[MAX_OPTIONS + 1];
	size_t n_all;
	int given[MAX_OPTIONS]; /* times */
	int help;
	struct err_ctx *ctx;
};

static void add_options(struct parser *p, const struct cli_option *options)
{
	for (; options && options->name && p->n_all < MAX_OPTIONS; options++)
		p->all[p->n_all++] = options;
}

static enum err unknown_option(struct parser *p, const char *arg)
{
	const char *dash = arg[1] == '-' ? "--" : "-", *names[MAX_OPTIONS + 1], *hint;
	char word[64];

	for (size_t i = 0; i < p->n_all; i++)
		names[i] = p->all[i]->name;
	names[p->n_all] = NULL;
	arg += strlen(dash);
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(arg, "="), arg);
	hint = nearest_word(word, names);
	if (hint)
		return err_set(p->ctx, ERR_USAGE,
			"%s: unknown option '%s%s' (did you mean '%s%s'?)",
			p->command->name, dash, word, hint[1] ? "--" : "-", hint);
	return err_set(p->ctx, ERR_USAGE,
		"%s: unknown option '%s%s' (see 'hawser %s --help')", p->command->name,
		dash, word, p->command->name);
}

/* Sets option `at`; `value` is NULL for a flag. */
static enum err set_option(struct parser *p, size_t at, const char *value)
{
	const struct cli_option *o = p->all[at];
	const char *dash = strlen(o->name) == 1 ? "-" : "--";

	if (!o->value) {
		p->help = 1;
		return ERR_OK;
	}
	if (!o->repeat && p->given[at])
		return err_set(p->ctx, ERR_USAGE, "%s: option '%s%s' is given twice",
			p->command->name, dash, o->name);
	if (o->repeat && p->given[at] >= CLI_MAX_REPEAT - 1)
		return err_set(p->ctx, ERR_USAGE,
			"%s: option '%s%s' is given more than %d times", p->command->name,
			dash, o->name, CLI_MAX_REPEAT - 1);
	o->value[o->repeat ? p->given[at] : 0] = value ? value : "";
	p->given[at]++;
	if (o->repeat)
		o->value[p->given[at]] = NULL;
	return ERR_OK;
}

/* Takes the option at argv[*i], and its value from there or from the next argument. */
static enum err take_option(struct parser *p, int argc, char **argv, int *i)
{
	const char *arg = argv[*i], *name = arg + 1, *value = NULL;
	size_t len = 1, at = 0;
	int is_long = arg[1] == '-';

	if (is_long) {
		name = arg + 2;
		len = strcspn(name, "=");
		value = name[len] == '=' ? name + len + 1 : NULL;
	} else if (name[1]) {
		value = name + 1; /* -n5 */
	}
	if (!is_long && strcmp(name, "h") == 0) {
		p->help = 1;
		return ERR_OK;
	}
	while (at < p->n_all && !(strlen(p->all[at]->name) == len &&
					strncmp(p->all[at]->name, name, len) == 0 &&
					is_long == (len > 1)))
		at++;
	if (at == p->n_all)
		return unknown_option(p, arg);
	if (!p->all[at]->value_name) {
		if (value)
			return err_set(p->ctx, ERR_USAGE,
				"%s: option '%s' takes no value", p->command->name,
				p->all[at]->name);
		return set_option(p, at, NULL);
	}
	if (!value) {
		if (*i + 1 >= argc)
			return err_set(p->ctx, ERR_USAGE,
				"%s: option '%.60s' needs a value (%s)", p->command->name,
				arg, p->all[at]->value_name);
		value = argv[++*i];
	}
	return set_option(p, at, value);
}

enum err cli_parse(const struct command *c, const struct cli_option *options, int argc,
	char **argv, int min, int max, int *n, struct err_ctx *ctx)
{
	struct parser p = {.command = c, .ctx = ctx};
	int count = 0, only_positional = 0;
	enum err e = ERR_OK;

	add_options(&p, options);
	add_options(&p, common);
	for (int i = 1; !e && i < argc; i++) {
		if (!only_positional && strcmp(argv[i], "--") == 0)
			only_positional = 1;
		else if (!only_positional && argv[i][0] == '-' && argv[i][1])
			e = take_option(&p, argc, argv, &i);
		else
			argv[++count] = argv[i];
	}
	if (e)
		return e;
	if (p.help) {
		print_help(stdout, c, options);
		return err_set(ctx, ERR_CANCELLED, "%s", "");
	}
	if (count < min)
		return err_set(ctx, ERR_USAGE,
			"%s: an argument is missing (see 'hawser %s --help')", c->name,
			c->name);
	if (count > max)
		return err_set(ctx, ERR_USAGE,
			"%s: unexpected argument '%.60s' (see 'hawser %s --help')",
			c->name, argv[max + 1], c->name);
	*n = count;
	return ERR_OK;
}
