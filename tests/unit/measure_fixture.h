/* A scripted device for the measuring procedure: latency laws by image, faults on request, and
 * a bench of builds around it. Static functions; a test includes <cmocka.h> before.
 */
#ifndef HAWSER_TESTS_MEASURE_FIXTURE_H
#define HAWSER_TESTS_MEASURE_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/measure/device_ops.h"

#define MAX_BUILDS 8
#define MAX_CALLS 4096

struct call {
	enum run_mode mode;
	uint8_t image;
	uint32_t index;
	int metered;
};

struct device {
	struct device_info info;
	struct device_profile profile;
	double latency_ns[MAX_BUILDS]; /* by image.b[0] */
	double noise;	    /* sd of a process's factor, exponential on one side */
	double stall_share; /* processes that run 5-15 % slower */
	uint64_t seed;
	int no_cpu_clock;
	int step_image; /* a decoder; 0: none */
	/* faults */
	enum verdict golden_verdict[MAX_BUILDS];
	enum verdict timed_verdict[MAX_BUILDS];
	uint32_t timed_fault_at; /* process index of that verdict */
	int lose_every;		 /* every k-th run is a lost device; 0: none */
	int lose_upload_at;	 /* that upload fails with ERR_LINK */
	int stays_lost;		 /* recovery fails */
	int lose_image;	  /* image whose timed runs always lose the device, or -1 */
	int throttled_at; /* that run and those after it, `throttled_n` of them */
	int throttled_n;
	int meter;	 /* is there, */
	int void_every;	 /* and every k-th run beside it is void; 0: none */
	int nonsense_at; /* that run says ok without samples */
	int cancel_at;	 /* that run sets the flag */
	volatile int cancelled;
	enum err upload_error;
	int full_after; /* so many uploads; 0: none */
	unsigned full;	/* bits: there is no room for these images */
	/* what happened */
	int n_metered, n_runs, n_uploads, n_recovers;
	struct call calls[MAX_CALLS];
};

static const struct device_info *fake_info(const struct device *d)
{
	return &d->info;
}

static const struct device_profile *fake_profile(const struct device *d)
{
	return &d->profile;
}

static enum err fake_upload(
	struct device *d, const char *path, const struct hash *image, struct err_ctx *ctx)
{
	(void)path;
	d->n_uploads++;
	if (d->upload_error)
		return err_set(ctx, d->upload_error, "upload of 'image' failed");
	if (d->full_after && d->n_uploads > d->full_after)
		d->full = ~0u;
	if (d->full >> image->b[0] & 1)
		return err_set(ctx, ERR_FULL, "no space left");
	if (d->n_uploads == d->lose_upload_at)
		return err_set(ctx, ERR_LINK, "line cut");
	return ERR_OK;
}

/* A pure function of image and process index, as the sim device is. */
static double process_factor(const struct device *d, uint8_t image, uint32_t index)
{
	struct rng root, mine;
	double f;

	rng_init(&root, d->seed);
	rng_split(&root, "process", (uint64_t)image << 32 | index, &mine);
	f = 1 - d->noise * log(1 - rng_unit(&mine));
	if (rng_unit(&mine) < d->stall_share)
		f *= 1.05 + 0.1 * rng_unit(&mine);
	return f;
}

static void fill_samples(
	struct device *d, const struct run_request *rq, struct process_run *run)
{
	uint8_t image = rq->image.b[0];
	double t = d->latency_ns[image] * process_factor(d, image, rq->process_index);

	run->n = rq->n_samples;
	run->inner = 1;
	run->wall_ns = calloc(run->n, sizeof(float));
	run->cpu_ns = calloc(run->n, sizeof(float));
	for (uint32_t i = 0; i < run->n; i++) {
		run->wall_ns[i] = (float)(t * (1.1 + 0.01 * i));
		run->cpu_ns[i] = d->no_cpu_clock ? 0 : (float)(t * (1 + 0.01 * i));
	}
	if (image == d->step_image) { /* every token as the whole, a hundredth */
		run->steps =
			(struct step_samples){.n = run->n, .inner = 8, .n_cached = 7};
		run->steps.wall_ns = calloc(run->n, sizeof(float));
		run->steps.cpu_ns = calloc(run->n, sizeof(float));
		for (uint32_t i = 0; i < run->n; i++) {
			run->steps.wall_ns[i] = run->wall_ns[i] / 100;
			run->steps.cpu_ns[i] = run->cpu_ns[i] / 100;
		}
	}
	run->peak_rss_bytes = 1000000 + image;
	run->temp_mc = INT32_MIN;
	run->energy_uj = image == 2 ? t / 1000 : NAN;
	run->idle_uw = run->window_ns = NAN;
}

/* Slower by half, as it would be. */
static void throttle(struct device *d, struct process_run *run)
{
	if (d->n_runs % 2)
		run->n_quota = 1;
	else
		run->n_slowed = 1;
	for (uint32_t i = 0; i < run->n; i++) {
		run->wall_ns[i] *= 1.5f;
		run->cpu_ns[i] *= 1.5f;
	}
}

