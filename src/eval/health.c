/* Is a device sound, in what state is it, and what becomes of a job while it is not. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/base/clock.h"
#include "src/eval/expected.h"
#include "src/eval/parallel.h"
#include "src/eval/session.h"

#define CHECK_PROCESSES 3
#define CHECK_SAMPLES 20
#define CHECK_TRIES 2 /* a neighbour may have been loud during the first */
#define LONGEST_PAUSE_S 60
#define MAX_FUTILE 3 /* a device that fails as soon as it is back is not sound */

void session_note_device(
	struct session *s, size_t device, enum device_state state, const char *reason)
{
	struct store_device_state *n = &s->device[device].state;

	n->state = state;
	snprintf(n->reason, sizeof(n->reason), "%.255s", reason);
	if (state == DEVICE_LEASED)
		n->seen_s = clock_unix_s();
	/* For people only: a job does not end because of it. */
	store_put_device_state(s->store, n, NULL);
}

static void note_locked(
	struct session *s, size_t device, enum device_state state, const char *reason)
{
	pthread_mutex_lock(&s->lock);
	session_note_device(s, device, state, reason);
	pthread_mutex_unlock(&s->lock);
}

/* ---- health */

/* The reference build's latency now; ERR_DEVICE when it does not answer as it has to. */
static enum err time_reference(
	struct session *s, size_t device, double *latency_ns, struct err_ctx *ctx)
{
	struct session_device *d = &s->device[device];
	struct measure_options o = s->job.measure;
	struct measure_job job = {.artefact = &d->reference};
	enum err e;

	o.min_processes = o.max_processes = CHECK_PROCESSES;
	o.n_samples = CHECK_SAMPLES;
	o.unmetered = 1;
	e = measure_run(d->dev, NULL, &job, 1, &o, NULL, NULL, NULL, s->cancel, ctx);
	if (!e && job.verdict != VERDICT_OK)
		e = err_set(ctx, ERR_DEVICE, "device '%s': the reference build: %s: %s",
			d->name, verdict_names[job.verdict], job.detail);
	*latency_ns = e ? NAN : job.m.latency_ns;
	measurement_release(&job.m);
	return e;
}

/* Judges the reference build's latency by what is known of it, and learns it. */
static enum err judge(struct session *s, size_t device, double now, int *sound,
	double *expected, struct err_ctx *ctx)
{
	struct session_device *d = &s->device[device];
	const struct hash *fingerprint = &device_info(d->dev)->fingerprint;
	double factor = device_profile(d->dev)->health_factor;
	struct expected e = {{0}, 0};
	enum err rc = store_get_health(
		s->store, fingerprint, &d->reference.build, e.ns, &e.n, ctx);

	if (rc)
		return rc;
	*expected = expected_latency(&e);
	*sound = expected_take(&e, now, factor);
	return *sound ? store_put_health(s->store, fingerprint, &d->reference.build, e.ns,
				e.n, ctx)
		      : ERR_OK;
}

enum err session_check_health(struct session *s, size_t device, struct err_ctx *ctx)
{
	struct session_device *d = &s->device[device];
	double now = NAN, expected = NAN;
	int sound = 0;
	enum err e = ERR_OK;

	for (int i = 0; i < CHECK_TRIES && !sound; i++) {
		if ((e = time_reference(s, device, &now, ctx)) ||
			device_info(d->dev)->instruction_ns) /* no time to judge */
			return e;
		pthread_mutex_lock(&s->lock);
		e = judge(s, device, now, &sound, &expected, ctx);
		pthread_mutex_unlock(&s->lock);
		if (e)
			return e;
	}
	return sound ? ERR_OK
		     : err_set(ctx, ERR_DEVICE,
			       "device '%s' is slower than it was: the reference build "
			       "takes %.4g us instead of %.4g, and more than %g times as "
			       "much is not believed ('health_factor' in its profile)",
			       d->name, now / 1000, expected / 1000,
			       device_profile(d->dev)->health_factor);
}

/* ---- quarantine */

static int is_lost(enum err e)
{
	return e == ERR_DEVICE || e == ERR_LINK || e == ERR_TIMEOUT;
}

static int is_cancelled(const struct session *s)
{
	return (s->cancel && *s->cancel) || atomic_load(&s->gave_up) ||
	       store_stop_requested(s->database, s->job.name);
}

/* Sleeps, unless the job is to end; returns the seconds that passed. */
static double pause(const struct session *s, double seconds)
{
	const struct timespec tick = {0, 100000000};
	uint64_t begin = clock_mono_ns();
	double passed = 0;

	while (passed < seconds && !is_cancelled(s)) {
		nanosleep(&tick, NULL);
		passed = (double)(clock_mono_ns() - begin) / 1e9;
	}
	return passed;
}

