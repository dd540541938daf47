/* `hawser front`: the Pareto front of a job, for people and programs. */
#include <stdio.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/report/report.h"

static const char *objectives_text, *where_text[CLI_MAX_REPEAT], *best, *all, *finalists,
	*csv, *json;

static const struct cli_option options[] = {
	{"objectives", "A,B", "other objectives than the job's own", 0, &objectives_text},
	{"where", "LIMIT", "only candidates within a limit", 1, where_text},
	{"best", "METRIC", "only the best one by a metric, or by 'accuracy'", 0, &best},
	{"all", NULL, "every candidate with a value, not only the front", 0, &all},
	{"finalists", NULL, "only the trained and tested ones", 0, &finalists},
	{"csv", NULL, "comma-separated values", 0, &csv},
	{"json", NULL, "JSON (described in src/report/README.md)", 0, &json},
	{NULL, NULL, NULL, 0, NULL},
};

/* "latency_us" means the job's "latency_us@local" when it has only that one. */
static enum err parse_objective(const char *text, const struct objective *own,
	size_t n_own, struct objective *o, struct err_ctx *ctx)
{
	const struct objective *found = NULL;
	size_t matches = 0;

	for (size_t i = 0; i < n_own; i++) {
		if (!strcmp(own[i].metric->name, text)) {
			found = &own[i];
			matches++;
		}
	}
	if (matches == 1) {
		*o = *found;
		return ERR_OK;
	}
	return objective_parse(o, text, ctx);
}

static enum err parse_objectives(struct store *s, const char *job, struct objective *out,
	size_t *n, struct err_ctx *ctx)
{
	struct objective own[OBJECTIVES_MAX];
	const char *at = objectives_text;
	size_t n_own = 0;
	enum err e;

	if (front_objectives(s, job, own, &n_own, NULL))
		n_own = 0;
	for (*n = 0; *at; at += *at == ',') {
		char one[2 * METRIC_NAME_MAX];
		size_t len = strcspn(at, ",");

		if (*n == OBJECTIVES_MAX || !len || len >= sizeof(one))
			return err_set(ctx, ERR_USAGE,
				"'--objectives %.100s' must be 1 to %d metrics separated "
				"by commas",
				objectives_text, OBJECTIVES_MAX);
		memcpy(one, at, len);
		one[len] = 0;
		if ((e = parse_objective(one, own, n_own, &out[(*n)++], ctx)))
			return e;
		at += len;
	}
	if (!*n)
		return err_set(ctx, ERR_USAGE, "'--objectives' names no metric");
	return ERR_OK;
}

static enum err print_front(const struct front *f, struct err_ctx *ctx)
{
	struct buf out;
	enum err e;

	buf_init(&out);
	if (json)
		e = front_json(f, &out, ctx);
	else if (csv)
		e = front_csv(f, &out, ctx);
	else
		e = front_table(f, cli_colour(stdout), &out, ctx);
	if (!e)
		fputs(buf_str(&out), stdout);
	buf_release(&out);
	return e;
}

static enum err query(struct store *s, const char *job, struct err_ctx *ctx)
{
	struct objective objectives[OBJECTIVES_MAX];
	struct limit where[CLI_MAX_REPEAT];
	struct front_query q = {.job = job,
		.objectives = objectives,
		.where = where,
		.all = all != NULL,
		.finalists_only = finalists != NULL,
		.best = best};
	struct front f;
	enum err e = ERR_OK;

	if (objectives_text)
		e = parse_objectives(s, job, objectives, &q.n_objectives, ctx);
	for (; !e && where_text[q.n_where]; q.n_where++)
		e = limit_parse(&where[q.n_where], where_text[q.n_where], ctx);
	if (!e)
		e = front_collect(s, &q, &f, ctx);
	if (e)
		return e;
	e = print_front(&f, ctx);
	front_release(&f);
	return e;
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	struct store *s;
	int n;
	enum err e = cli_parse(&cmd_front, options, argc, argv, 0, 1, &n, ctx);

	if (!e && csv && json)
		e = err_set(ctx, ERR_USAGE, "front: give --csv or --json, not both");
	if (!e)
		e = cli_open_store(&s, ctx);
	if (e)
		return e;
	e = query(s, n ? argv[1] : NULL, ctx);
	store_close(s);
	return e;
}

const struct command cmd_front = {
	"front",
	"print the Pareto front of a job",
	"[JOB] [options]",
	"JOB is a job's name; without it, the one that changed last. Candidates of equal "
	"or\n"
	"better value everywhere dominate; '~x' marks a member whose quality cannot be "
	"told\n"
	"from that of x, which costs no more. Quality is of trained weights where there "
	"are\n"
	"any, else inherited from the supernet; costs are of the last look.",
	"hawser front\n"
	"hawser front demo --where 'latency_us@local<200' --where "
	"'flash_bytes@local<=280000'\n"
	"hawser front demo --best accuracy --json\n"
	"hawser front demo --objectives slot_f1,macs --all --csv",
	run,
};
