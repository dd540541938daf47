/* `hawser stop`: asks a running search to end after what it is doing. */
#include <stdio.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/store/store.h"

static enum err stop(struct store *s, const char *name, struct err_ctx *ctx)
{
	struct store_job j;
	char host[256];
	long pid;
	enum err e = store_job_find(s, name, &j, ctx);

	if (e)
		return e;
	if (strcmp(j.state, "running"))
		e = err_set(ctx, ERR_INVALID, "job '%s' is not running: it is %s", j.name,
			j.state);
	else if (!store_holder(store_path(s), &pid, host, sizeof(host)))
		e = err_set(ctx, ERR_INVALID,
			"job '%s' is not running: its controller is gone, 'hawser "
			"search' goes on",
			j.name);
	else
		e = store_request_stop(store_path(s), j.name, ctx);
	if (!e)
		printf("asked '%s' to stop (process %ld on %s): it ends after the "
		       "measurements under way, 'hawser search' goes on later\n",
			j.name, pid, host);
	store_job_release(&j);
	return e;
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	struct store *s;
	int n;
	enum err e = cli_parse(&cmd_stop, NULL, argc, argv, 0, 1, &n, ctx);

	if (!e)
		e = cli_open_store(&s, ctx);
	if (e)
		return e;
	e = stop(s, n ? argv[1] : NULL, ctx);
	store_close(s);
	return e;
}

const struct command cmd_stop = {
	"stop",
	"ask a running search to end gracefully",
	"[JOB] [options]",
	"JOB is a job's name; without it, the one that changed last. What was measured "
	"is\n"
	"stored; the same 'hawser search' command goes on where it stopped.",
	"hawser stop\n"
	"hawser stop demo",
	run,
};