static void quarantine(struct session *s, size_t device, const char *kind,
	const char *reason, const char *told)
{
	pthread_mutex_lock(&s->lock);
	session_note_device(s, device, DEVICE_QUARANTINED, reason);
	store_put_event(s->store, s->job_id, kind, told, NULL);
	pthread_mutex_unlock(&s->lock);
	progress_say(s->progress, "%s", told);
}

/* One try to have the device back, or to have it at all. */
static enum err try_again(
	struct session *s, size_t device, int is_first, struct err_ctx *why)
{
	struct session_device *d = &s->device[device];
	enum err e = is_first ? device_open(&d->dev, &d->profile, why)
			      : device_recover(d->dev, why);

	return e || is_first ? e : session_check_health(s, device, why);
}

/* With growing pauses. The first time it ends early with what is no loss: waiting does not
 * mend it. */
static enum err keep_trying(struct session *s, size_t device, int is_first,
	const char *reason, struct err_ctx *why)
{
	double left = s->job.device_wait_s, next = 1;

	while (left > 0 && !is_cancelled(s)) {
		uint64_t begin;
		enum err e;

		left -= pause(s, next < left ? next : left);
		begin = clock_mono_ns();
		note_locked(s, device, DEVICE_RECOVERING, reason);
		e = try_again(s, device, is_first, why);
		if (!e || (is_first && !is_lost(e)))
			return e;
		note_locked(s, device, DEVICE_QUARANTINED, why->msg);
		left -= (double)(clock_mono_ns() - begin) / 1e9;
		next = next < LONGEST_PAUSE_S / 2. ? 2 * next : LONGEST_PAUSE_S;
	}
	if (is_cancelled(s))
		return err_set(why, ERR_CANCELLED, "cancelled");
	return err_set(why, ERR_DEVICE,
		"%.700s; what the devices did is kept, and the same command goes on when "
		"it is back",
		reason);
}

enum err session_await_device(struct session *s, size_t device, struct err_ctx *why)
{
	struct session_device *d = &s->device[device];
	char reason[sizeof(why->msg)], told[sizeof(why->msg) + 32];
	enum err e;

	snprintf(reason, sizeof(reason), "%s", why->msg);
	snprintf(told, sizeof(told), "quarantined: %s", reason);
	quarantine(s, device, "quarantine", reason, told);
	e = keep_trying(s, device, 0, reason, why);
	if (e)
		return e;
	d->state.n_recoveries++;
	note_locked(s, device, DEVICE_LEASED, "");
	progress_say(s->progress, "device '%s' is back", d->name);
	return ERR_OK;
}

int session_may_repeat(struct session *s, size_t device, size_t n_done,
	struct device_patience *p, enum err *e, struct err_ctx *why)
{
	if (!is_lost(*e))
		return 0;
	p->n_futile = n_done > p->n_done ? 1 : p->n_futile + 1;
	p->n_done = n_done;
	*e = p->n_futile > MAX_FUTILE ? ERR_DEVICE : session_await_device(s, device, why);
	return *e == ERR_OK;
}

/* ---- the beginning of a job */

/* The smallest network of the space, with random weights: the same program in every
 * session of this device. */
static enum err build_reference(struct session *s, size_t device, struct err_ctx *ctx)
{
	struct genome g;
	struct layout *l = malloc(sizeof(*l));
	struct build_weights w = {NULL, {{0}}};
	enum err e;

	space_smallest(s->space, &g);
	if (!l)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	layout_init(l, &g, &s->task);
	w.flat = malloc(l->n_floats * sizeof(*w.flat));
	if (!w.flat) {
		free(l);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	weights_init(l, 1, w.flat);
	hash_bytes(&w.hash, w.flat, l->n_floats * sizeof(*w.flat));
	e = session_build(s, device, &g, &w, &s->device[device].reference, ctx);
	free(w.flat);
	free(l);
	return e ? err_prefix(ctx, e, "reference build for device '%s'",
			   s->device[device].name)
		 : ERR_OK;
}

/* A device that cannot be had yet is waited for as one that is lost later. */
static enum err open_device(struct session *s, size_t device, struct err_ctx *ctx)
{
	struct session_device *d = &s->device[device];
	const struct device_profile *p = &d->profile;
	char reason[sizeof(ctx->msg)], told[2 * sizeof(ctx->msg)];
	struct err_ctx why = {""};
	enum err e = device_open(&d->dev, p, &why);

