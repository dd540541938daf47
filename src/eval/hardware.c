#include "src/eval/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/eval/parallel.h"

/* A batch of candidates on one device: built in parallel, measured one after another. */
struct batch {
	struct session *s;
	size_t device, n;
	const struct genome *g;
	const struct build_weights *weights; /* NULL: inherited */
	uint32_t look;
	struct hash *candidate;
	struct hardware *out;
	struct hash *weights_hash;
	char (*detail)[256]; /* why a build failed */
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

static enum err build_one(void *self, size_t i, struct err_ctx *ctx)
{
	struct batch *b = self;
	struct build_weights own = {NULL, {{0}}};
	const struct build_weights *w = b->weights ? &b->weights[i] : &own;
	enum err e = b->weights ? ERR_OK : inherit(b->s, &b->g[i], &own, ctx);

	if (!e)
		e = session_build(b->s, b->device, &b->g[i], w, &b->out[i].artefact, ctx);
	b->weights_hash[i] = w->hash;
	free(own.flat);
	/* The compiler is there (the reference build passed), so it refused this one. */
	if (e == ERR_TOOL || e == ERR_INVALID || e == ERR_UNSUPPORTED) {
		b->out[i].verdict = VERDICT_BUILD_ERROR;
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
}

static enum err put_failure(
	struct batch *b, size_t i, const char *detail, struct err_ctx *ctx)
{
	struct store_failure f;

	memset(&f, 0, sizeof(f));
	f.candidate = b->candidate[i];
	if (b->out[i].verdict != VERDICT_BUILD_ERROR)
		f.build = b->out[i].artefact.build;
	f.device = device_info(b->s->device[b->device].dev)->fingerprint;
	f.look = b->look;
	f.verdict = b->out[i].verdict;
	snprintf(f.detail, sizeof(f.detail), "%s", detail);
	return store_put_failure(b->s->store, b->s->job_id, &f, ctx);
}

/* What the store already knows of candidate i; sets *known. */
static enum err recall(struct batch *b, size_t i, int *known, struct err_ctx *ctx)
{
	const struct hash *fp = &device_info(b->s->device[b->device].dev)->fingerprint;
	struct hardware *h = &b->out[i];
	struct hash none = {{0}};
	struct measurement m;
	struct store_failure f;
	enum err e;

	e = store_get_failure(b->s->store, &b->candidate[i],
		h->verdict == VERDICT_BUILD_ERROR ? &none : &h->artefact.build, fp,
		b->look, &f, ctx);
	if (e != ERR_NOTFOUND) {
		h->verdict = e ? h->verdict : f.verdict;
		*known = 1;
		return e;
	}
	if (h->verdict == VERDICT_BUILD_ERROR) {
		*known = 1;
		return put_failure(b, i, b->detail[i], ctx);
	}
	e = store_get_measurement(b->s->store, &b->candidate[i], &h->artefact.build, fp,
		b->look, 0, &m, ctx);
	if (e)
		return e == ERR_NOTFOUND ? ERR_OK : e;
	take(h, &m);
	measurement_release(&m);
	*known = 1;
	return ERR_OK;
}

/* Does it fit the device at all? A candidate that does not is never sent there. */
static enum err check_fit(struct batch *b, size_t i, int *fits, struct err_ctx *ctx)
{
	const struct device_profile *p = device_profile(b->s->device[b->device].dev);
	const struct artefact *a = &b->out[i].artefact;
	uint64_t ram = a->arena_bytes + a->state_bytes;
	char detail[200];

	*fits = 1;
	if (p->flash_bytes && a->flash_bytes > p->flash_bytes)
		snprintf(detail, sizeof(detail), "flash: %llu bytes, the device has %llu",
			(unsigned long long)a->flash_bytes,
			(unsigned long long)p->flash_bytes);
	else if (p->ram_bytes && ram > p->ram_bytes)
		snprintf(detail, sizeof(detail), "RAM: %llu bytes, the device has %llu",
			(unsigned long long)ram, (unsigned long long)p->ram_bytes);
	else
		return ERR_OK;
	*fits = 0;
	b->out[i].verdict = VERDICT_NO_FIT;
	return put_failure(b, i, detail, ctx);
}

static enum err on_done(void *self, struct measure_job *job, struct err_ctx *ctx)
{
	struct batch *b = self;
	size_t i = 0;

	while (i < b->n && &b->out[i].artefact != job->artefact)
		i++;
	if (job->verdict == VERDICT_OK) {
		take(&b->out[i], &job->m);
		b->s->n_measured++;
		return store_put_measurement(b->s->store, b->s->job_id,
			b->s->device[b->device].name, &job->m, ctx);
	}
	b->out[i].verdict = job->verdict;
	if (!verdict_blames_candidate(job->verdict))
		return ERR_OK;
	return put_failure(b, i, job->detail, ctx);
}

static enum err measure_missing(
	struct batch *b, struct measure_job *jobs, struct err_ctx *ctx)
{
	struct session_device *d = &b->s->device[b->device];
	size_t n = 0;
	enum err e;

	for (size_t i = 0; i < b->n; i++) {
		int known = 0, fits = 1;

		if ((e = recall(b, i, &known, ctx)))
			return e;
		if (known) {
			b->s->n_measured += b->out[i].verdict == VERDICT_OK;
			continue;
		}
		if ((e = store_put_build(b->s->store, &b->candidate[i],
			     &b->weights_hash[i], device_profile(d->dev)->name,
			     &b->out[i].artefact, ctx)) ||
			(e = check_fit(b, i, &fits, ctx)))
			return e;
		if (!fits)
			continue;
		jobs[n].candidate = b->candidate[i];
		jobs[n].artefact = &b->out[i].artefact;
		jobs[n].look = b->look;
		n++;
	}
	if (!n)
		return ERR_OK;
	e = measure_run(d->dev, &d->reference, jobs, n, &b->s->job.measure, on_done, b,
		b->s->progress, b->s->cancel, ctx);
	for (size_t i = 0; i < n; i++)
		measurement_release(&jobs[i].m);
	return e;
}

enum err session_measure(struct session *s, size_t device, const struct genome *g,
	const struct build_weights *weights, size_t n, uint32_t look,
	struct hardware *out, struct err_ctx *ctx)
{
	struct batch b = {.s = s,
		.device = device,
		.n = n,
		.g = g,
		.weights = weights,
		.look = look,
		.out = out};
	struct measure_job *jobs = calloc(n ? n : 1, sizeof(*jobs));
	enum err e = ERR_OK;

	b.candidate = calloc(n ? n : 1, sizeof(*b.candidate));
	b.weights_hash = calloc(n ? n : 1, sizeof(*b.weights_hash));
	b.detail = calloc(n ? n : 1, sizeof(*b.detail));
	memset(out, 0, n * sizeof(*out));
	if (!jobs || !b.candidate || !b.weights_hash || !b.detail)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n && !e; i++) {
		genome_hash(&g[i], &b.candidate[i]);
		out[i].latency_us = out[i].wall_p99_us = out[i].energy_uj = NAN;
		out[i].peak_rss_bytes = out[i].step_us = NAN;
	}
	if (!e)
		e = session_tune(s, device, g, n, ctx);
	if (!e)
		e = parallel_for(n, parallel_processors(), build_one, &b, ctx);
	if (!e)
		e = measure_missing(&b, jobs, ctx);
	free(jobs);
	free(b.candidate);
	free(b.weights_hash);
	free(b.detail);
	return e;
}
