/* The command line: a table of commands, one file each (cmd_<verb>.c), and their tools.
 *
 * A command parses its arguments with cli_parse, works through the libraries, writes its
 * result to stdout and returns an enum err; main prints the error's text once to stderr
 * ("hawser: ...") and exits with err_exit_code. Progress goes to stderr.
 */
#ifndef HAWSER_CLI_CLI_H
#define HAWSER_CLI_CLI_H

#include <stdio.h>

#include "src/base/err.h"
#include "src/base/progress.h"

#define HAWSER_VERSION "0.1.0"

struct store;

/* An option: --name VALUE, --name=VALUE or --name (flag); a name of one letter has one
 * dash (-n VALUE). */
struct cli_option {
	const char *name;	/* "where" */
	const char *value_name; /* "LIMIT"; NULL: a flag */
	const char *help;
	int repeat;	    /* may be given several times */
	const char **value; /* flag: set to ""; repeat: array of CLI_MAX_REPEAT,
			       NULL-terminated */
};
#define CLI_MAX_REPEAT 16

struct command {
	const char *name;
	const char *summary;  /* one line for `hawser help` */
	const char *synopsis; /* "JOB.yaml [options]"; lines for sub-commands */
	const char *details;  /* paragraphs after the options; may be NULL */
	const char *examples; /* lines */
	enum err (*run)(int argc, char **argv, struct err_ctx *ctx); /* argv[0] = name */
};

/* One per file, listed in main.c. A command with sub-commands takes them from argv[1]
 * after cli_parse; its options may be given before or after that word. */
extern const struct command cmd_data, cmd_train, cmd_search, cmd_status, cmd_stop,
	cmd_front, cmd_show, cmd_report, cmd_measure, cmd_device, cmd_cost, cmd_export,
	cmd_space;

/* Parses options anywhere among the arguments, plus --help (prints the command's help and
 * returns ERR_CANCELLED with an empty text: main exits 0) and --results DIR. Positional
 * arguments are moved to argv[1..*n]; fewer than `min` or more than `max` is ERR_USAGE.
 * `options` ends with a NULL name. */
enum err cli_parse(const struct command *c, const struct cli_option *options, int argc,
	char **argv, int min, int max, int *n, struct err_ctx *ctx);

/* Where databases, builds and reports go: --results, else $HAWSER_RESULTS, else a
 * checkout's results/, else (installed) $XDG_DATA_HOME/hawser or ~/.local/share/hawser. The
 * folder is made. */
enum err cli_results(char *out, size_t cap, struct err_ctx *ctx);
/* "<results>/hawser.db". */
enum err cli_database(char *out, size_t cap, struct err_ctx *ctx);
/* Opens that database for reading; the caller closes it. */
enum err cli_open_store(struct store **out, struct err_ctx *ctx);
/* Colours: only when `f` is a terminal and NO_COLOR is unset. */
int cli_colour(FILE *f);
/* A progress on stderr. */
struct progress *cli_progress(void);
/* SIGINT and SIGTERM set this to the signal's number; a second one ends the program.
 * main calls cli_catch_signals before any command runs. */
extern volatile int cli_cancel;
void cli_catch_signals(void);
/* A whole decimal number in [lo, hi]; the message names the option. */
enum err cli_int(const char *text, const char *what, long lo, long hi, long *out,
	struct err_ctx *ctx);
/* A finite decimal number in [lo, hi]. */
enum err cli_double(const char *text, const char *what, double lo, double hi, double *out,
	struct err_ctx *ctx);
/* ERR_USAGE for a word that is none of the NULL-terminated list `known`, with the nearest
 * one as a hint: "unknown sub-command 'lsit' (did you mean 'list'?)". */
enum err cli_unknown(const char *what, const char *word, const char *const *known,
	struct err_ctx *ctx);
/* The error as main prints it: "hawser: text", one line, control characters as '?'. */
void cli_print_error(FILE *f, const char *text);

#endif
