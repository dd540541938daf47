/* Which schedules are the fastest for a job's candidates: what is known, and what its devices
 * find out. */
#include <string.h>

#include "src/codegen/codegen.h"
#include "src/eval/at_once.h"
#include "src/eval/parallel.h"

/* Some networks, for all devices. */
struct tuning {
	struct session *s;
	const struct genome *g;
	size_t n;
	struct tune_options o;
	struct at_once all;
};

/* A device that nothing is compiled for, or that cannot, has nothing to tune. */
static int wants_tuning(const struct session *s, size_t device)
{
	const struct device *dev = s->device[device].dev;

	return s->job.tune && strcmp(device_profile(dev)->cc, "none") &&
	       !tune_check(dev, NULL);
}

/* What cannot be built has nothing to tune either: its build says why. */
static enum err unless_unbuildable(enum err e)
{
	return e == ERR_INVALID || e == ERR_UNSUPPORTED ? ERR_OK : e;
}

static enum err tuning_input(struct session *s, const struct genome *g,
	struct codegen_input *in, struct err_ctx *ctx)
{
	memset(in, 0, sizeof(*in));
	in->genome = g;
	in->task = s->task;
	return session_timed_tokens(s, g, &in->timed_tokens, ctx);
}

/* All compilers end before a device is timed: it may be this machine. */
static enum err open_wisdom(void *self, size_t device, struct err_ctx *ctx)
{
	struct tuning *t = self;
	int tune = wants_tuning(t->s, device);
	enum err e = ERR_OK;

	for (size_t i = 0; i < t->n && !e; i++)
		e = unless_unbuildable(wisdom_open(
			&t->s->device[device].wisdom, &t->g[i], tune, ctx));
	return e;
}

/* n_all of a device: all networks, if anything of them is not known there. */
static enum err count_untuned(struct tuning *t, size_t device, struct err_ctx *ctx)
{
	size_t missing = 0;
	enum err e = ERR_OK;

	for (size_t i = 0; i < t->n && !missing && !e; i++) {
		struct codegen_input in;

		e = tuning_input(t->s, &t->g[i], &in, ctx);
		e = e ? e
		      : wisdom_missing(
				&t->s->device[device].wisdom, &in, &missing, ctx);
		e = unless_unbuildable(e);
	}
	t->all.n_all[device] = missing ? t->n : 0;
	return e;
}

static enum err tune_device(void *self, size_t device, struct err_ctx *ctx)
{
	struct tuning *t = self;
	struct tune_options o = t->o;
	enum err e = ERR_OK;

	o.progress = at_once_progress(&t->all);
	while (t->all.n_done[device] < t->n && !e) {
		struct codegen_input in;
		size_t n_timed;

		e = tuning_input(t->s, &t->g[t->all.n_done[device]], &in, ctx);
		e = e ? e
		      : wisdom_tune(&t->s->device[device].wisdom, &in, &o, &n_timed, ctx);
		e = unless_unbuildable(e);
		if (!e)
			at_once_did(&t->all, device);
	}
	return e;
}

enum err session_tune(
	struct session *s, const struct genome *g, size_t n, struct err_ctx *ctx)
{
	struct tuning t = {.s = s, .g = g, .n = n};
	enum err e;

	t.all = (struct at_once){.s = s,
		.task = "tune",
		.what = "networks done",
		.step = tune_device,
		.self = &t,
		.lone_shows = 1};
	tune_options_default(&t.o);
	t.o.cancel = s->cancel;
	e = parallel_for(s->n_devices, parallel_processors(), open_wisdom, &t, ctx);
	for (size_t d = 0; d < s->n_devices && !e; d++)
		if (wants_tuning(s, d))
			e = count_untuned(&t, d, ctx);
	return e ? e : at_once_run(&t.all, ctx);
}