static void meter(struct device *d, struct run_result *out)
{
	out->run.energy_uj = out->run.idle_uw = out->run.window_ns = NAN;
	if (d->void_every && ++d->n_metered % d->void_every == 0) {
		snprintf(out->energy_note, sizeof(out->energy_note),
			"2 samples are missing");
		return;
	}
	out->run.energy_uj = 30;
	out->run.idle_uw = 4000;
	out->run.window_ns = 10.4e9;
}

static enum err fake_run(struct device *d, const struct run_request *rq,
	struct run_result *out, struct err_ctx *ctx)
{
	uint8_t image = rq->image.b[0];

	(void)ctx;
	assert_true(d->n_runs < MAX_CALLS);
	d->calls[d->n_runs++] =
		(struct call){rq->mode, image, rq->process_index, rq->metered};
	memset(out, 0, sizeof(*out));
	if (d->n_runs == d->cancel_at)
		d->cancelled = 1;
	if ((d->lose_every && d->n_runs % d->lose_every == 0) ||
		(rq->mode == RUN_TIME && image == d->lose_image)) {
		out->verdict = VERDICT_DEVICE_LOST;
		snprintf(out->detail, sizeof(out->detail), "agent is gone");
		return ERR_OK;
	}
	out->golden_error = 1e-6 * image;
	if (rq->mode == RUN_GOLDEN) {
		out->verdict = d->golden_verdict[image];
	} else {
		if (rq->process_index % 1000 == d->timed_fault_at)
			out->verdict = d->timed_verdict[image];
		if (!out->verdict && d->n_runs != d->nonsense_at)
			fill_samples(d, rq, &out->run);
		if (d->meter && rq->metered)
			meter(d, out);
		if (d->n_runs >= d->throttled_at &&
			d->n_runs < d->throttled_at + d->throttled_n)
			throttle(d, &out->run);
	}
	if (out->verdict)
		snprintf(out->detail, sizeof(out->detail), "scripted");
	return ERR_OK;
}

static enum err fake_recover(struct device *d, struct err_ctx *ctx)
{
	d->n_recovers++;
	return d->stays_lost ? err_set(ctx, ERR_DEVICE, "device 'fake' stays lost")
			     : ERR_OK;
}

static void fake_release(struct run_result *r)
{
	free(r->run.wall_ns);
	free(r->run.cpu_ns);
	free(r->run.steps.wall_ns);
	free(r->run.steps.cpu_ns);
	free(r->output);
	memset(r, 0, sizeof(*r));
}

static const struct device_ops fake_ops = {
	fake_info, fake_profile, fake_upload, fake_run, fake_recover, fake_release};

struct bench {
	struct device d;
	struct artefact artefacts[MAX_BUILDS];
	struct measure_job jobs[MAX_BUILDS];
	struct measure_options o;
	const struct artefact *reference;
	int n_done;
	int done_order[MAX_BUILDS];
	struct err_ctx ctx;
};

static enum err on_done(void *self, struct measure_job *job, struct err_ctx *ctx)
{
	struct bench *b = self;

	(void)ctx;
	assert_true(job->done);
	assert_true(b->n_done < MAX_BUILDS);
	b->done_order[b->n_done++] = job->artefact->image.b[0];
	return ERR_OK;
}

/* Builds 1..n as jobs; build 0 is the reference. */
static struct bench *new_bench(size_t n)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	measure_options_default(&b->o);
	b->o.n_samples = 4;
	b->d.noise = 0.01;
	b->d.seed = 7;
	b->d.lose_image = -1;
	b->d.info.fingerprint.b[0] = 99;
	strcpy(b->d.profile.name, "fake");
	strcpy(b->d.info.sensor, "fake:watts");
	for (size_t i = 0; i < MAX_BUILDS; i++) {
		b->d.latency_ns[i] = 10000.0 * (double)(i + 1);
		b->artefacts[i].image.b[0] = (uint8_t)i;
		b->artefacts[i].build.b[0] = (uint8_t)(100 + i);
		b->artefacts[i].flash_bytes = 1000 * i;
		b->artefacts[i].arena_bytes = 100 * i;
	}
	for (size_t i = 0; i < n; i++) {
		b->jobs[i].artefact = &b->artefacts[i + 1];
		b->jobs[i].candidate.b[0] = (uint8_t)(50 + i);
		b->jobs[i].look = 1;
	}
	b->reference = &b->artefacts[0];
	return b;
}

static enum err run_bench(struct bench *b, size_t n)
{
	const struct measure_session s = {
		.ops = &fake_ops,
		.device = &b->d,
		.reference = b->reference,
		.options = &b->o,
		.done = on_done,
		.self = b,
		.cancel = &b->d.cancelled,
	};

	return measure_with_ops(&s, b->jobs, n, &b->ctx);
}

static void free_bench(struct bench *b)
{
	for (size_t i = 0; i < MAX_BUILDS; i++)
		measurement_release(&b->jobs[i].m);
	free(b);
}

#endif
