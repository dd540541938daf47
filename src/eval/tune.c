#include "src/eval/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "devices/cpu_arch.h"
#include "devices/proto/record.h"
#include "src/base/rng.h"

#define CONFIDENCE 0.985 /* nominal, as in src/measure */
#define MIN_GAIN 0.01
#define MAX_PROCESSES 64
#define RETRIES 3

void tune_options_default(struct tune_options *o)
{
	*o = (struct tune_options){
		.n_processes = 9,
		.n_samples = 15,
		.min_sample_ns = 30000,
		.budget_ns = TUNE_BUDGET_NS,
		.seed = 1,
	};
}

/* ---- the verdict */

static double ratio_median(const double *ns, uint32_t n_schedules, uint32_t n_processes,
	uint32_t i, double *ratio)
{
	for (uint32_t p = 0; p < n_processes; p++)
		ratio[p] = ns[p * n_schedules + i] / ns[p * n_schedules];
	return stats_median(ratio, n_processes);
}

void tune_judge(
	struct store_wisdom *w, const double *ns, uint32_t n_processes, uint64_t seed)
{
	double one[MAX_PROCESSES];
	struct rng root, rng;

	rng_init(&root, seed);
	w->n_processes = n_processes;
	w->schedule = 0;
	w->ratio = w->ratio_ci.lo = w->ratio_ci.hi = 1;
	for (uint32_t i = 0; i < w->n_schedules; i++) {
		struct interval ci;
		double r;

		for (uint32_t p = 0; p < n_processes; p++)
			one[p] = ns[p * w->n_schedules + i];
		w->ns[i] = stats_median(one, n_processes);
		if (i == 0)
			continue;
		r = ratio_median(ns, w->n_schedules, n_processes, i, one);
		rng_split(&root, "tune schedule", i, &rng);
		ci = stats_median_interval(one, n_processes, CONFIDENCE, &rng);
		if (ci.hi >= 1 - MIN_GAIN || r >= w->ratio)
			continue;
		w->schedule = (uint8_t)i;
		w->ratio = r;
		w->ratio_ci = ci;
	}
}

/* ---- asking the device */

static void put_input(const struct tune_options *o, const struct store_wisdom *rows,
	size_t n, uint32_t process, struct put *p)
{
	put_u32(p, TUNE_IN_MAGIC);
	put_u32(p, (uint32_t)n);
	put_u32(p, o->n_samples);
	put_u32(p, o->min_sample_ns);
	put_u32(p, (uint32_t)o->seed + process);
	put_u64(p, o->budget_ns / (o->n_processes * n));
	for (size_t i = 0; i < n; i++) {
		put_u8(p, rows[i].shape.bits);
		put_u8(p, rows[i].n_schedules);
		put_u32(p, rows[i].shape.n);
		put_u32(p, rows[i].shape.in);
		put_u32(p, rows[i].shape.out);
	}
}

/* A device that answers nonsense is a lost link, as everywhere. */
enum err tune_read(const uint8_t *answer, size_t len, const struct store_wisdom *rows,
	size_t n, double *out, struct err_ctx *ctx)
{
	struct get g;
	int sound;

	get_init(&g, answer, len);
	sound = get_u32(&g) == TUNE_OUT_MAGIC;
	sound = get_u32(&g) == n && sound;
	for (size_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < rows[i].n_schedules; k++) {
			*out = (double)get_f32(&g);
			sound = sound && isfinite(*out) && *out > 0;
			out++;
		}
	return sound && get_end(&g)
		       ? ERR_OK
		       : err_set(ctx, ERR_LINK, "the tuner's answer makes no sense");
}

