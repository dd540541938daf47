#include "src/eval/at_once.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/eval/parallel.h"

struct fleet;

/* A batch of candidates on one device. */
struct batch {
	struct fleet *fleet;
	struct session *s;
	size_t device;
	struct hardware *out;
	struct hash *weights_hash;
	char (*detail)[256];	  /* why a build failed */
	struct measure_job *jobs; /* what the store does not have */
};

/* The same candidates on every device of the job: all is built first, in parallel, so that
 * no compiler runs beside a measurement of this machine; then all devices measure at once. */
struct fleet {
	struct session *s;
	size_t n;
	const struct genome *g;
	const struct build_weights *weights; /* NULL: inherited */
	uint32_t look;
	struct hash *candidate;
	struct batch batch[SESSION_MAX_DEVICES];
	struct at_once all;
};

/* ---- build */

static enum err inherit(struct session *s, const struct genome *g,
	struct build_weights *w, struct err_ctx *ctx)
{
	size_t n_floats;
	enum err e = session_inherit(s, g, &w->flat, &n_floats, ctx);

	if (!e)
		hash_bytes(&w->hash, w->flat, n_floats * sizeof(*w->flat));
	return e;
}

/* Item: candidate by candidate, its builds for all devices. */
static enum err build_one(void *self, size_t item, struct err_ctx *ctx)
{
	struct fleet *f = self;
	struct batch *b = &f->batch[item % f->s->n_devices];
	size_t i = item / f->s->n_devices;
	struct build_weights own = {NULL, {{0}}};
	const struct build_weights *w = f->weights ? &f->weights[i] : &own;
	enum err e = f->weights ? ERR_OK : inherit(f->s, &f->g[i], &own, ctx);

	if (!e)
		e = session_build(f->s, b->device, &f->g[i], w, &b->out[i].artefact, ctx);
	b->weights_hash[i] = w->hash;
	free(own.flat);
	/* The compiler is there (the reference build passed), so it refused this one. */
	if (e == ERR_TOOL || e == ERR_INVALID || e == ERR_UNSUPPORTED || e == ERR_NO_FIT) {
		b->out[i].verdict =
			e == ERR_NO_FIT ? VERDICT_NO_FIT : VERDICT_BUILD_ERROR;
		snprintf(b->detail[i], sizeof(b->detail[i]), "%.255s",
			ctx ? ctx->msg : "");
		return ERR_OK;
	}
	return e;
}

/* ---- results */

static void take(struct hardware *h, const struct measurement *m)
{
	h->verdict = VERDICT_OK;
	h->latency_us = m->latency_ns / 1000;
	h->latency_ci.lo = m->latency_ci.lo / 1000;
	h->latency_ci.hi = m->latency_ci.hi / 1000;
	h->step_us = m->step_ns / 1000;
	h->step_ci.lo = m->step_ci.lo / 1000;
	h->step_ci.hi = m->step_ci.hi / 1000;
	h->wall_p99_us = m->wall_p99_ns / 1000;
	h->energy_uj = m->energy_uj;
	h->energy_ci = m->energy_ci;
	h->peak_rss_bytes = m->peak_rss_bytes ? (double)m->peak_rss_bytes : NAN;
	h->instructions = m->instructions > 0 ? m->instructions : NAN;
	h->step_instructions = m->step_instructions > 0 ? m->step_instructions : NAN;
}

static enum err put_failure(
	struct batch *b, size_t i, const char *detail, struct err_ctx *ctx)
{
	struct store_failure f;

	memset(&f, 0, sizeof(f));
	f.candidate = b->fleet->candidate[i];
	f.build = b->out[i].artefact.build;
	f.device = device_info(b->s->device[b->device].dev)->fingerprint;
	f.look = b->fleet->look;
	f.verdict = b->out[i].verdict;
	snprintf(f.detail, sizeof(f.detail), "%s", detail);
	return store_put_failure(b->s->store, b->s->job_id, &f, ctx);
}

/* What the store already knows of candidate i; sets *known. */
static enum err recall(struct batch *b, size_t i, int *known, struct err_ctx *ctx)
{
	const struct hash *fp = &device_info(b->s->device[b->device].dev)->fingerprint;
	struct hardware *h = &b->out[i];
	struct measurement m;
	struct store_failure f;
	enum err e;

	e = store_get_failure(b->s->store, &b->fleet->candidate[i],
		&h->artefact.build, fp,
		b->fleet->look, &f, ctx);
	if (e != ERR_NOTFOUND) {
		h->verdict = e ? h->verdict : f.verdict;
		*known = 1;
		return e;
	}
	if (h->verdict != VERDICT_OK) {
		*known = 1;
		return put_failure(b, i, b->detail[i], ctx);
	}
	e = store_get_measurement(b->s->store, &b->fleet->candidate[i],
		&h->artefact.build, fp, b->fleet->look, 0, &m, ctx);
	if (e)
		return e == ERR_NOTFOUND ? ERR_OK : e;
	take(h, &m);
	measurement_release(&m);
	*known = 1;
	return ERR_OK;
}

/* Whether the job is about an energy that no window gave: the meter's fault, and the build
 * waits for it. */
static int lacks_energy(const struct batch *b, const struct measure_job *job)
{
	if (job->verdict != VERDICT_OK || !job->n_void || !isnan(job->m.energy_uj))
		return 0;
	for (size_t k = 0; k < b->s->n_tracked; k++) {
		const struct tracked *t = &b->s->tracked[k];

		for (size_t m = 0; m < t->group.n; m++)
			if (!strcmp(t->o.metric->name, "energy_uj") &&
				(size_t)t->member[m] == b->device)
				return 1;
	}
	return 0;
}

static enum err keep(struct batch *b, struct measure_job *job, struct err_ctx *ctx)
{
	struct session_device *d = &b->s->device[b->device];
	size_t i = 0;

