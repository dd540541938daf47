/* `hawser cost`: how well the cost models predict, beside their baselines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/features.h"
#include "src/cli/cli.h"
#include "src/cli/cost_csv.h"
#include "src/cli/cost_print.h"
#include "src/cli/cost_prior.h"
#include "src/eval/cost_sets.h"

#define SEED 1 /* of the folds */

static const char *csv, *target, *features, *split, *products, *as_json, *prior;

static const struct cli_option options[] = {
	{"csv", "FILE", "score on a table of numbers instead of a job", 0, &csv},
	{"target", "COLUMN", "column to predict; a+b: the sum of two", 0, &target},
	{"features", "LIST",
		"columns to predict from, ',' between; the first stands for MACs and "
		"the second for depth in the baselines (default: all others)",
		0, &features},
	{"products", NULL, "add the product of every pair of columns", 0, &products},
	{"split", "S1|S2",
		"S1: rows 0-1599 against rows from 1800; S2: rows i mod 10 < 8 against "
		"i mod 10 = 9 (default: cross-validation)",
		0, &split},
	{"prior", "DEVICE|auto",
		"how much a model of that device's measurements (in any job of the same "
		"kind of task; auto: the device with the most) helps on the job's other "
		"devices",
		0, &prior},
	{"json", NULL, "JSON", 0, &as_json},
	{NULL, NULL, NULL, 0, NULL},
};

/* What has been scored so far: text or JSON. */
struct output {
	struct buf text;
	json_t *targets;
};

static enum err put_result(
	struct output *o, const struct cost_result *r, struct err_ctx *ctx)
{
	if (!as_json) {
		if (o->text.len)
			buf_putc(&o->text, '\n');
		cost_print_table(&o->text, r);
		return buf_err(&o->text, ctx);
	}
	if (json_array_append_new(o->targets, cost_print_json(r)))
		return err_set(ctx, ERR_NOMEM, "out of memory");
	return ERR_OK;
}

/* Scores every kind on one set by cross-validation, as a search does. */
static enum err score_set(
	struct output *o, const struct cost_set *set, size_t p, struct err_ctx *ctx)
{
	struct cost_score *scores = calloc(cost_model_count(), sizeof(*scores));
	struct fitted used = {NULL, NULL};
	enum err e;

	if (!scores)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	e = cost_model_choose(set->x, set->y, set->n, p, SEED, &used, scores, ctx);
	if (!e) {
		const struct cost_result r = {
			.target = set->target,
			.provenance = set->provenance,
			.method =
				set->n < 10 ? "leave-one-out" : "5-fold cross-validation",
			.used = used.kind,
			.scores = scores,
		};

		e = put_result(o, &r, ctx);
	}
	fitted_release(&used);
	free(scores);
	return e;
}

/* 0 unused, 1 fitted, 2 scored. */
static int role_of(size_t row)
{
	if (split[1] == '1')
		return row < 1600 ? 1 : row >= 1800 ? 2 : 0;
	return row % 10 < 8 ? 1 : row % 10 == 9 ? 2 : 0;
}

/* Moves the fitted rows to the front and the scored ones behind them; the rest is lost.
 */
static enum err part_rows(
	struct cost_csv *t, size_t *n_fit, size_t *n_test, struct err_ctx *ctx)
{
	double *x = calloc(t->n * t->p, sizeof(*x)), *y = calloc(t->n, sizeof(*y));
	size_t at = 0;

	if (!x || !y) {
		free(x);
		free(y);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	for (int role = 1; role <= 2; role++) {
		for (size_t i = 0; i < t->n; i++) {
			if (role_of(i) != role)
				continue;
			memcpy(x + at * t->p, t->x + i * t->p, t->p * sizeof(*x));
			y[at++] = t->y[i];
		}
		*(role == 1 ? n_fit : n_test) = role == 1 ? at : at - *n_fit;
	}
	free(t->x);
	free(t->y);
	t->x = x;
	t->y = y;
	if (!*n_fit || !*n_test)
		return err_set(ctx, ERR_INVALID,
			"'%s': %zu rows are too few for split %s", csv, t->n, split);
	return ERR_OK;
}

/* The kind is chosen on the fitted rows alone; every kind is scored on the others. */
static enum err score_split(struct output *o, struct cost_csv *t, struct err_ctx *ctx)
{
	size_t n = 0, n_test = 0, count = cost_model_count();
	struct cost_score *scores = calloc(count, sizeof(*scores));
	struct fitted used = {NULL, NULL};
	char method[96];
	enum err e = scores ? part_rows(t, &n, &n_test, ctx)
			    : err_set(ctx, ERR_NOMEM, "out of memory");