static enum err one_process(struct device *d, const struct artefact *tuner,
	struct run_request *rq, const struct tune_options *o,
	const struct store_wisdom *rows, size_t n, double *out, struct err_ctx *ctx)
{
	for (int tries = 0;; tries++) {
		struct run_result r;
		enum err e;

		if (o->cancel && *o->cancel)
			return err_set(ctx, ERR_CANCELLED, "tuning was interrupted");
		e = device_upload(d, tuner->path, &tuner->image, ctx);
		e = e ? e : device_run(d, rq, &r, ctx);
		if (e)
			return e;
		if (r.verdict == VERDICT_OK)
			e = tune_read(r.output, r.output_len, rows, n, out, ctx);
		else
			e = err_set(ctx, ERR_DEVICE, "the tuner failed on '%s': %s (%s)",
				device_profile(d)->name, verdict_names[r.verdict],
				r.detail);
		run_result_release(&r);
		if (!e || tries == RETRIES ||
			(r.verdict != VERDICT_OK && verdict_blames_candidate(r.verdict)))
			return e;
		e = device_recover(d, ctx);
		if (e)
			return e;
	}
}

/* times: [process][all schedules of all shapes] */
static enum err all_processes(struct device *d, const struct artefact *tuner,
	const struct tune_options *o, const struct store_wisdom *rows, size_t n,
	size_t n_times, double *times, struct err_ctx *ctx)
{
	size_t cap = TUNE_IN_HEAD + n * TUNE_SHAPE_BYTES;
	uint8_t *input = malloc(cap);
	enum err e = ERR_OK;

	if (!input)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (uint32_t i = 0; i < o->n_processes && !e; i++) {
		struct run_request rq = {.mode = RUN_EVAL,
			.image = tuner->image,
			.process_index = i,
			.input = input};
		struct put p;

		put_init(&p, input, cap);
		put_input(o, rows, n, i, &p);
		rq.input_len = p.len;
		e = one_process(d, tuner, &rq, o, rows, n, times + i * n_times, ctx);
		if (!e)
			progress_update(o->progress, i + 1, "%zu shapes", n);
	}
	free(input);
	return e;
}

static void judge_all(const struct tune_options *o, struct store_wisdom *rows, size_t n,
	size_t n_times, const double *times)
{
	double one[MAX_PROCESSES * PRODUCT_MAX_SCHEDULES];
	size_t at = 0;

	for (size_t i = 0; i < n; at += rows[i++].n_schedules) {
		uint32_t k = rows[i].n_schedules;

		for (uint32_t p = 0; p < o->n_processes; p++)
			memcpy(one + p * k, times + p * n_times + at, k * sizeof(*one));
		tune_judge(&rows[i], one, o->n_processes, o->seed);
	}
}

enum err tune_check(const struct device *d, struct err_ctx *ctx)
{
	const struct device_info *info = device_info(d);
	char window[32];

	cpu_arch_line(info->description, "window", window, sizeof(window));
	if (!info->emulated && !window[0])
		return ERR_OK;
	return err_set(ctx, ERR_UNSUPPORTED, "device '%s' cannot tune: %s",
		device_profile(d)->name,
		info->emulated ? "it is emulated and never timed"
			       : "there is no tuner for boards without an operating system");
}

enum err tune_run(struct device *d, const struct artefact *tuner,
	const struct tune_options *o, struct store_wisdom *rows, size_t n,
	struct err_ctx *ctx)
{
	size_t n_times = 0;
	double *times;
	enum err e;

	if (!n)
		return ERR_OK;
	if ((e = tune_check(d, ctx)))
		return e;
	if (n > TUNE_MAX_SHAPES || o->n_processes < 1 || o->n_processes > MAX_PROCESSES)
		return err_set(ctx, ERR_INVALID, "tune: %zu shapes, %u processes", n,
			(unsigned)o->n_processes);
	for (size_t i = 0; i < n; i++) {
		rows[i].device = device_info(d)->fingerprint;
		rows[i].tuner = tuner->build;
		n_times += rows[i].n_schedules;
	}
	times = calloc(n_times * o->n_processes, sizeof(*times));
	if (!times)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	progress_begin(o->progress, "tune", o->n_processes);
	e = all_processes(d, tuner, o, rows, n, n_times, times, ctx);
	progress_end(o->progress, e ? "failed" : "done");
	if (!e)
		judge_all(o, rows, n, n_times, times);
	free(times);
	return e;
}
