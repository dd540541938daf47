/* The command table, and what happens before and after a command. */
#include "src/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "src/train/train.h"

static const struct command *const commands[] = {
	&cmd_search,
	&cmd_status,
	&cmd_stop,
	&cmd_front,
	&cmd_show,
	&cmd_report,
	&cmd_export,
	&cmd_data,
	&cmd_space,
	&cmd_train,
	&cmd_measure,
	&cmd_device,
	&cmd_cost,
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_overview(FILE *f)
{
	fputs("usage: hawser COMMAND [arguments] [options]\n\n"
	      "Finds, builds, measures and ships small transformers for edge devices.\n\n"
	      "commands:\n",
		f);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(f, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n'hawser help COMMAND' or 'hawser COMMAND --help' tells more.\n"
	      "Exit codes: 0 done, 1 failure, 2 bad usage or input, 3 device "
	      "unavailable.\n",
		f);
}

static void print_version(FILE *f)
{
	fprintf(f, "hawser %s\nBLAS: %s\n", HAWSER_VERSION, train_blas_description());
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static enum err unknown_command(const char *word, struct err_ctx *ctx)
{
	const char *names[N_COMMANDS + 2];
	enum err e;
	size_t i;

	for (i = 0; i < N_COMMANDS; i++)
		names[i] = commands[i]->name;
	names[i] = "help";
	names[i + 1] = NULL;
	e = cli_unknown(word[0] == '-' ? "option" : "command", word, names, ctx);
	if (!strstr(ctx->msg, "did you mean"))
		strncat(ctx->msg, "; 'hawser help' lists the commands",
			sizeof(ctx->msg) - strlen(ctx->msg) - 1);
	return e;
}

static enum err run_help(int argc, char **argv, struct err_ctx *ctx)
{
	char option[] = "--help";
	char *args[] = {NULL, option, NULL};
	const struct command *c;

	if (argc < 2) {
		print_overview(stdout);
		return ERR_OK;
	}
	if (argc > 2)
		return err_set(
			ctx, ERR_USAGE, "help: unexpected argument '%.60s'", argv[2]);
	c = find_command(argv[1]);
	if (!c)
		return unknown_command(argv[1], ctx);
	args[0] = argv[1];
	return c->run(2, args, ctx);
}

static enum err dispatch(int argc, char **argv, struct err_ctx *ctx)
{
	const struct command *c;

	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_overview(stdout);
		return ERR_OK;
	}
	if (strcmp(argv[1], "help") == 0)
		return run_help(argc - 1, argv + 1, ctx);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		print_version(stdout);
		return ERR_OK;
	}
	c = find_command(argv[1]);
	return c ? c->run(argc - 1, argv + 1, ctx) : unknown_command(argv[1], ctx);
}

/* A program started with a standard stream closed would get the next file it opens, say
 * the database, under that number. What fills the gap can neither be read nor written, so
 * that the loss is noticed. */
static void fill_closed_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
			open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			_exit(1);
}

/* What was printed has to arrive: a full disk or a closed pipe shows here at the latest.
 */
static enum err check_output(struct err_ctx *ctx)
{
	int failed = ferror(stdout);

	errno = 0;
	if (fflush(stdout) == 0 && !failed)
		return ERR_OK;
	return err_set(ctx, ERR_IO, "cannot write to the standard output: %s",
		errno ? strerror(errno) : "disk full, or the reader is gone");
}

int main(int argc, char **argv)
{
	struct err_ctx ctx = {""};
	enum err e, out;

	fill_closed_streams();
	if (sodium_init() < 0) {
		cli_print_error(stderr, "cannot initialise libsodium");
		return 1;
	}
	cli_catch_signals();
	e = dispatch(argc, argv, &ctx);
	if (e == ERR_CANCELLED && !ctx.msg[0])
		e = ERR_OK;
	if (e)
		cli_print_error(stderr, ctx.msg[0] ? ctx.msg : err_name(e));
	out = check_output(&ctx);
	if (out && !e) {
		cli_print_error(stderr, ctx.msg);
		e = out;
	}
	return err_exit_code(e);
}
