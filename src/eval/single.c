#include "src/eval/single.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/file.h"
#include "src/base/rng.h"
#include "src/codegen/codegen.h"
#include "src/eval/device_target.h"
#include "src/eval/wisdom.h"
#include "src/model/graph.h"
#include "src/store/store.h"

#define GOLDEN_MAX_TOKENS 16
/* A token of such a network takes long on the host's reference. */
#define LARGE_MACS 3e8
#define TIMED_MAX_TOKENS 128 /* unless asked for more */
#define SLOW_MACS_PER_S 3e8  /* what the slowest device is granted, for its time limit */

static uint32_t timed_tokens(const struct genome *g, const struct single_options *o)
{
	uint32_t n = o->measure.n_tokens ? o->measure.n_tokens : TIMED_MAX_TOKENS;
	uint32_t longest = g->seq_len - (o->measure.phase ? 1u : 0u); /* room for a token */

	return n < longest ? n : longest;
}

static double macs_of(
	const struct genome *g, const struct single_options *o, uint32_t tokens)
{
	struct graph_cost c;

	graph_cost(g, &o->task, tokens, &c);
	return c.macs;
}

/* Fewer samples for networks that take long, and a time limit that lets them end. */
static void scale_effort(const struct genome *g, const struct single_options *o,
	struct measure_options *m, struct device_profile *p, uint32_t tokens)
{
	double macs = macs_of(g, o, tokens), run_s = macs / 1e9, total_s;

	if (run_s * m->n_samples > 2)
		m->n_samples = run_s > 0.6 ? 3 : (uint32_t)(2 / run_s);
	if (run_s * m->n_warmup > 1)
		m->n_warmup = 1;
	total_s = macs / SLOW_MACS_PER_S * (m->n_samples + m->n_warmup + 3);
	if (total_s * 1000 > p->timeout_ms && total_s < 3600)
		p->timeout_ms = (uint32_t)(total_s * 1000);
}

/* The rows of the network's products. */
static enum err copy_wisdom(const struct wisdom *w, const struct codegen_input *in,
	const struct target *target, struct single_result *out, struct err_ctx *ctx)
{
	struct product shapes[PRODUCTS_MAX];
	size_t n = 0;
	enum err e = codegen_products(in, target, shapes, &n, ctx);

	if (e)
		return e;
	out->tuned = calloc(n ? n : 1, sizeof(*out->tuned));
	if (!out->tuned)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		const struct store_wisdom *r =
			wisdom_find(w, (enum opt_level)in->genome->opt, &shapes[i]);

		if (r)
			out->tuned[out->n_tuned++] = *r;
	}
	return ERR_OK;
}

/* The fastest schedules that are known, or with `tune` found out now. */
static enum err use_wisdom(const struct single_options *o, struct wisdom *w,
	const struct target *target, struct codegen_input *in, struct single_result *out,
	struct err_ctx *ctx)
{
	struct tune_options t;
	enum err e;

	tune_options_default(&t);
	t.progress = o->progress;
	t.cancel = o->cancel;
	if ((e = wisdom_open(w, in->genome, o->tune, ctx)) ||
		(o->tune && (e = wisdom_tune(w, in, &t, &out->n_timed, ctx))) ||
		(e = copy_wisdom(w, in, target, out, ctx)))
		return e;
	wisdom_apply(w, in);
	return ERR_OK;
}

static enum err compile(const struct single_options *o, struct wisdom *w,
	struct codegen_input *in, struct single_result *out, struct err_ctx *ctx)
{
	struct device_target t;
	char cache[1200];
	int hit = 0;
	enum err e;

	if ((e = device_target(&t, w->device, ctx)) ||
		(e = use_wisdom(o, w, &t.target, in, out, ctx)) ||
		(e = file_join(cache, sizeof(cache), o->results, "builds", ctx)))
		return e;
	in->memories = t.memories;
	progress_begin(o->progress, "building", 0);
	e = codegen_build(in, &t.target, cache, &out->artefact, &hit, ctx);
	progress_end(o->progress, e ? "failed" : hit ? "from the cache" : "done");
	return e;
}

static enum err build(const struct genome *g, const struct single_options *o,
	struct store *store, struct device *dev, struct single_result *out,
	struct err_ctx *ctx)
{
	struct random_weights random = {1};
	struct codegen_input in;
	int32_t ids[GOLDEN_MAX_TOKENS];
	uint32_t n = out->tokens < GOLDEN_MAX_TOKENS ? out->tokens : GOLDEN_MAX_TOKENS;
	struct wisdom wisdom;
	struct rng rng;
	enum err e;

