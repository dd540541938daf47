#include <stdio.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/file.h"
#include "src/cli/cli.h"
#include "src/eval/session.h"

/* A path, or the name of a job that ships with Hawser. */
static enum err read_job(
	const char *arg, char *path, size_t cap, struct buf *text, struct err_ctx *ctx)
{
	char home[1024];
	enum err e;

	if (!strchr(arg, '/') && !strstr(arg, ".yaml") && !file_exists(arg)) {
		if ((e = file_home(home, sizeof(home), ctx)))
			return e;
		snprintf(path, cap, "%s/search/jobs/%s.yaml", home, arg);
		if (!file_exists(path))
			return err_set(ctx, ERR_NOTFOUND,
				"no job file '%.200s' (give a path to a .yaml file, or a "
				"name from search/jobs)",
				arg);
	} else {
		snprintf(path, cap, "%s", arg);
	}
	return file_read(path, 1 << 20, text, ctx);
}

static int was_stopped(const struct session *s)
{
	return cli_cancel || store_stop_requested(s->database, s->job.name);
}

static enum err search(struct session *s, int finish, struct err_ctx *ctx)
{
	struct search_result found;
	struct evaluator ev;
	const char *state = "done";
	char why[64];
	enum err e;

	session_evaluator(s, &ev);
	e = search_run(s->space, &s->task, &s->job.search, &ev, &found, ctx);
	if (e)
		return e;
	/* The search only knows that it was asked to end. */
	snprintf(why, sizeof(why), "ended by '%s'",
		!strcmp(found.stopped_by, "request") && !was_stopped(s)
			? "hours"
			: found.stopped_by);
	store_put_event(s->store, s->job_id, "search", why, NULL);
	if (was_stopped(s))
		state = "stopped";
	else if (finish)
		e = session_finish(s, &found, ctx);
	if (!e)
		e = store_job_set_state(s->store, s->job_id, state, ctx);
	if (!e)
		progress_say(s->progress,
			"%s: %zu candidates, %s; next: hawser front %s, hawser "
			"report %s%s",
			state, found.n, why, s->job.name, s->job.name,
			was_stopped(s) ? "; the same command goes on" : "");
	search_result_release(&found);
	return e;
}

static enum err end(struct session *s, enum err e, const struct err_ctx *why)
{
	if (e)
		session_note_end(s, e, why);
	return e;
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	const char *no_final = NULL;
	const struct cli_option options[] = {
		{"no-final", NULL, "do not train the finalists at the end", 0, &no_final},
		{NULL, NULL, NULL, 0, NULL},
	};
	char path[2048], results[1024], database[1100];
	struct session_options o = {
		.results = results, .database = database, .job_file = path};
	struct session s;
	struct buf text;
	int n;
	enum err e;

	if ((e = cli_parse(&cmd_search, options, argc, argv, 1, 1, &n, ctx)) ||
		(e = cli_results(results, sizeof(results), ctx)) ||
		(e = cli_database(database, sizeof(database), ctx)))
		return e;
	buf_init(&text);
	e = read_job(argv[1], path, sizeof(path), &text, ctx);
	if (!e) {
		o.job_text = buf_str(&text);
		o.progress = cli_progress();
		o.cancel = &cli_cancel;
		e = session_open(&s, &o, ctx);
		if (!e) {
			e = end(&s, search(&s, !no_final, ctx), ctx);
			session_close(&s);
		}
		if (e == ERR_CANCELLED) { /* by the user; what was finished is stored */
			progress_say(o.progress,
				"stopped; the same command goes on where it was");
			e = ERR_OK;
		}
		progress_free(o.progress);
	}
	buf_release(&text);
	return e;
}

const struct command cmd_search = {
	"search",
	"start or resume a search job",
	"JOB.yaml [options]",
	"Trains the space's supernet (cached), then measures candidates on the job's devices,\n"
	"fits cost models and evolves, until a stop rule of the job holds; then trains the best\n"
	"alone and checks them on the device. Every finished measurement is stored at once: after\n"
	"an interruption the same command goes on. Ctrl-C or 'hawser stop' end it "
	"gracefully.",
	"  hawser search search/jobs/demo.yaml\n"
	"  hawser search snips\n"
	"  hawser search my.yaml --results /data/hawser --no-final\n",
	run,
};