	if (lacks_energy(b, job)) {
		job->done = 0;
		return err_set(ctx, ERR_DEVICE,
			"device '%s': the windows of its meter are void: %s", d->name,
			job->energy_note);
	}
	while (&b->out[i].artefact != job->artefact)
		i++;
	if (job->m.n_runs)
		d->state.temp_mc = job->m.runs[job->m.n_runs - 1].temp_mc;
	session_note_device(b->s, b->device, DEVICE_LEASED, "");
	if (job->verdict == VERDICT_OK) {
		take(&b->out[i], &job->m);
		b->s->n_measured++;
		return store_put_measurement(
			b->s->store, b->s->job_id, d->name, &job->m, ctx);
	}
	b->out[i].verdict = job->verdict;
	if (!verdict_blames_candidate(job->verdict))
		return ERR_OK;
	return put_failure(b, i, job->detail, ctx);
}

static enum err on_done(void *self, struct measure_job *job, struct err_ctx *ctx)
{
	struct batch *b = self;
	enum err e;

	pthread_mutex_lock(&b->s->lock);
	e = keep(b, job, ctx);
	pthread_mutex_unlock(&b->s->lock);
	if (!e)
		at_once_did(&b->fleet->all, b->device);
	return e;
}

/* Which of the candidates have to be measured. */
static enum err list_jobs(struct batch *b, struct err_ctx *ctx)
{
	const struct fleet *f = b->fleet;
	struct session_device *d = &b->s->device[b->device];
	size_t *n_jobs = &b->fleet->all.n_all[b->device];
	enum err e;

	for (size_t i = 0; i < f->n; i++) {
		struct measure_job *job = &b->jobs[*n_jobs];
		int known = 0;

		if ((e = recall(b, i, &known, ctx)))
			return e;
		if (known) {
			b->s->n_measured += b->out[i].verdict == VERDICT_OK;
			continue;
		}
		if ((e = store_put_build(b->s->store, &f->candidate[i],
			     &b->weights_hash[i], device_profile(d->dev)->name,
			     &b->out[i].artefact, ctx)))
			return e;
		job->candidate = f->candidate[i];
		job->artefact = &b->out[i].artefact;
		job->look = f->look;
		++*n_jobs;
	}
	return ERR_OK;
}

static enum err measure_device(void *self, size_t device, struct err_ctx *ctx)
{
	struct fleet *f = self;
	struct batch *b = &f->batch[device];
	struct session_device *d = &f->s->device[device];
	enum err e = measure_run(d->dev, &d->reference, b->jobs, f->all.n_all[device],
		&f->s->job.measure, on_done, b,
		at_once_progress(&f->all), f->s->cancel, ctx);
	const char *note = device_upload_note(d->dev);

	if (note[0])
		progress_say(f->s->progress, "device '%s': %s",
			device_profile(d->dev)->name, note);
	return e;
}

/* ---- all of it */

static void forget(struct hardware *h)
{
	memset(h, 0, sizeof(*h));
	h->latency_us = h->wall_p99_us = h->energy_uj = NAN;
	h->peak_rss_bytes = h->step_us = h->instructions = h->step_instructions = NAN;
}

static enum err start_batch(struct fleet *f, size_t device, struct hardware *out)
{
	struct batch *b = &f->batch[device];
	size_t room = f->n ? f->n : 1;

	b->fleet = f;
	b->s = f->s;
	b->device = device;
	b->out = out;
	b->weights_hash = calloc(room, sizeof(*b->weights_hash));
	b->detail = calloc(room, sizeof(*b->detail));
	b->jobs = calloc(room, sizeof(*b->jobs));
	for (size_t i = 0; i < f->n; i++)
		forget(&out[i]);
	return b->weights_hash && b->detail && b->jobs ? ERR_OK : ERR_NOMEM;
}

static void release(struct fleet *f)
{
	for (size_t d = 0; d < f->s->n_devices; d++) {
		struct batch *b = &f->batch[d];

		for (size_t i = 0; b->jobs && i < f->all.n_all[d]; i++)
			measurement_release(&b->jobs[i].m);
		free(b->weights_hash);
		free(b->detail);
		free(b->jobs);
	}
	free(f->candidate);
	free(f);
}

static enum err run(struct fleet *f, struct err_ctx *ctx)
{
	struct session *s = f->s;
	enum err e;

	for (size_t i = 0; i < f->n; i++)
		genome_hash(&f->g[i], &f->candidate[i]);
	e = session_tune(s, f->g, f->n, ctx);
	if (!e)
		e = parallel_for(
			f->n * s->n_devices, parallel_processors(), build_one, f, ctx);
	for (size_t d = 0; d < s->n_devices && !e; d++)
		e = list_jobs(&f->batch[d], ctx);
	return e ? e : at_once_run(&f->all, ctx);
}

enum err session_measure(struct session *s, const struct genome *g,
	const struct build_weights *weights, size_t n, uint32_t look,
	struct hardware *const *out, struct err_ctx *ctx)
{
	struct fleet *f = calloc(1, sizeof(*f));
	enum err e = ERR_OK;

	if (!f)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	f->s = s;
	f->n = n;
	f->g = g;
	f->weights = weights;
	f->look = look;
	f->all = (struct at_once){.s = s,
		.task = "measure",
		.what = "builds done",
		.step = measure_device,
		.self = f,
		.lone_shows = 1};
	f->candidate = calloc(n ? n : 1, sizeof(*f->candidate));
	for (size_t d = 0; d < s->n_devices; d++)
		if (start_batch(f, d, out[d]))
			e = ERR_NOMEM;
	if (!f->candidate || e)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	else
		e = run(f, ctx);
	release(f);
	return e;
}
