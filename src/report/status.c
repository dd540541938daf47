#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/report/report.h"
#include "src/report/text.h"

#define N_EVENTS 6

struct status {
	struct store_job job;
	struct store_candidate *candidates;
	struct store_generation *generations;
	struct store_failure *failures;
	struct store_event *events;
	struct store_job *jobs;
	size_t n_candidates, n_generations, n_failures, n_events, n_jobs, n_finalists;
	size_t by_verdict[N_VERDICTS];
	size_t n_measurements, n_throttled;
	long pid; /* of the controller; 0: none */
	char host[256];
	const char *state; /* job.state, or "interrupted": says running, nobody runs it */
};

static void status_release(struct status *st)
{
	store_job_release(&st->job);
	store_candidates_free(st->candidates, st->n_candidates);
	store_events_free(st->events, st->n_events);
	for (size_t i = 0; i < st->n_jobs; i++)
		store_job_release(&st->jobs[i]);
	free(st->jobs);
	free(st->generations);
	free(st->failures);
}

static enum err load(
	struct store *s, const char *job, struct status *st, struct err_ctx *ctx)
{
	struct store_measurement *m;
	enum err e = store_job_find(s, job, &st->job, ctx);
	int64_t id = e ? 0 : st->job.id;

	if (!e)
		e = store_list_candidates(s, id, &st->candidates, &st->n_candidates, ctx);
	if (!e)
		e = store_list_generations(
			s, id, &st->generations, &st->n_generations, ctx);
	if (!e)
		e = store_list_failures(s, id, &st->failures, &st->n_failures, ctx);
	if (!e)
		e = store_list_events(s, id, N_EVENTS, &st->events, &st->n_events, ctx);
	if (!e)
		e = store_job_list(s, &st->jobs, &st->n_jobs, ctx);
	if (!e) {
		e = store_list_measurements(s, id, 0, &m, &st->n_measurements, ctx);
		for (size_t i = 0; !e && i < st->n_measurements; i++)
			st->n_throttled += m[i].m.n_throttled > 0;
		if (!e)
			store_measurements_free(m, st->n_measurements);
	}
	return e;
}

static enum err status_load(
	struct store *s, const char *job, struct status *st, struct err_ctx *ctx)
{
	enum err e;

	memset(st, 0, sizeof(*st));
	e = store_snapshot(s, ctx);
	if (!e)
		e = load(s, job, st, ctx);
	store_snapshot_end(s);
	if (e) {
		status_release(st);
		return e;
	}
	for (size_t i = 0; i < st->n_failures; i++)
		st->by_verdict[st->failures[i].verdict]++;
	for (size_t i = 0; i < st->n_candidates; i++)
		st->n_finalists += st->candidates[i].finalist != 0;
	st->state = st->job.state;
	if (!store_holder(store_path(s), &st->pid, st->host, sizeof(st->host))) {
		st->pid = 0;
		if (!strcmp(st->state, "running"))
			st->state = "interrupted";
	}
	return ERR_OK;
}

/* ---- text */

static void print_head(const struct status *st, int colour, struct buf *out)
{
	char when[32];
	int64_t age = clock_unix_s() - st->job.updated_s;

	buf_puts(out, colour ? "\033[1m" : "");
	text_plain(out, st->job.name);
	buf_printf(out, "%s  %s", colour ? "\033[0m" : "", st->state);
	if (!strcmp(st->state, "running")) {
		buf_printf(out, " (process %ld on ", st->pid);
		text_plain(out, st->host);
		buf_putc(out, ')');
	} else if (!strcmp(st->state, "interrupted")) {
		buf_puts(out, ": its controller is gone; 'hawser search' goes on");
	}
	time_text(st->job.started_s, when);
	buf_printf(out, "\nstarted       %s UTC, last fact %lld s ago\nobjectives    ",
		when, (long long)(age > 0 ? age : 0));
	for (const char *c = st->job.objectives; *c; c++)
		buf_puts(out, *c == '\n' ? ", " : (char[]){*c, 0});
	buf_putc(out, '\n');
}

static void print_counts(const struct status *st, struct buf *out)
{
	const char *sep = "";

	buf_printf(out, "candidates    %zu (%zu finalist%s), %zu measurement%s\n",
		st->n_candidates, st->n_finalists, st->n_finalists == 1 ? "" : "s",
		st->n_measurements, st->n_measurements == 1 ? "" : "s");
	if (st->n_throttled)
		buf_printf(out,
			"throttled     %zu measurement%s: a CPU quota, heat or a weak "
			"supply slowed the device\n",
			st->n_throttled, st->n_throttled == 1 ? "" : "s");
	buf_printf(out, "failures      %zu", st->n_failures);
	for (int v = 1; v < N_VERDICTS; v++) {
		if (!st->by_verdict[v])
			continue;
		buf_printf(out, "%s%s %zu", sep[0] ? sep : " (", verdict_names[v],
			st->by_verdict[v]);
		sep = ", ";
	}
	buf_puts(out, sep[0] ? ")\n" : "\n");
}

