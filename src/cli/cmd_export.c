#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/cli/cli.h"
#include "src/codegen/codegen.h"
#include "src/eval/finals.h"

struct exporting {
	const char *dir;
};

static enum err write_folder(
	void *self, const struct codegen_input *in, struct err_ctx *ctx)
{
	const struct exporting *x = self;
	struct target target = {"cc", "", "", "linux"};

	return codegen_export(in, &target, x->dir, ctx);
}

static enum err load_weights(struct session *s, const struct genome *g, int inherited,
	struct build_weights *w, struct err_ctx *ctx)
{
	size_t n_floats;
	char path[1200];
	enum err e;

	final_weights_path(s, g, s->job.seed * 1000, path, sizeof(path));
	if (!inherited) {
		e = weights_load(path, g, &s->task, &s->corpus.hash, &w->flat, ctx);
		if (e == ERR_NOTFOUND)
			return err_set(ctx, ERR_NOTFOUND,
				"this candidate was not trained alone; finalists are "
				"listed by 'hawser front %s --finalists' (--inherited exports the "
				"supernet's weights)",
				s->job.name);
		return e;
	}
	e = session_open_supernet(s, ctx);
	return e ? e : session_inherit(s, g, &w->flat, &n_floats, ctx);
}

static enum err export_from(const struct session_options *o, const struct genome *g,
	int inherited, const char *dir, struct err_ctx *ctx)
{
	struct build_weights w = {NULL, {{0}}};
	struct exporting x = {dir};
	struct session s;
	enum err e;

	if ((e = session_open_data(&s, o, ctx)))
		return e;
	e = load_weights(&s, g, inherited, &w, ctx);
	if (!e)
		e = file_mkdirs(dir, ctx);
	if (!e)
		e = session_codegen_input(&s, g, &w, write_folder, &x, ctx);
	free(w.flat);
	session_close(&s);
	return e;
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	const char *format = "c", *out = NULL, *job_name = NULL, *inherited = NULL;
	const struct cli_option options[] = {
		{"format", "FORMAT", "what to write: c", 0, &format},
		{"out", "DIR", "folder to write (default: export-CANDIDATE)", 0, &out},
		{"job", "JOB", "the job it belongs to (default: the newest)", 0,
			&job_name},
		{"inherited", NULL, "the supernet's weights instead of trained ones", 0,
			&inherited},
		{NULL, NULL, NULL, 0, NULL},
	};
	char results[1024], database[1100], dir[256];
	struct session_options o = {.results = results, .database = database};
	struct store *store;
	struct store_job job;
	struct genome g;
	struct hash hash;
	int n;
	enum err e;

	if ((e = cli_parse(&cmd_export, options, argc, argv, 1, 1, &n, ctx)) ||
		(e = cli_results(results, sizeof(results), ctx)) ||
		(e = cli_database(database, sizeof(database), ctx)))
		return e;
	if (strcmp(format, "c"))
		return err_set(ctx, ERR_USAGE, "unknown format '%.40s' (c)", format);
	if ((e = cli_open_store(&store, ctx)))
		return e;
	e = store_get_candidate(store, argv[1], &g, &hash, ctx);
	if (!e)
		e = store_job_find(store, job_name, &job, ctx);
	store_close(store);
	if (e)
		return e;
	snprintf(dir, sizeof(dir), "export-%.*s", (int)strcspn(argv[1], "/."), argv[1]);
	o.job_text = job.spec_text;
	o.job_file = job.name;
	o.progress = cli_progress();
	o.cancel = &cli_cancel;
	e = export_from(&o, &g, inherited != NULL, out ? out : dir, ctx);
	progress_free(o.progress);
	store_job_release(&job);
	if (!e)
		printf("%s: compile it with the command in its README.md\n",
			out ? out : dir);
	return e;
}

const struct command cmd_export = {
	"export",
	"write a candidate as a folder of C that compiles by itself",
	"CANDIDATE [options]",
	"CANDIDATE is the first digits of its hash, as 'hawser front' shows it. The folder holds\n"
	"the network, its weights and vocabulary, the core's sources and a main that answers\n"
	"text typed at it.",
	"  hawser export 3f9a12 --format c --out model\n",
	run,
};