	if (macs_of(g, o, 1) > LARGE_MACS)
		n = n < 2 ? n : 2;
	rng_init(&rng, 1);
	for (uint32_t i = 0; i < n; i++)
		ids[i] = (int32_t)rng_below(&rng, g->vocab_size);
	memset(&in, 0, sizeof(in));
	in.genome = g;
	in.task = o->task;
	in.weights = tensor_source_random(&random);
	hash_bytes(&in.weights_hash, "random 1", 8);
	in.golden_ids = ids;
	in.golden_len = &n;
	in.n_golden = 1;
	in.timed_tokens = out->tokens;
	in.n_threads = device_profile(dev)->threads;
	wisdom_init(&wisdom, store, NULL, dev, o->results, INT64_MAX);
	e = compile(o, &wisdom, &in, out, ctx);
	wisdom_release(&wisdom);
	return e;
}

/* The time of one input as a whole; a decoder's time per token is printed, not kept, as
 * it would have the same key. */
static enum err store_result(struct store *s, const struct genome *g,
	const struct device_info *info, const struct single_result *r,
	struct err_ctx *ctx)
{
	struct hash zero = {{0}}, weights;
	int64_t job = 0;
	enum err e;

	hash_bytes(&weights, "random 1", 8);
	if (!(e = store_job_open(s, "measure", &zero, "", &job, ctx)) &&
		!(e = store_put_candidate(s, job, g, "user", 0, ctx)) &&
		!(e = store_put_device(s, &info->fingerprint, r->name, info->description,
			  info->simulated, ctx)) &&
		!(e = store_put_build(
			  s, &r->job.candidate, &weights, r->name, &r->artefact, ctx)))
		e = store_put_measurement(s, job, r->name, &r->job.m, ctx);
	if (!e || e == ERR_EXISTS)
		e = store_job_set_state(s, job, "done", ctx);
	return e == ERR_EXISTS ? ERR_OK : e; /* the first measurement stays */
}

static void tell_upload(struct progress *p, struct device *d)
{
	const char *note = device_upload_note(d);

	if (note[0])
		progress_say(p, "device '%s': %s", device_profile(d)->name, note);
}

/* For `device list`; a measurement does not fail for want of it. */
static void note(struct store *store, const struct single_options *o,
	enum device_state state, const struct measurement *m)
{
	struct store_device_state s = {
		.state = state, .job = "measure", .temp_mc = INT32_MIN};

	device_profile_full_name(o->device, s.name, sizeof(s.name));
	s.seen_s = clock_unix_s();
	for (size_t i = 0; m && i < m->n_runs; i++)
		if (m->runs[i].temp_mc != INT32_MIN)
			s.temp_mc = m->runs[i].temp_mc;
	store_put_device_state(store, &s, NULL);
}

enum err single_measure(const struct genome *g, const struct single_options *o,
	struct single_result *out, struct err_ctx *ctx)
{
	struct measure_options m = o->measure;
	struct device_profile p;
	struct device *dev = NULL;
	struct store *store = NULL;
	enum err e;

	memset(out, 0, sizeof(*out));
	out->tokens = timed_tokens(g, o);
	if ((e = device_profile_load(&p, o->device, ctx)))
		return e;
	snprintf(out->name, sizeof(out->name), "%.60s", o->device);
	if (o->threads && o->threads != p.threads) {
		snprintf(out->name, sizeof(out->name), "%.60s, %u thread%s", o->device,
			(unsigned)o->threads, o->threads > 1 ? "s" : "");
		p.threads = o->threads;
	}
	scale_effort(g, o, &m, &p, out->tokens);
	m.n_tokens = out->tokens;
	/* Before the work: a search that runs would be disturbed by it. */
	if ((e = store_open(&store, o->database, STORE_WRITE, ctx)))
		return e;
	e = device_open(&dev, &p, ctx);
	if (!e) {
		device_set_cancel(dev, o->cancel);
		note(store, o, DEVICE_LEASED, NULL);
		e = build(g, o, store, dev, out, ctx);
	}
	if (!e) {
		const struct device_info *info = device_info(dev);

		genome_hash(g, &out->job.candidate);
		out->job.artefact = &out->artefact;
		out->job.look = 1;
		out->simulated = info->simulated;
		snprintf(out->device, sizeof(out->device), "%s", info->description);
		e = measure_run(dev, NULL, &out->job, 1, &m, NULL, NULL, o->progress,
			o->cancel, ctx);
		tell_upload(o->progress, dev);
		if (!e && out->job.verdict == VERDICT_OK && !m.phase)
			e = store_result(store, g, info, out, ctx);
	}
	if (dev)
		note(store, o, DEVICE_IDLE, &out->job.m);
	device_close(dev);
	store_close(store);
	if (e)
		single_result_release(out);
	return e;
}

void single_result_release(struct single_result *r)
{
	measurement_release(&r->job.m);
	free(r->tuned);
	r->tuned = NULL;
}
