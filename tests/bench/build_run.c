#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/stats.h"
#include "src/codegen/codegen.h"
#include "tests/bench/build.h"

#define TIMEOUT_S 300

static enum err ask(
	const struct artefact *a, unsigned n, struct buf *answer, struct err_ctx *ctx)
{
	char runs[16];
	const char *argv[] = {a->path, n ? runs : NULL, NULL};

	snprintf(runs, sizeof(runs), "%u", n);
	return process_run_command(argv, NULL, TIMEOUT_S, answer, NULL, ctx);
}

enum err first_run_measure(
	struct first_run *f, const struct artefact *a, unsigned n, struct err_ctx *ctx)
{
	double *ns = calloc(n, sizeof(*ns));
	enum err rc = ns ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory");
	struct buf answer;

	memset(f, 0, sizeof(*f));
	buf_init(&answer);
	for (f->n = 0; f->n < n && !rc; f->n++) {
		long switched;

		buf_reset(&answer);
		rc = ask(a, 0, &answer, ctx);
		if (!rc && sscanf(buf_str(&answer), "%lf %ld", &ns[f->n], &switched) != 2)
			rc = err_set(
				ctx, ERR_PARSE, "first run: '%.60s'", buf_str(&answer));
		if (!rc)
			f->n_switched += switched > 0;
	}
	if (!rc) {
		f->median_ns = stats_median(ns, n);
		f->p90_ns = stats_quantile(ns, n, 0.9);
	}
	buf_release(&answer);
	free(ns);
	return rc;
}

enum err tail_measure(
	struct tail *t, const struct artefact *a, unsigned n, struct err_ctx *ctx)
{
	struct buf answer;
	const char *line;
	enum err rc;

	buf_init(&answer);
	rc = ask(a, n, &answer, ctx);
	if (!rc) {
		double loop_median, loop_p999;

		line = strchr(buf_str(&answer), '\n');
		if (!line ||
			sscanf(line,
				"%ld %ld %lf %lf %lf %lf %lf %*d %*d %lf %*f %*f %lf",
				&t->n_kept, &t->n_switched, &t->median_ns, &t->p90_ns,
				&t->p99_ns, &t->p999_ns, &t->max_ns, &loop_median,
				&loop_p999) != 9)
			rc = err_set(
				ctx, ERR_PARSE, "timed runs: '%.60s'", buf_str(&answer));
		else
			t->loop_ratio = loop_p999 / loop_median;
	}
	buf_release(&answer);
	return rc;
}