	if (is_lost(e) && s->job.device_wait_s > 0) {
		snprintf(reason, sizeof(reason), "%s", why.msg);
		snprintf(told, sizeof(told),
			"waiting up to %g s for device '%s' (%s): %s; Ctrl-C or 'hawser "
			"stop %s' ends the wait",
			s->job.device_wait_s, d->name, p->uri[0] ? p->uri : p->driver,
			reason, s->job.name);
		quarantine(s, device, "wait", reason, told);
		e = keep_trying(s, device, 1, reason, &why);
		if (!e)
			progress_say(s->progress, "device '%s' is there", d->name);
	}
	if (e)
		return err_set(ctx, e, "%s", why.msg);
	device_set_cancel(d->dev, s->cancel);
	return ERR_OK;
}

/* An emulator counts instructions, everything else takes time: what to ask the one for
 * instead of what the other has. */
static const struct {
	const char *time, *count;
} pairs[] = {
	{"latency_us", "instructions"},
	{"wall_p99_us", "instructions"},
	{"step_us", "step_instructions"},
};

/* NULL: it has this one. */
static const char *other_metric(const char *name, int counts)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (!strcmp(name, counts ? pairs[i].time : pairs[i].count))
			return counts ? pairs[i].count : pairs[i].time;
	return NULL;
}

static int is_on(const struct tracked *t, size_t device)
{
	for (size_t m = 0; m < t->group.n; m++)
		if ((size_t)t->member[m] == device)
			return 1;
	return 0;
}

static enum err check_device_metrics(
	const struct session *s, size_t device, struct err_ctx *ctx)
{
	const struct device_info *info = device_info(s->device[device].dev);
	const int counts = info->instruction_ns != 0;

	for (size_t k = 0; k < s->n_tracked; k++) {
		const struct tracked *t = &s->tracked[k];
		const char *name = t->o.metric->name, *other = other_metric(name, counts);

		if (!is_on(t, device))
			continue;
		if (!strcmp(name, "energy_uj") && !info->sensor[0])
			return err_set(ctx, ERR_USAGE,
				"'%s': device '%s' has no energy sensor%s%s", name,
				s->device[device].name, info->sensor_note[0] ? ": " : "",
				info->sensor_note);
		if (other)
			return err_set(ctx, ERR_USAGE,
				"'%s': device '%s' %s: use %s@DEVICE", name,
				s->device[device].name,
				counts ? "is emulated and counts instructions"
				       : "does not count instructions",
				other);
	}
	return ERR_OK;
}

static enum err load_profile(struct session *s, size_t device, struct err_ctx *ctx)
{
	struct session_device *d = &s->device[device];

	device_profile_full_name(d->name, d->state.name, sizeof(d->state.name));
	snprintf(d->state.job, sizeof(d->state.job), "%s", s->job.name);
	d->state.temp_mc = INT32_MIN;
	return device_profile_load(&d->profile, d->name, ctx);
}

/* A fault that waiting does not mend ends the wait for the others, too; theirs is then no
 * fault of its own. */
static enum err open_item(void *self, size_t device, struct err_ctx *ctx)
{
	struct session *s = self;
	enum err e = open_device(s, device, ctx);

	if (e == ERR_CANCELLED && atomic_load(&s->gave_up))
		return ERR_OK;
	if (!e) {
		note_locked(s, device, DEVICE_LEASED, "");
		e = check_device_metrics(s, device, ctx);
	}
	if (e && !is_lost(e))
		atomic_store(&s->gave_up, 1);
	return e;
}

static enum err store_device(struct session *s, size_t device, struct err_ctx *ctx)
{
	const struct device_info *info = device_info(s->device[device].dev);

	return store_put_device(s->store, &info->fingerprint, s->device[device].name,
		info->description, info->simulated, ctx);
}

static enum err build_item(void *self, size_t device, struct err_ctx *ctx)
{
	return build_reference(self, device, ctx);
}

static enum err check_item(void *self, size_t device, struct err_ctx *ctx)
{
	enum err e = session_check_health(self, device, ctx);

	return e == ERR_DEVICE ? session_await_device(self, device, ctx) : e;
}

/* Two of which each measurement would be one and the same. */
static enum err check_distinct(const struct session *s, struct err_ctx *ctx)
{
	for (size_t i = 0; i < s->n_devices; i++)
		for (size_t k = 0; k < i; k++) {
			const struct session_device *a = &s->device[k], *b = &s->device[i];

			if (hash_equal(&device_info(a->dev)->fingerprint,
				    &device_info(b->dev)->fingerprint) &&
				hash_equal(&a->reference.build, &b->reference.build))
				return err_set(ctx, ERR_USAGE,
					"devices '%s' and '%s' are the same machine by all "
					"that they tell, with the same compiler and flags: "
					"name one of them in the objectives",
					a->name, b->name);
		}
	return ERR_OK;
}

/* No compiler runs beside a health check, which may be of this machine. */
enum err session_open_devices(struct session *s, struct err_ctx *ctx)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < s->n_devices && !e; i++)
		e = load_profile(s, i, ctx);
	e = e ? e : parallel_all(s->n_devices, open_item, s, ctx);
	for (size_t i = 0; i < s->n_devices && !e; i++)
		e = store_device(s, i, ctx);
	e = e ? e
	      : parallel_for(s->n_devices, parallel_processors(), build_item, s, ctx);
	e = e ? e : check_distinct(s, ctx);
	return e ? e : parallel_all(s->n_devices, check_item, s, ctx);
}
