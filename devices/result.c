#include "devices/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/proto/record.h"

#define CLOCK_RATE 1.05 /* of a device's clock by this host's, and of wall by CPU time */
#define CPU_SLACK 20e3	/* ns a sample; and 1000 for each time that its clocks are read */
#define LEAST_SHARE 0.05 /* of the mean CPU time that the least sample may have */
#define MAX_POWER_W 10e3
#define MAX_STACK (64u << 20)
#define MAX_FREQ_KHZ 100000000u

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
	[OUTCOME_KILLED] = VERDICT_CRASH,
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

static enum err nonsense(struct err_ctx *ctx, const char *what)
{
	return err_set(ctx, ERR_LINK, "the agent's result makes no sense: %s", what);
}

static enum err fill_golden(
	struct run_result *out, const struct record_summary *s, struct err_ctx *ctx)
{
	static const char *const tensor[] = {"intent", "tag", "token"};
	const struct record_golden *g = &s->golden;

	if (s->n_golden != 1 || s->n_error || g->pass != (out->verdict == VERDICT_OK))
		return nonsense(ctx, "its outcome is not that of the golden check");
	if (g->pass && (!g->n_checked || !isfinite(g->worst)))
		return nonsense(ctx, "the golden check passed without an answer");
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

/* At once: what a process may use of CPU time while one second goes by. */
static double n_threads(const struct answer *a)
{
	return a->profile->threads > 1 ? a->profile->threads : 1;
}

/* What of a timed record cannot be true; NULL: nothing. */
static const char *doubt_times(const struct record_time *t, const struct answer *a)
{
	double wall_ns = 0, cpu_ns = 0, inner = t->inner, least = INFINITY, logs = 0;
	double span_ns = (double)(t->end_ns - t->start_ns);
	uint32_t n_cpu = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		float wall, cpu;

		record_sample(t, i, &wall, &cpu);
		if (!(wall > 0))
			return "a sample took no time";
		if (!a->info->simulated &&
			wall * inner * 1.01 < (double)a->info->clock_resolution_ns)
			return "a sample is shorter than a step of its clock";
		n_cpu += cpu > 0;
		least = cpu < least ? cpu : least;
		logs += cpu > 0 ? log((double)cpu) : 0;
		wall_ns += (double)wall * inner;
		cpu_ns += (double)cpu * inner;
	}
	if (n_cpu != 0 && n_cpu != t->n)
		return "some samples took no CPU time";
	if (n_cpu && least < LEAST_SHARE * exp(logs / t->n))
		return "a sample took hardly any CPU time beside the others";
	if (wall_ns > span_ns * 1.001 + 1000)
		return "the samples take longer than their run";
	if (cpu_ns >
		wall_ns * n_threads(a) * CLOCK_RATE + t->n * (CPU_SLACK + inner * 1e3))
		return "more CPU time than all its threads have";
	return NULL;
}

/* Its time goes on with what it does, not with the host's. That an emulator counts is known
 * from the profile, never from what the device says. */
static int is_virtual(const struct device_info *i)
{
	return i->simulated || i->instruction_ns;
}

static const char *doubt_run(const struct record_summary *s, const struct answer *a)
{
	double span_ns = (double)(s->time.end_ns - s->time.start_ns);
	const char *doubt = doubt_times(&s->time, a);

	if (!doubt && s->n_steps) {
		span_ns += (double)(s->steps.end_ns - s->steps.start_ns);
		doubt = doubt_times(&s->steps, a);
		if (s->n_cached > EVAL_MAX_TOKENS)
			doubt = "more tokens are cached than a model has";
	}
	/* The host's clock counts whole milliseconds. */
	if (!doubt && !is_virtual(a->info) &&
		span_ns > ((double)a->seen_ms + 2) * 1e6 * CLOCK_RATE)
		doubt = "it took longer than this host waited";
	return doubt;
}

