/* The procedure of measure.h on a table of device operations. */
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "src/measure/device_ops.h"
#include "src/measure/process.h"

#define VOID_RETAKES 2

void measure_options_default(struct measure_options *o)
{
	*o = (struct measure_options){
		.min_processes = 6,
		.max_processes = 24,
		.n_warmup = 5,
		.n_samples = 30,
		.min_sample_ns = 50000,
		.precision = 0.02,
		.seed = 1,
		.retries = 3,
		.retakes = 6,
	};
}

static enum err check_options(const struct measure_options *o, struct err_ctx *ctx)
{
	if (o->min_processes < 1 || o->max_processes < o->min_processes ||
		o->max_processes >= LOOK_STRIDE)
		return err_set(ctx, ERR_INVALID,
			"measure: %u..%u processes; 1 <= min <= max < %d is allowed",
			o->min_processes, o->max_processes, LOOK_STRIDE);
	if (o->n_samples < 1)
		return err_set(ctx, ERR_INVALID, "measure: samples must be at least 1");
	if (!(o->precision > 0) || !isfinite(o->precision))
		return err_set(ctx, ERR_INVALID,
			"measure: precision %g is not a positive share", o->precision);
	if (o->retries < 0 || o->retakes < 0)
		return err_set(ctx, ERR_INVALID,
			"measure: retries and retakes must not be negative");
	return ERR_OK;
}

/* What the procedure keeps of a job while it runs. */
struct track {
	struct measure_job *job;
	int ran;       /* in this round */
	int n_retakes; /* throttled processes that were dropped */
};

static enum err finish(const struct measure_session *s, struct track *t, enum verdict v,
	const char *detail, struct err_ctx *ctx)
{
	struct measure_job *job = t->job;

	job->verdict = v;
	snprintf(job->detail, sizeof(job->detail), "%s", detail);
	job->done = 1;
	if (v != VERDICT_OK)
		measurement_release(&job->m);
	return s->done ? s->done(s->self, job, ctx) : ERR_OK;
}

/* Sizes that the profile forbids; 0 when the build fits. */
static int misfit(const struct measure_session *s, const struct artefact *a, char *detail,
	size_t cap)
{
	const struct device_profile *p = s->ops->profile(s->device);
	uint64_t ram = a->arena_bytes + a->state_bytes;

	if (p->flash_bytes && a->flash_bytes > p->flash_bytes) {
		snprintf(detail, cap, "flash: %llu bytes, the device takes %llu",
			(unsigned long long)a->flash_bytes,
			(unsigned long long)p->flash_bytes);
		return 1;
	}
	if (p->ram_bytes && ram > p->ram_bytes) {
		snprintf(detail, cap,
			"arena and state: %llu bytes, the device takes %llu",
			(unsigned long long)ram, (unsigned long long)p->ram_bytes);
		return 1;
	}
	return 0;
}

/* Checks one build's answers; a build that fails is done. */
static enum err check_golden(
	const struct measure_session *s, struct track *t, struct err_ctx *ctx)
{
	struct measure_job *job = t->job;
	const struct artefact *a = job->artefact;
	struct run_result r;
	char detail[256];
	enum err e;

	measurement_init(&job->m);
	job->m.candidate = job->candidate;
	job->m.build = a->build;
	job->m.device = s->ops->info(s->device)->fingerprint;
	job->m.look = job->look;
	snprintf(job->m.energy_source, sizeof(job->m.energy_source), "%s",
		s->ops->info(s->device)->sensor);
	job->golden_error = 0;
	job->energy_note[0] = '\0';
	job->n_void = 0;
	if (misfit(s, a, detail, sizeof(detail)))
		return finish(s, t, VERDICT_NO_FIT, detail, ctx);
	e = measure_process(s, a, RUN_GOLDEN, job->look * LOOK_STRIDE, &r, ctx);
	if (e)
		return e;
	job->golden_error = r.golden_error;
	if (r.verdict != VERDICT_OK)
		e = finish(s, t, r.verdict, r.detail, ctx);
	s->ops->release(&r);
	return e;
}

/* The reference's verdict speaks about the device: it ran well before it was taken as a
 * reference. */
static enum err run_reference(const struct measure_session *s, enum run_mode mode,
	uint32_t index, double *latency_ns, struct err_ctx *ctx)
{
	struct run_result r;
	enum err e = measure_process(s, s->reference, mode, index, &r, ctx);

	if (e)
		return e;
	if (r.verdict != VERDICT_OK)
		e = err_set(ctx, ERR_DEVICE,
			"device '%s': the reference build fails on it: %s: %s",
			s->ops->profile(s->device)->name, verdict_names[r.verdict],
			r.detail);
	else if (mode == RUN_TIME && !process_throttled(&r.run))
		*latency_ns = process_latency_ns(&r.run);
	s->ops->release(&r);
	return e;
}

