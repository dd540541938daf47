/* `hawser show`: everything the store knows about one candidate. */
#include <stdio.h>
#include <stdlib.h>

#include "src/cli/cli.h"
#include "src/report/report.h"

static const char *job_name, *json;

static const struct cli_option options[] = {
	{"job", "JOB", "as this job sees it (default: the newest that knows it)", 0,
		&job_name},
	{"json", NULL, "JSON", 0, &json},
	{NULL, NULL, NULL, 0, NULL},
};

static enum err show(struct store *s, const char *job, const struct hash *candidate,
	struct buf *out, struct err_ctx *ctx)
{
	buf_reset(out);
	return json ? show_json(s, job, candidate, out, ctx)
		    : show_text(s, job, candidate, out, ctx);
}

/* The newest job that knows the candidate. */
static enum err show_anywhere(struct store *s, const struct hash *candidate,
	struct buf *out, struct err_ctx *ctx)
{
	struct store_job *jobs;
	size_t n;
	enum err e = store_job_list(s, &jobs, &n, ctx);

	if (e)
		return e;
	e = err_set(ctx, ERR_NOTFOUND, "no job knows the candidate");
	for (size_t i = n; e == ERR_NOTFOUND && i-- > 0;)
		e = show(s, jobs[i].name, candidate, out, ctx);
	for (size_t i = 0; i < n; i++)
		store_job_release(&jobs[i]);
	free(jobs);
	return e;
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	struct genome g;
	struct hash candidate;
	struct store *s;
	struct buf out;
	int n;
	enum err e = cli_parse(&cmd_show, options, argc, argv, 1, 1, &n, ctx);

	if (!e)
		e = cli_open_store(&s, ctx);
	if (e)
		return e;
	buf_init(&out);
	e = store_get_candidate(s, argv[1], &g, &candidate, ctx);
	if (!e && job_name)
		e = show(s, job_name, &candidate, &out, ctx);
	else if (!e)
		e = show_anywhere(s, &candidate, &out, ctx);
	if (!e)
		fputs(buf_str(&out), stdout);
	buf_release(&out);
	store_close(s);
	return e;
}

const struct command cmd_show = {
	"show",
	"tell everything about one candidate",
	"CANDIDATE [options]",
	"CANDIDATE is the beginning of its hash, at least 4 hexadecimal digits, as "
	"'hawser\n"
	"front' prints it. Shows genes, quality by split and seed, measurements, "
	"builds,\n"
	"failures, and where the multiply-adds go.",
	"hawser show 3fa2b1c09d4e\n"
	"hawser show 3fa2 --job demo --json",
	run,
};
