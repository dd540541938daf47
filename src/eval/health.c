/* Is a device sound, in what state is it, and what becomes of a job while it is not. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "src/base/clock.h"
#include "src/eval/session.h"

#define CHECK_PROCESSES 3
#define CHECK_SAMPLES 20
#define CHECK_TRIES 2 /* a neighbour may have been loud during the first */
#define LONGEST_PAUSE_S 60

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
	e = measure_run(
		d->dev, NULL, &job, 1, &o, NULL, NULL, NULL, s->cancel, ctx);
	if (!e && job.verdict != VERDICT_OK)
		e = err_set(ctx, ERR_DEVICE, "device '%s': the reference build: %s: %s",
			d->name, verdict_names[job.verdict], job.detail);
	*latency_ns = e ? NAN : job.m.latency_ns;
	measurement_release(&job.m);
	return e;
}

enum err session_check_health(struct session *s, size_t device, struct err_ctx *ctx)
{
	struct session_device *d = &s->device[device];
	double factor = device_profile(d->dev)->health_factor, now = NAN, first = NAN;
	enum err e = ERR_OK;

	for (int i = 0; i < CHECK_TRIES; i++) {
		if ((e = time_reference(s, device, &now, ctx)) ||
			device_info(d->dev)->instruction_ns) /* no time to judge */
			return e;
		pthread_mutex_lock(&s->lock);
		e = store_first_latency(s->store, &device_info(d->dev)->fingerprint,
			&d->reference.build, now, &first, ctx);
		pthread_mutex_unlock(&s->lock);
		if (e || factor == 0 || (now <= first * factor && now * factor >= first))
			return e;
	}
	return err_set(ctx, ERR_DEVICE,
		"device '%s' is not what it was: the reference build takes %.4g us, the "
		"first time it took %.4g; more than %g times as much or as little is not "
		"believed ('health_factor' in its profile)",
		d->name, now / 1000, first / 1000, factor);
}

/* ---- quarantine */

static int is_cancelled(const struct session *s)
{
	return (s->cancel && *s->cancel) ||
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

static void quarantine(struct session *s, size_t device, const char *reason)
{
	pthread_mutex_lock(&s->lock);
	session_note_device(s, device, DEVICE_QUARANTINED, reason);
	store_put_event(s->store, s->job_id, "quarantine", reason, NULL);
	pthread_mutex_unlock(&s->lock);
	progress_say(s->progress, "quarantined: %s", reason);
}

enum err session_await_device(struct session *s, size_t device, struct err_ctx *why)
{
	struct session_device *d = &s->device[device];
	double left = s->job.device_wait_s, next = 1;
	char reason[sizeof(why->msg)];

	snprintf(reason, sizeof(reason), "%s", why->msg);
	quarantine(s, device, reason);
	while (left > 0 && !is_cancelled(s)) {
		uint64_t begin;

		left -= pause(s, next < left ? next : left);
		begin = clock_mono_ns();
		note_locked(s, device, DEVICE_RECOVERING, reason);
		if (!device_recover(d->dev, why) &&
			!session_check_health(s, device, why)) {
			d->state.n_recoveries++;
			note_locked(s, device, DEVICE_LEASED, "");
			progress_say(s->progress, "device '%s' is back", d->name);
			return ERR_OK;
		}
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