/* Copies a process's samples into the measurement. */
static enum err keep_run(struct measurement *m, const struct process_run *from,
	uint32_t order, struct err_ctx *ctx)
{
	struct process_run *to = measurement_add_run(m, from->n);
	struct process_run own;

	if (!to)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	if (from->steps.n && measurement_add_steps(to, from->steps.n))
		return err_set(ctx, ERR_NOMEM, "out of memory");
	own = *to;
	for (uint32_t i = 0; i < from->n; i++) {
		own.wall_ns[i] = from->wall_ns[i];
		own.cpu_ns[i] = from->cpu_ns[i];
	}
	for (uint32_t i = 0; i < from->steps.n; i++) {
		own.steps.wall_ns[i] = from->steps.wall_ns[i];
		own.steps.cpu_ns[i] = from->steps.cpu_ns[i];
	}
	*to = *from;
	to->steps.wall_ns = own.steps.wall_ns;
	to->steps.cpu_ns = own.steps.cpu_ns;
	to->index = own.index;
	to->order = order;
	to->wall_ns = own.wall_ns;
	to->cpu_ns = own.cpu_ns;
	to->reference_ratio = 0;
	return ERR_OK;
}

/* Notes that the meter's window of a process is no good. */
static int is_void(struct measure_job *job, const struct run_result *r)
{
	if (!r->energy_note[0])
		return 0;
	memcpy(job->energy_note, r->energy_note, sizeof(job->energy_note));
	job->n_void++;
	return 1;
}

/* A board tells how deep its stack was; what else it needs of RAM the link knows. */
static void add_ram(struct process_run *run, const struct artefact *a)
{
	if (!run->peak_rss_bytes && run->stack_bytes)
		run->peak_rss_bytes = a->data_bytes + a->bss_bytes + run->stack_bytes;
}

static enum err run_timed(const struct measure_session *s, struct track *t,
	uint32_t order, struct err_ctx *ctx)
{
	struct measure_job *job = t->job;
	uint32_t index = job->m.n_runs;
	struct run_result r;
	enum err e = measure_process(
		s, job->artefact, RUN_TIME, job->look * LOOK_STRIDE + index, &r, ctx);

	if (e)
		return e;
	if (r.golden_error > job->golden_error)
		job->golden_error = r.golden_error;
	if (r.verdict != VERDICT_OK) {
		e = finish(s, t, r.verdict, r.detail, ctx);
	} else if (process_throttled(&r.run) && t->n_retakes < s->options->retakes) {
		t->n_retakes++; /* the same index in the next round */
	} else if (is_void(job, &r) && job->n_void <= VOID_RETAKES) {
		; /* so is this one */
	} else {
		add_ram(&r.run, job->artefact);
		e = keep_run(&job->m, &r.run, order, ctx);
		t->ran = 1;
	}
	s->ops->release(&r);
	return e;
}

/* Same build, look and seed: same interval, whatever else was measured beside it. */
static void summarise(const struct measure_session *s, struct measure_job *job)
{
	struct rng root, look, rng;

	rng_init(&root, s->options->seed);
	rng_split(&root, "bootstrap look", job->look, &look);
	rng_split(&look, "bootstrap build", hash_u64(&job->m.build), &rng);
	measurement_summarise(&job->m, &rng);
}

static int is_narrow(double value, const struct interval *ci, double precision)
{
	return (ci->hi - ci->lo) / 2 <= precision * value;
}

static int counts_agree(const struct measurement *m)
{
	for (uint32_t i = 0; i < m->n_runs; i++)
		if (m->runs[i].instructions != m->instructions ||
			m->runs[i].steps.instructions != m->step_instructions)
			return 0;
	return 1;
}

/* A decoder is resolved when both of its phases are; a count when it is always the same. */
static int is_resolved(const struct measurement *m, double precision)
{
	if (m->instructions > 0)
		return counts_agree(m);
	return is_narrow(m->latency_ns, &m->latency_ci, precision) &&
	       (isnan(m->step_ns) || is_narrow(m->step_ns, &m->step_ci, precision));
}

/* After a round: notes the ratio to the reference, and ends what is narrow or used up. */
static enum err close_round(const struct measure_session *s, struct track *t,
	double reference_ns, struct err_ctx *ctx)
{
	struct measurement *m = &t->job->m;

	if (!t->ran)
		return ERR_OK;
	t->ran = 0;
	if (reference_ns > 0) {
		struct process_run *last = &m->runs[m->n_runs - 1];

		last->reference_ratio = process_latency_ns(last) / reference_ns;
	}
	if (m->n_runs < s->options->min_processes)
		return ERR_OK;
	summarise(s, t->job);
	m->resolved = is_resolved(m, s->options->precision);
	if (!m->resolved && m->n_runs < s->options->max_processes)
		return ERR_OK;
	return finish(s, t, VERDICT_OK, "", ctx);
}

