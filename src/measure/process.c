#include "src/measure/process.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int is_lost(enum verdict v)
{
	return v == VERDICT_DEVICE_LOST || v == VERDICT_LINK_LOST;
}

/* Faults of device or link that recovery may cure; its storage may be full for a while. */
static int is_link_fault(enum err e)
{
	return e == ERR_DEVICE || e == ERR_LINK || e == ERR_TIMEOUT || e == ERR_FULL;
}

/* A device that claims success without sound samples talks nonsense: a lost link. */
static void check_samples(struct run_result *r)
{
	const struct process_run *p = &r->run;
	int sound = p->instructions > 0 || (p->n > 0 && p->wall_ns && p->cpu_ns);

	for (uint32_t i = 0; sound && i < p->n; i++)
		sound = isfinite(p->wall_ns[i]) && p->wall_ns[i] > 0 &&
			isfinite(p->cpu_ns[i]) && p->cpu_ns[i] >= 0;
	for (uint32_t i = 0; sound && i < p->steps.n; i++)
		sound = isfinite(p->steps.wall_ns[i]) && p->steps.wall_ns[i] > 0 &&
			isfinite(p->steps.cpu_ns[i]) && p->steps.cpu_ns[i] >= 0;
	if (!sound) {
		r->verdict = VERDICT_LINK_LOST;
		snprintf(r->detail, sizeof(r->detail),
			"the device answered without sound samples");
	}
}

/* One attempt: upload and run. ERR_OK with a verdict, or a code of this host. *full: the
 * device had no room for the image. */
static enum err attempt(const struct measure_session *s, const struct artefact *a,
	const struct run_request *rq, struct run_result *r, int *full,
	struct err_ctx *ctx)
{
	struct err_ctx fault = {{0}};
	enum err e = s->ops->upload(s->device, a->path, &a->image, &fault);

	if (!e)
		e = s->ops->run(s->device, rq, r, &fault);
	*full = e == ERR_FULL;
	if (!e && r->verdict == VERDICT_OK && rq->mode == RUN_TIME)
		check_samples(r);
	if (!e)
		return ERR_OK;
	if (!is_link_fault(e))
		return err_set(ctx, e, "%s", fault.msg);
	r->verdict = e == ERR_DEVICE || e == ERR_FULL ? VERDICT_DEVICE_LOST
						      : VERDICT_LINK_LOST;
	snprintf(r->detail, sizeof(r->detail), "%.*s", (int)sizeof(r->detail) - 1,
		fault.msg);
	return ERR_OK;
}

/* Frees what a result carries, keeps what it says. */
static void drop_payload(const struct measure_session *s, struct run_result *r)
{
	struct run_result said = *r;

	s->ops->release(r);
	memset(r, 0, sizeof(*r));
	r->verdict = said.verdict;
	memcpy(r->detail, said.detail, sizeof(r->detail));
}

/* Room for the reference but not for a build blames nobody; no room for either is a
 * device that cannot be used, and the build waits for it. */
static enum err check_room(const struct measure_session *s, const struct artefact *a,
	const struct run_result *r, struct err_ctx *ctx)
{
	const struct artefact *ref = s->reference;

	if (!ref || ref == a ||
		s->ops->upload(s->device, ref->path, &ref->image, NULL) != ERR_FULL)
		return ERR_OK;
	return err_set(ctx, ERR_DEVICE, "device '%s': %s",
		s->ops->profile(s->device)->name, r->detail);
}

static enum err interrupted(struct err_ctx *ctx)
{
	return err_set(ctx, ERR_CANCELLED, "measuring was interrupted");
}

enum err measure_process(const struct measure_session *s, const struct artefact *a,
	enum run_mode mode, uint32_t index, struct run_result *r, struct err_ctx *ctx)
{
	const struct measure_options *o = s->options;
	const struct run_request rq = {
		.mode = mode,
		.image = a->image,
		.process_index = index,
		.n_warmup = o->n_warmup,
		.n_samples = o->n_samples,
		.min_sample_ns = o->min_sample_ns,
		.n_tokens = o->n_tokens,
		.phase = o->phase,
		.metered = mode == RUN_TIME && a != s->reference && !o->unmetered &&
			   !o->phase && index % LOOK_STRIDE < o->min_processes,
	};

	for (int tries = 0;; tries++) {
		enum err e;
		int full;

		if (s->cancel && *s->cancel)
			return interrupted(ctx);
		memset(r, 0, sizeof(*r));
		e = attempt(s, a, &rq, r, &full, ctx);
		if (!e && !is_lost(r->verdict))
			return ERR_OK;
		drop_payload(s, r);
		if (!e)
			e = s->ops->recover(s->device, ctx);
		if (!e && tries == o->retries && full)
			e = check_room(s, a, r, ctx);
		if (e == ERR_CANCELLED)
			return interrupted(ctx);
		if (e || tries == o->retries)
			return e;
	}
}