static void print_generation(const struct status *st, struct buf *out)
{
	const struct store_generation *g;

	if (!st->n_generations) {
		buf_puts(out, "generation    none finished yet\n");
		return;
	}
	g = &st->generations[st->n_generations - 1];
	buf_printf(out, "generation    %d\nhypervolume   ", g->generation);
	if (isnan(g->hv_claimed))
		buf_puts(out, "-");
	else
		buf_printf(out, "%.4f claimed", g->hv_claimed);
	if (!isnan(g->hv_remeasured))
		buf_printf(out, ", %.4f re-measured", g->hv_remeasured);
	if (st->n_generations > 1 && !isnan(g->hv_claimed) && !isnan(g[-1].hv_claimed))
		buf_printf(out, " (%+.4f in this generation)",
			g->hv_claimed - g[-1].hv_claimed);
	buf_printf(out, "\ncost model    %s", g->model[0] ? g->model : "none yet");
	if (!isnan(g->model_mape))
		buf_printf(out, ", cross-validated error %.1f %%", 100 * g->model_mape);
	if (!isnan(g->model_tau))
		buf_printf(out, ", tau %.3f", g->model_tau);
	buf_putc(out, '\n');
}

static void print_events(const struct status *st, struct buf *out)
{
	for (size_t i = 0; i < st->n_events; i++) {
		char when[32];

		time_text(st->events[i].at_s, when);
		buf_printf(out, "%s%s  ", i ? "              " : "last events   ",
			when + 11);
		text_plain(out, st->events[i].kind);
		buf_puts(out, ": ");
		text_plain(out, st->events[i].text);
		buf_putc(out, '\n');
	}
}

static void print_others(const struct status *st, struct buf *out)
{
	const char *sep = "other jobs    ";

	for (size_t i = 0; i < st->n_jobs; i++) {
		if (st->jobs[i].id == st->job.id)
			continue;
		buf_puts(out, sep);
		text_plain(out, st->jobs[i].name);
		buf_printf(out, " (%s)", st->jobs[i].state);
		sep = ", ";
	}
	if (st->n_jobs > 1)
		buf_putc(out, '\n');
}

enum err status_text(struct store *s, const char *job, int colour, struct buf *out,
	struct err_ctx *ctx)
{
	struct status st;
	enum err e = status_load(s, job, &st, ctx);

	if (e)
		return e;
	print_head(&st, colour, out);
	print_counts(&st, out);
	print_generation(&st, out);
	print_events(&st, out);
	print_others(&st, out);
	status_release(&st);
	return buf_err(out, ctx);
}

/* ---- JSON */

static void json_field(struct buf *out, const char *name, double v)
{
	buf_printf(out, ", \"%s\": ", name);
	number_json(out, v);
}

static void json_generation(const struct store_generation *g, struct buf *out)
{
	buf_printf(out, "{\"generation\": %d, \"candidates\": %d, \"measured\": %d",
		g->generation, g->n_candidates, g->n_measured);
	json_field(out, "hv_claimed", g->hv_claimed);
	json_field(out, "hv_remeasured", g->hv_remeasured);
	buf_puts(out, ", \"model\": ");
	text_json(out, g->model);
	json_field(out, "model_mape", g->model_mape);
	json_field(out, "model_tau", g->model_tau);
	buf_putc(out, '}');
}

static void json_counts(const struct status *st, struct buf *out)
{
	const char *sep = "";

	buf_printf(out,
		"  \"candidates\": %zu,\n  \"finalists\": %zu,\n  \"measurements\": "
		"%zu,\n  \"throttled\": %zu,\n"
		"  \"failures\": {",
		st->n_candidates, st->n_finalists, st->n_measurements, st->n_throttled);
	for (int v = 1; v < N_VERDICTS; v++) {
		if (!st->by_verdict[v])
			continue;
		buf_printf(
			out, "%s\"%s\": %zu", sep, verdict_names[v], st->by_verdict[v]);
		sep = ", ";
	}
	buf_puts(out, "},\n  \"generations\": [");
	for (size_t i = 0; i < st->n_generations; i++) {
		buf_puts(out, i ? ",\n    " : "\n    ");
		json_generation(&st->generations[i], out);
	}
	buf_puts(out, st->n_generations ? "\n  ],\n" : "],\n");
}

static void json_events(const struct status *st, struct buf *out)
{
	buf_puts(out, "  \"events\": [");
	for (size_t i = 0; i < st->n_events; i++) {
		buf_printf(out, "%s{\"at\": %lld, \"kind\": ", i ? ",\n    " : "\n    ",
			(long long)st->events[i].at_s);
		text_json(out, st->events[i].kind);
		buf_puts(out, ", \"text\": ");
		text_json(out, st->events[i].text);
		buf_putc(out, '}');
	}
	buf_puts(out, st->n_events ? "\n  ]\n}\n" : "]\n}\n");
}

enum err status_json(
	struct store *s, const char *job, struct buf *out, struct err_ctx *ctx)
{
	struct status st;
	enum err e = status_load(s, job, &st, ctx);

	if (e)
		return e;
	buf_puts(out, "{\n  \"job\": ");
	text_json(out, st.job.name);
	buf_printf(out,
		",\n  \"state\": \"%s\",\n  \"pid\": %ld,\n  \"host\": ", st.state,
		st.pid);
	text_json(out, st.host);
	buf_printf(out, ",\n  \"started\": %lld,\n  \"updated\": %lld,\n",
		(long long)st.job.started_s, (long long)st.job.updated_s);
	json_counts(&st, out);
	json_events(&st, out);
	status_release(&st);
	return buf_err(out, ctx);
}
