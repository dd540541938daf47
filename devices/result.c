#include "devices/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/proto/record.h"

static const enum verdict verdicts[N_OUTCOMES] = {
	[OUTCOME_OK] = VERDICT_OK,
	[OUTCOME_WRONG_OUTPUT] = VERDICT_WRONG_OUTPUT,
	[OUTCOME_CRASH] = VERDICT_CRASH,
	[OUTCOME_EXIT] = VERDICT_EXIT,
	[OUTCOME_NO_RESULT] = VERDICT_EXIT,
	[OUTCOME_TIMEOUT] = VERDICT_TIMEOUT,
	[OUTCOME_OOM] = VERDICT_OOM,
	[OUTCOME_CANCELLED] = VERDICT_DEVICE_LOST,
	[OUTCOME_UNSUPPORTED] = VERDICT_DEVICE_LOST,
	[OUTCOME_AGENT_FAULT] = VERDICT_DEVICE_LOST,
};

void run_result_release(struct run_result *r)
{
	free(r->run.wall_ns);
	free(r->run.cpu_ns);
	free(r->run.steps.wall_ns);
	free(r->run.steps.cpu_ns);
	free(r->output);
	memset(r, 0, sizeof(*r));
}

static enum err nonsense(struct err_ctx *ctx)
{
	return err_set(ctx, ERR_LINK, "the agent's result makes no sense");
}

static enum err fill_golden(
	struct run_result *out, const struct record_summary *s, struct err_ctx *ctx)
{
	static const char *const tensor[] = {"intent", "tag", "token"};
	const struct record_golden *g = &s->golden;

	if (s->n_golden != 1 || s->n_error || g->pass != (out->verdict == VERDICT_OK))
		return nonsense(ctx);
	out->golden_error = g->worst;
	if (!g->pass && !out->detail[0])
		snprintf(
			out->detail, sizeof(out->detail), "no golden output was checked");
	if (!g->pass && g->n_checked)
		snprintf(out->detail, sizeof(out->detail),
			"golden input %u, %s logit %u is %g instead of %g", g->golden,
			tensor[g->tensor], g->element, (double)g->got, (double)g->want);
	return ERR_OK;
}

static enum err copy_samples(
	float *wall, float *cpu, const struct record_time *t, struct err_ctx *ctx)
{
	if (!wall || !cpu)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (uint32_t i = 0; i < t->n; i++) {
		record_sample(t, i, &wall[i], &cpu[i]);
		if (!(wall[i] > 0))
			return nonsense(ctx);
	}
	return ERR_OK;
}

static enum err fill_samples(
	struct process_run *run, const struct record_summary *s, struct err_ctx *ctx)
{
	const struct record_time *t = &s->time;
	enum err e;

	run->wall_ns = malloc(t->n * sizeof(float));
	run->cpu_ns = malloc(t->n * sizeof(float));
	e = copy_samples(run->wall_ns, run->cpu_ns, t, ctx);
	run->n = t->n;
	run->inner = t->inner;
	run->n_vcsw = t->n_vcsw;
	run->n_ivcsw = t->n_ivcsw;
	if (e || !s->n_steps)
		return e;
	t = &s->steps;
	run->steps.wall_ns = malloc(t->n * sizeof(float));
	run->steps.cpu_ns = malloc(t->n * sizeof(float));
	run->steps.n = t->n;
	run->steps.inner = t->inner;
	run->steps.n_cached = s->n_cached;
	return copy_samples(run->steps.wall_ns, run->steps.cpu_ns, t, ctx);
}

/* The slower of two frequencies that are known: what the figure was bought at. */
static uint32_t slower(uint32_t a, uint32_t b)
{
	return !a || (b && b < a) ? b : a;
}

static void fill_environment(struct process_run *run, const struct wire_done *d)
{
	run->peak_rss_bytes =
		d->peak_rss_bytes < (uint64_t)1 << 50 ? d->peak_rss_bytes : 0;
	run->freq_khz = slower(d->freq_before_khz, d->freq_after_khz);
	run->temp_mc = d->temp_after_mc;
	if (run->temp_mc < -100000 || run->temp_mc > 250000)
		run->temp_mc = INT32_MIN;
	run->energy_uj = d->energy_uj > 0 && isfinite(d->energy_uj) ? d->energy_uj : NAN;
}

static enum err fill_output(struct run_result *out, const struct record_summary *s,
	const uint8_t *blob, size_t len, struct err_ctx *ctx)
{
	if (s->output_bytes == 0)
		return ERR_OK;
	out->output = malloc((size_t)s->output_bytes);
	if (!out->output)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	out->output_len = (size_t)s->output_bytes;
	record_output(blob, len, out->output);
	return ERR_OK;
}

static enum err fill_records(struct run_result *out, const struct run_request *rq,
	const uint8_t *blob, size_t len, struct err_ctx *ctx)
{
	struct record_summary s;
	int timed = rq->mode == RUN_TIME && out->verdict == VERDICT_OK;
	enum err e = ERR_OK;

	if (!record_scan(blob, len, &s) || s.n_time != (uint32_t)timed ||
		s.n_steps > (uint32_t)(timed && !rq->phase) ||
		(s.n_steps && s.steps.n != rq->n_samples))
		return nonsense(ctx);
	if (rq->mode != RUN_EVAL)
		e = fill_golden(out, &s, ctx);
	else if (s.n_golden || s.n_error || s.output_bytes == 0)
		return nonsense(ctx);
	if (!e && timed)
		e = s.time.n == rq->n_samples ? fill_samples(&out->run, &s, ctx)
					      : nonsense(ctx);
	return e ? e : fill_output(out, &s, blob, len, ctx);
}

enum err result_fill(struct run_result *out, const struct run_request *rq,
	const struct wire_done *done, const uint8_t *blob, size_t len,
	struct err_ctx *ctx)
{
	if (done->outcome == OUTCOME_UNSUPPORTED)
		return err_set(ctx, ERR_UNSUPPORTED, "%s", done->detail);
	out->verdict = verdicts[done->outcome];
	snprintf(out->detail, sizeof(out->detail), "%s", done->detail);
	out->run.index = rq->process_index;
	fill_environment(&out->run, done);
	if (out->verdict == VERDICT_OK || out->verdict == VERDICT_WRONG_OUTPUT)
		return fill_records(out, rq, blob, len, ctx);
	return len ? nonsense(ctx) : ERR_OK;
}
