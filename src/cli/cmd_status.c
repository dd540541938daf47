/* `hawser status`: how a job is doing. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/cli/cli.h"
#include "src/report/report.h"

static const char *watch, *json;

static const struct cli_option options[] = {
	{"watch", NULL, "stay and show it anew every second while the job runs", 0,
		&watch},
	{"json", NULL, "JSON", 0, &json},
	{NULL, NULL, NULL, 0, NULL},
};

static enum err print_once(struct store *s, const char *job, struct err_ctx *ctx)
{
	struct buf out;
	enum err e;

	buf_init(&out);
	e = json ? status_json(s, job, &out, ctx)
		 : status_text(s, job, cli_colour(stdout), &out, ctx);
	if (!e) {
		if (watch && isatty(STDOUT_FILENO))
			fputs("\033[H\033[J", stdout);
		fputs(buf_str(&out), stdout);
		fflush(stdout);
	}
	buf_release(&out);
	return e;
}

static enum err is_running(
	struct store *s, const char *job, int *running, struct err_ctx *ctx)
{
	struct store_job j;
	char host[256];
	long pid;
	enum err e = store_job_find(s, job, &j, ctx);

	if (e)
		return e;
	*running = !strcmp(j.state, "running") &&
		   store_holder(store_path(s), &pid, host, sizeof(host));
	store_job_release(&j);
	return ERR_OK;
}

static enum err status(struct store *s, const char *job, struct err_ctx *ctx)
{
	int running = watch != NULL;
	enum err e = print_once(s, job, ctx);

	while (!e && running && !cli_cancel) {
		struct timespec second = {1, 0};

		/* asked before printing: the last print shows how it ended */
		e = is_running(s, job, &running, ctx);
		if (!e && running)
			nanosleep(&second, NULL);
		if (!e && !cli_cancel)
			e = print_once(s, job, ctx);
	}
	return e;
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	struct store *s;
	int n;
	enum err e = cli_parse(&cmd_status, options, argc, argv, 0, 1, &n, ctx);

	if (!e)
		e = cli_open_store(&s, ctx);
	if (e)
		return e;
	e = status(s, n ? argv[1] : NULL, ctx);
	store_close(s);
	return e;
}

const struct command cmd_status = {
	"status",
	"show how a job is doing",
	"[JOB] [options]",
	"JOB is a job's name; without it, the one that changed last. Reading never "
	"disturbs\n"
	"the search.",
	"hawser status\n"
	"hawser status demo --watch",
	run,
};