/* The order of one round: every unfinished job, and the reference as number n. */
static size_t draw_order(const struct measure_session *s, const struct track *t, size_t n,
	uint32_t round, uint32_t *order)
{
	struct rng root, rng;
	size_t count = 0;

	rng_init(&root, s->options->seed);
	rng_split(&root, "schedule", round, &rng);
	for (size_t i = 0; i < n; i++)
		if (!t[i].job->done)
			order[count++] = (uint32_t)i;
	if (count && s->reference)
		order[count++] = (uint32_t)n;
	rng_shuffle(&rng, order, count);
	return count;
}

static size_t count_done(const struct track *t, size_t n)
{
	size_t done = 0;

	for (size_t i = 0; i < n; i++)
		done += t[i].job->done != 0;
	return done;
}

static enum err run_rounds(const struct measure_session *s, struct track *t, size_t n,
	uint32_t *order, struct err_ctx *ctx)
{
	uint32_t position = 0;

	for (uint32_t round = 0;; round++) {
		size_t count = draw_order(s, t, n, round, order);
		double reference_ns = 0;
		enum err e = ERR_OK;

		if (!count)
			return ERR_OK;
		for (size_t i = 0; i < count && !e; i++, position++) {
			if (order[i] == n)
				e = run_reference(s, RUN_TIME, round, &reference_ns, ctx);
			else
				e = run_timed(s, &t[order[i]], position, ctx);
			progress_update(s->progress, count_done(t, n), "process %u",
				position + 1);
		}
		for (size_t i = 0; i < n && !e; i++)
			e = close_round(s, &t[i], reference_ns, ctx);
		progress_update(s->progress, count_done(t, n), "round %u", round + 1);
		if (e)
			return e;
	}
}

static enum err measure_tracks(
	const struct measure_session *s, struct track *t, size_t n, struct err_ctx *ctx)
{
	uint32_t *order = calloc(n + 1, sizeof(*order));
	enum err e = order ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory");

	if (!e && s->reference && count_done(t, n) < n)
		e = run_reference(s, RUN_GOLDEN, 0, NULL, ctx);
	for (size_t i = 0; i < n && !e; i++)
		if (!t[i].job->done)
			e = check_golden(s, &t[i], ctx);
	if (!e)
		e = run_rounds(s, t, n, order, ctx);
	free(order);
	return e;
}

/* Builds with weights in a device's flash one after the other, for flash is slow to write and
 * wears off: it is written once for each. The others first, and together. */
static enum err measure_groups(
	const struct measure_session *s, struct track *t, size_t n, struct err_ctx *ctx)
{
	size_t n_together = 0;
	enum err e;

	for (size_t i = 0; i < n; i++)
		if (!t[i].job->artefact->placed_bytes) {
			struct track own = t[i];

			t[i] = t[n_together];
			t[n_together++] = own;
		}
	e = measure_tracks(s, t, n_together, ctx);
	for (size_t i = n_together; i < n && !e; i++)
		e = measure_tracks(s, &t[i], 1, ctx);
	return e;
}

static enum err measure_all(const struct measure_session *s, struct measure_job *jobs,
	size_t n, struct err_ctx *ctx)
{
	struct track *t = calloc(n + 1, sizeof(*t));
	enum err e;

	if (!t)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		t[i].job = &jobs[i];
		if (!jobs[i].done)
			measurement_init(&jobs[i].m);
	}
	progress_begin(s->progress, "measure", n);
	e = measure_groups(s, t, n, ctx);
	progress_end(s->progress, "%zu of %zu builds done", count_done(t, n), n);
	for (size_t i = 0; i < n; i++)
		if (!jobs[i].done)
			measurement_release(&jobs[i].m);
	free(t);
	return e;
}

/* An emulator's count is the same every time: two processes show it. */
static void count_options(struct measure_options *o)
{
	o->min_processes = 2;
	o->max_processes = o->max_processes < 3 ? 2 : 3;
	o->n_samples = 2;
	o->n_warmup = 0;
	o->min_sample_ns = 0;
}

enum err measure_with_ops(const struct measure_session *s, struct measure_job *jobs,
	size_t n, struct err_ctx *ctx)
{
	enum err e = check_options(s->options, ctx);
	struct measure_options counting = *s->options;
	struct measure_session own = *s;

	if (e)
		return e;
	if (s->ops->info(s->device)->instruction_ns) {
		count_options(&counting);
		own.options = &counting;
	}
	return measure_all(&own, jobs, n, ctx);
}