static enum err copy_samples(
	float *wall, float *cpu, const struct record_time *t, struct err_ctx *ctx)
{
	if (!wall || !cpu)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (uint32_t i = 0; i < t->n; i++)
		record_sample(t, i, &wall[i], &cpu[i]);
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

/* Time of an emulator's board is instructions: the least of the samples, which differ by a
 * step of its clock. */
static double count_of(const struct record_time *t, uint32_t instruction_ns)
{
	float wall, cpu, least = INFINITY;

	for (uint32_t i = 0; i < t->n; i++) {
		record_sample(t, i, &wall, &cpu);
		least = wall < least ? wall : least;
	}
	return round((double)least / instruction_ns);
}

static enum err fill_count(struct process_run *run, const struct record_summary *s,
	uint32_t instruction_ns, struct err_ctx *ctx)
{
	run->instructions = count_of(&s->time, instruction_ns);
	if (s->n_steps) {
		run->steps.instructions = count_of(&s->steps, instruction_ns);
		run->steps.n_cached = s->n_cached;
	}
	if (run->instructions < 1 || (s->n_steps && run->steps.instructions < 1))
		return nonsense(ctx, "a count that no inference has");
	return ERR_OK;
}

static enum err fill_timed(struct run_result *out, const struct record_summary *s,
	const struct answer *a, struct err_ctx *ctx)
{
	const char *doubt = "not the samples that were asked for";
	enum err e;

	if (s->time.n == a->rq->n_samples)
		doubt = doubt_run(s, a);
	if (doubt)
		return nonsense(ctx, doubt);
	out->n_timed = (double)s->time.n * s->time.inner;
	out->timed_ns = (double)(s->time.end_ns - s->time.start_ns);
	if (a->info->instruction_ns)
		return fill_count(&out->run, s, a->info->instruction_ns, ctx);
	e = fill_samples(&out->run, s, ctx);
	/* uJ by ns is a thousand watts. */
	if (!e && !(out->run.energy_uj * 1e3 <= MAX_POWER_W * out->run.wall_ns[0]))
		out->run.energy_uj = out->run.idle_uw = NAN;
	return e;
}

/* The slower of two frequencies that are known: what the figure was bought at. */
static uint32_t slower(uint32_t a, uint32_t b)
{
	return !a || (b && b < a) ? b : a;
}

static void fill_environment(struct process_run *run, const struct answer *a)
{
	const struct wire_done *d = &a->done;
	int metered = a->info->sensor[0] && d->energy_uj > 0 && isfinite(d->energy_uj);

	run->peak_rss_bytes =
		d->peak_rss_bytes < (uint64_t)1 << 50 ? d->peak_rss_bytes : 0;
	run->stack_bytes = d->stack_bytes <= MAX_STACK ? d->stack_bytes : 0;
	run->freq_khz = slower(d->freq_before_khz, d->freq_after_khz);
	if (run->freq_khz > MAX_FREQ_KHZ)
		run->freq_khz = 0;
	run->temp_mc = d->temp_after_mc;
	if (run->temp_mc < -100000 || run->temp_mc > 250000)
		run->temp_mc = INT32_MIN;
	run->n_quota = d->n_quota;
	run->quota_us = d->quota_us;
	run->n_slowed = d->n_slowed;
	run->energy_uj = metered ? d->energy_uj : NAN;
	run->idle_uw =
		metered && d->idle_uw > 0 && isfinite(d->idle_uw) ? d->idle_uw : NAN;
	run->window_ns = NAN;
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

static enum err fill_records(
	struct run_result *out, const struct answer *a, struct err_ctx *ctx)
{
	const struct run_request *rq = a->rq;
	struct record_summary s;
	int timed = rq->mode == RUN_TIME && out->verdict == VERDICT_OK;
	enum err e = ERR_OK;

	if (!record_scan(a->blob, a->len, &s) || s.n_time != (uint32_t)timed ||
		s.n_steps > (uint32_t)(timed && !rq->phase) ||
		(s.n_steps && s.steps.n != rq->n_samples))
		return nonsense(ctx, "its records are unsound");
	if (rq->mode != RUN_EVAL)
		e = fill_golden(out, &s, ctx);
	else if (s.n_golden || s.n_error || s.output_bytes == 0)
		return nonsense(ctx, "its records are unsound");
	if (!e && timed)
		e = fill_timed(out, &s, a, ctx);
	return e ? e : fill_output(out, &s, a->blob, a->len, ctx);
}

/* What a small agent leaves to us: an image that ended by itself. */
static enum err judge_exit(
	struct run_result *out, const struct answer *a, struct err_ctx *ctx)
{
	struct record_summary s;
	int sound = record_scan(a->blob, a->len, &s);

	if (a->done.outcome == OUTCOME_EXIT) {
		snprintf(out->detail, sizeof(out->detail), "exit code %d%s%s",
			(int)a->done.code, sound && s.n_error ? ": " : "",
			sound && s.n_error ? s.error : "");
		return ERR_OK;
	}
	if (!sound || (a->rq->mode != RUN_EVAL && s.n_golden != 1)) {
		out->verdict = VERDICT_EXIT;
		snprintf(out->detail, sizeof(out->detail), "its records are not sound");
		return ERR_OK;
	}
	if (a->rq->mode != RUN_EVAL && !s.golden.pass)
		out->verdict = VERDICT_WRONG_OUTPUT;
	return fill_records(out, a, ctx);
}

/* The agent's own text, or the registers of a board. */
static void tell_where(char *out, size_t cap, const struct wire_done *d)
{
	static const char *const name[] = {"pc", "lr", "cfsr", "hfsr", "address"};
	size_t n = sizeof(name) / sizeof(name[0]), len = 0;

	n = d->n_words < n ? d->n_words : n;
	snprintf(out, cap, "%s", d->detail);
	for (size_t i = 0; i < n && len < cap; i++)
		len += (size_t)snprintf(out + len, cap - len, "%s%s %08x", i ? " " : "",
			name[i], (unsigned)d->words[i]);
}

enum err result_fill(struct run_result *out, const struct answer *a, struct err_ctx *ctx)
{
	const struct wire_done *done = &a->done;

	if (done->outcome == OUTCOME_UNSUPPORTED)
		return err_set(ctx, ERR_UNSUPPORTED, "%s",
			done->detail[0] ? done->detail
					: "the device cannot do such a run");
	if (done->outcome == OUTCOME_TIMEOUT && !is_virtual(a->info) &&
		((double)a->seen_ms + 2) * CLOCK_RATE * n_threads(a) <
			a->profile->timeout_ms)
		return nonsense(ctx, "a time-out before its time");
	out->verdict = verdicts[done->outcome];
	tell_where(out->detail, sizeof(out->detail), done);
	out->run.index = a->rq->process_index;
	fill_environment(&out->run, a);
	if (a->info->host_judges &&
		(done->outcome == OUTCOME_OK || done->outcome == OUTCOME_EXIT))
		return judge_exit(out, a, ctx);
	if (out->verdict == VERDICT_OK || out->verdict == VERDICT_WRONG_OUTPUT)
		return fill_records(out, a, ctx);
	return a->len ? nonsense(ctx, "a result of a run that failed") : ERR_OK;
}
