/* `hawser report`: plots, tables and one HTML page about a job. */
#include <stdio.h>
#include <string.h>

#include "src/base/file.h"
#include "src/cli/cli.h"
#include "src/codegen/codegen.h"
#include "src/report/report.h"

static const char *out_dir;

static const struct cli_option options[] = {
	{"out", "DIR", "where to (default: report-JOB among the results)", 0, &out_dir},
	{NULL, NULL, NULL, 0, NULL},
};

/* "<results>/report-<job>", the name reduced to what every file system takes. */
static enum err default_dir(const char *job, char *out, size_t cap, struct err_ctx *ctx)
{
	char results[4096], name[160] = "report-";
	size_t at = strlen(name);
	enum err e = cli_results(results, sizeof(results), ctx);

	for (const char *c = job; *c && at + 1 < sizeof(name); c++)
		name[at++] = *c && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
					  "UVWXYZ"
					  "0123456789._-",
					   *c)
				     ? *c
				     : '_';
	name[at] = 0;
	return e ? e : file_join(out, cap, results, name, ctx);
}

static enum err report(struct store *s, const char *name, struct err_ctx *ctx)
{
	static const struct report_tools tools = {process_run_command};
	char dir[4096 + 256];
	struct store_job j;
	enum err e = store_job_find(s, name, &j, ctx);

	if (e)
		return e;
	if (out_dir)
		e = file_join(dir, sizeof(dir), "", out_dir, ctx);
	else
		e = default_dir(j.name, dir, sizeof(dir), ctx);
	if (!e)
		e = file_mkdirs(dir, ctx);
	if (!e)
		e = report_write(s, j.name, dir, &tools, ctx);
	if (!e || e == ERR_TOOL)
		printf("%s/index.html\n", dir);
	store_job_release(&j);
	return e;
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	struct store *s;
	int n;
	enum err e = cli_parse(&cmd_report, options, argc, argv, 0, 1, &n, ctx);

	if (!e)
		e = cli_open_store(&s, ctx);
	if (e)
		return e;
	e = report(s, n ? argv[1] : NULL, ctx);
	store_close(s);
	return e;
}

const struct command cmd_report = {
	"report",
	"write plots and an HTML page about a job",
	"[JOB] [options]",
	"JOB is a job's name; without it, the one that changed last. Writes index.html "
	"(one\n"
	"file that needs nothing else), front.csv, and every plot as SVG and PNG with "
	"the\n"
	"gnuplot script and data it was drawn from. Without gnuplot the page has no "
	"plots.",
	"hawser report\n"
	"hawser report demo --out my-report",
	run,
};