	if (!e)
		e = cost_model_choose(t->x, t->y, n, t->p, SEED, &used, scores, ctx);
	for (size_t i = 0; i < count && !e; i++)
		e = cost_model_score_split(scores[i].kind, t->x, t->y, n, t->p,
			t->x + n * t->p, t->y + n, n_test, &scores[i], ctx);
	if (!e) {
		const struct cost_result r = {
			.target = target,
			.provenance = "table",
			.method = method,
			.used = used.kind,
			.scores = scores,
		};

		snprintf(method, sizeof(method), "split %s, fitted on %zu other rows",
			split, n);
		e = put_result(o, &r, ctx);
	}
	fitted_release(&used);
	free(scores);
	return e;
}

static enum err score_csv(struct output *o, struct err_ctx *ctx)
{
	struct cost_csv t;
	enum err e;

	if (prior)
		return err_set(ctx, ERR_USAGE, "cost score: --prior goes with a job");
	if (!target)
		return err_set(ctx, ERR_USAGE, "cost score: --csv needs --target COLUMN");
	if (split && strcmp(split, "S1") != 0 && strcmp(split, "S2") != 0)
		return err_set(ctx, ERR_USAGE, "cost score: unknown split '%s'; S1 or S2",
			split);
	e = cost_csv_read(&t, csv, target, features, products != NULL, ctx);
	if (e)
		return e;
	if (split) {
		e = score_split(o, &t, ctx);
	} else {
		struct cost_set set = {
			.provenance = "table", .n = t.n, .x = t.x, .y = t.y};

		snprintf(set.target, sizeof(set.target), "%s", target);
		e = score_set(o, &set, t.p, ctx);
	}
	cost_csv_release(&t);
	return e;
}

static enum err score_stored(
	struct output *o, struct store *s, const char *name, struct err_ctx *ctx)
{
	struct store_job job;
	struct cost_set *sets;
	size_t n;
	enum err e = store_job_find(s, name, &job, ctx);

	if (e)
		return e;
	e = cost_job_sets(s, &job, INT64_MAX, &sets, &n, ctx);
	if (!e) {
		if (!n)
			e = err_set(ctx, ERR_NOTFOUND, "job '%s' has no measurements yet",
				job.name);
		for (size_t i = 0; i < n && !e; i++)
			e = score_set(o, &sets[i], cost_features_count(), ctx);
		cost_sets_free(sets, n);
	}
	store_job_release(&job);
	return e;
}

static enum err score_job(struct output *o, const char *name, struct err_ctx *ctx)
{
	struct store *s;
	enum err e;

	if (target || features || products || split)
		return err_set(ctx, ERR_USAGE,
			"cost score: --target, --features, --products and --split go "
			"with --csv");
	if ((e = cli_open_store(&s, ctx)))
		return e;
	if (prior)
		e = cost_prior_score(
			s, name, prior, as_json ? o->targets : NULL, &o->text, ctx);
	else
		e = score_stored(o, s, name, ctx);
	store_close(s);
	return e;
}

static enum err print_output(struct output *o, struct err_ctx *ctx)
{
	json_t *all;
	char *text;

	if (!as_json) {
		fputs(buf_str(&o->text), stdout);
		return ERR_OK;
	}
	all = json_pack("{s:O}", "targets", o->targets);
	text = all ? json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(8)) : NULL;
	json_decref(all);
	if (!text)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	puts(text);
	free(text);
	return ERR_OK;
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	static const char *const verbs[] = {"score", NULL};
	struct output o;
	int n;
	enum err e = cli_parse(&cmd_cost, options, argc, argv, 1, 2, &n, ctx);

	if (e)
		return e;
	if (strcmp(argv[1], "score") != 0)
		return cli_unknown("sub-command", argv[1], verbs, ctx);
	if (csv && n > 1)
		return err_set(ctx, ERR_USAGE, "cost score: a job or --csv, not both");
	buf_init(&o.text);
	o.targets = json_array();
	if (!o.targets)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	e = csv ? score_csv(&o, ctx) : score_job(&o, n > 1 ? argv[2] : NULL, ctx);
	if (!e)
		e = print_output(&o, ctx);
	json_decref(o.targets);
	buf_release(&o.text);
	return e;
}

const struct command cmd_cost = {
	.name = "cost",
	.summary = "score the cost models on what was measured",
	.synopsis = "score [JOB] [--prior DEVICE|auto] [--json]\n"
		    "score --csv FILE --target COLUMN [--features LIST] [--products] "
		    "[--split S1|S2]",
	.details =
		"Fits every kind of cost model to a job's measurements (JOB: the newest "
		"one) or to a\n"
		"table, and prints how well each predicts rows that it has not seen: "
		"mean relative\n"
		"error (MAPE), Kendall's tau, and the share of rows within 5 and 10 %.\n"
		"'*' marks the kind that a search would use: the best one, if it beats "
		"both\n"
		"baselines, 'mean' (one constant) and 'macs' (MACs alone), else the "
		"better\n"
		"baseline. --prior tells instead what a model of another device is worth "
		"here, by the\n"
		"number of rows that correct it: mean relative errors on held-out rows, the "
		"mean over\n"
		"five orders. A search begins with such a prior where other jobs have "
		"measured.",
	.examples =
		"hawser cost score demo\n"
		"hawser cost score fleet --prior auto\n"
		"hawser cost score --csv latency.csv --target ms --products --split S2",
	.run = run,
};
