#include "devices/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "devices/board_record.h"
#include "devices/flash.h"
#include "devices/result.h"
#include "devices/cpu_arch.h"
#include "devices/transport/host_command.h"

#define SILENCE_MS 2500 /* more than two BEATs */
#define MAX_SILENCES 3
#define MAX_KILLED 2 /* runs that someone ended there, before the image is blamed */
#define GRACE_MS 15000 /* for idle power, start and end of a run */
#define POWER_CYCLE_MS 60000
#define MAX_FLASH_WRITES 2
#define TICK_MS 100

const struct device_info *device_info(const struct device *d)
{
	return &d->info;
}

void device_set_cancel(struct device *d, volatile const int *cancel)
{
	d->cancel = cancel;
}

const struct device_profile *device_profile(const struct device *d)
{
	return &d->profile;
}

/* Opening */

/* The lines that tell what the device is; get_welcome has bounded their length. */
static void copy_lines(struct device_info *info, const struct wire_welcome *w)
{
	memcpy(info->description, w->description, sizeof(info->description));
	for (size_t i = 0; i < w->description_len; i++)
		if (info->description[i] != '\n' &&
			(info->description[i] < 32 || info->description[i] > 126))
			info->description[i] = '?';
	memcpy(info->agent, w->agent, sizeof(info->agent));
	memcpy(info->sensor_note, w->sensor_note, sizeof(info->sensor_note));
}

static enum err read_info(struct device *d, struct device_info *info, struct err_ctx *ctx)
{
	const struct wire_welcome *w = &d->link.welcome;
	char emulated[8];
	enum err e = ERR_OK;

	memset(info, 0, sizeof(*info));
	if (w->flags & WIRE_IS_BOARD)
		e = board_describe(info, w, ctx);
	else
		copy_lines(info, w);
	if (e)
		return e;
	if (d->profile.threads > 1) { /* the same machine, but another one to compare */
		size_t len = strlen(info->description);

		snprintf(info->description + len, sizeof(info->description) - len,
			"threads: %u\n", (unsigned)d->profile.threads);
	}
	memcpy(info->sensor, w->sensor, sizeof(info->sensor));
	identity_tell(&d->profile, info);
	hash_bytes(&info->fingerprint, info->description, strlen(info->description));
	info->protocol = w->version;
	info->simulated = (w->flags & WIRE_IS_SIMULATED) != 0;
	cpu_arch_line(info->description, "emulated", emulated, sizeof(emulated));
	info->emulated = emulated[0] != '\0';
	if (info->simulated &&
		(!strcmp(d->driver->name, "local") || !strcmp(d->driver->name, "ssh")))
		return err_set(ctx, ERR_LINK,
			"the agent calls itself simulated, which its profile does not");
	info->can_evaluate = (w->flags & WIRE_CAN_EVAL) != 0;
	info->host_judges = (w->flags & WIRE_HOST_JUDGES) != 0;
	info->max_frame_bytes = w->max_payload;
	info->clock_resolution_ns = w->clock_resolution_ns;
	return identity_check(&d->profile, info, ctx);
}

static enum err start(struct device *d, struct device_info *info, struct err_ctx *ctx)
{
	struct transport *t;
	enum err e;

	link_close(&d->link);
	e = d->driver->start(&d->profile, &t, ctx);
	if (e)
		return e;
	link_attach(&d->link, t);
	probe_begin(d);
	if (!strcmp(d->driver->name, "serial") && d->profile.baud) /* ten bits a byte */
		d->link.byte_ns = (uint32_t)(10000000000u / d->profile.baud);
	e = link_hello(&d->link, ctx);
	return e ? e : read_info(d, info, ctx);
}

/* What the caller hears: the device cannot be had, and why. */
static enum err unavailable(struct device *d, enum err e, struct err_ctx *ctx)
{
	if (e == ERR_NOMEM || e == ERR_INVALID || e == ERR_UNSUPPORTED ||
		e == ERR_CANCELLED)
		return e;
	return err_prefix(ctx, e == ERR_REFUSED ? e : ERR_DEVICE,
		"device '%s' is not available", d->profile.name);
}

enum err device_open_with(struct device **out, const struct device_profile *p,
	const struct device_driver *driver, struct err_ctx *ctx)
{
	struct device *d = calloc(1, sizeof(*d));
	enum err e;

	if (!d)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	d->profile = *p;
	d->driver = driver;
	link_init(&d->link);
	e = metered_open(d, ctx);
	e = e ? e : start(d, &d->info, ctx);
	if (e) {
		e = unavailable(d, e, ctx);
		device_close(d);
		return e;
	}
	*out = d;
	return ERR_OK;
}

enum err device_open(
	struct device **out, const struct device_profile *p, struct err_ctx *ctx)
{
	const struct device_driver *driver = device_driver_find(p->driver);

	if (!driver)
		return err_set(ctx, ERR_USAGE, "unknown driver '%s'", p->driver);
	return device_open_with(out, p, driver, ctx);
}

void device_close(struct device *d)
{
	if (!d)
		return;
	link_close(&d->link);
	instrument_close(d->meter);
	for (size_t i = 0; i < d->n_uploads; i++)
		free(d->uploads[i].path);
	free(d->uploads);
	free(d);
}

/* One rung: a new session on the same line, or a new agent. ERR_INVALID: it makes no sense
 * to try again. */
static enum err come_back(struct device *d, int same_line, struct err_ctx *ctx)
{
	struct device_info info;
	enum err e = metered_open(d, ctx);

	if (e)
		return e;
	if (same_line) {
		e = link_hello(&d->link, ctx);
		e = e ? e : read_info(d, &info, ctx);
	} else {
		e = start(d, &info, ctx);
	}
	if (e)
		return e;
	if (!hash_equal(&info.fingerprint, &d->info.fingerprint) ||
		info.simulated != d->info.simulated) {
		link_close(&d->link);
		return identity_changed(&d->info, &info, ctx);
	}
	d->info = info;
	return ERR_OK;
}

static int is_cancelled(const struct device *d)
{
	return d->cancel && *d->cancel;
}

static enum err pause(const struct device *d, int ms, struct err_ctx *ctx)
{
	static const struct timespec tick = {0, TICK_MS * 1000000L};

	for (; !is_cancelled(d); ms -= TICK_MS) {
		if (ms <= 0)
			return ERR_OK;
		nanosleep(&tick, NULL);
	}
	return err_set(ctx, ERR_CANCELLED, "interrupted");
}

static enum err climb(struct device *d, const int *pause_ms, size_t n, int same_line,
	struct err_ctx *ctx)
{
	enum err e = ERR_DEVICE;

	for (size_t i = 0; i < n && e && e != ERR_INVALID && e != ERR_CANCELLED; i++) {
		e = pause(d, pause_ms[i], ctx);
		e = e ? e : come_back(d, same_line && i == 0, ctx);
	}
	return e;
}

enum err device_recover(struct device *d, struct err_ctx *ctx)
{
	static const int again_ms[] = {0, 0, 200, 1000, 3000, 8000};
	static const int boot_ms[] = {1000, 2000, 4000, 8000, 15000, 30000};
	struct err_ctx why = {{0}};
	enum err e = climb(d, again_ms, sizeof(again_ms) / sizeof(again_ms[0]), 1, &why);

	if (e && e != ERR_INVALID && e != ERR_CANCELLED && d->profile.power_cycle[0]) {
		e = host_command(d->profile.power_cycle, POWER_CYCLE_MS, d->cancel, &why);
		if (!e)
			e = climb(d, boot_ms, sizeof(boot_ms) / sizeof(boot_ms[0]), 0,
				&why);
	}
	if (!e)
		return ERR_OK;
	err_set(ctx, e, "%s", why.msg);
	e = e == ERR_REFUSED ? ERR_DEVICE : e; /* it was there: it may be again */
	return e == ERR_INVALID
		       ? err_prefix(ctx, ERR_DEVICE, "device '%s'", d->profile.name)
		       : unavailable(d, e, ctx);
}

/* Runs */

static struct lost_run *find_lost(struct device *d, const struct run_request *rq)
{
	for (size_t i = 0; i < N_LOST && i < d->n_lost; i++)
		if (d->lost[i].process_index == rq->process_index &&
			hash_equal(&d->lost[i].image, &rq->image))
			return &d->lost[i];
	return NULL;
}

static void note_lost(struct device *d, const struct run_request *rq)
{
	struct lost_run *l = find_lost(d, rq);

	if (!l) {
		l = &d->lost[d->n_lost++ % N_LOST];
		l->image = rq->image;
		l->process_index = rq->process_index;
		l->attempt = 0;
	}
	l->attempt++;
}

static void put_request(
	struct device *d, const struct run_request *rq, const struct hash *input)
{
	const struct lost_run *lost = find_lost(d, rq);
	const struct wire_run m = {
		.image = rq->image.b,
		.input = input->b,
		.mode = rq->mode == RUN_TIME   ? MODE_TIME
			: rq->mode == RUN_EVAL ? MODE_EVAL
					       : MODE_GOLDEN,
		.phase = rq->phase != 0,
		.process_index = rq->process_index,
		.attempt = lost ? lost->attempt : 0,
		.n_warmup = rq->n_warmup,
		.n_samples = rq->n_samples,
		.min_sample_ns = rq->min_sample_ns,
		.n_tokens = rq->n_tokens,
		.timeout_ms = d->profile.timeout_ms,
		.memory_bytes = d->profile.memory_bytes,
	};

	put_run(link_begin(&d->link), &m);
}

/* The RUN's answer: BEATs tell that it goes on; silence is answered by asking again under
 * the same number, which never starts it twice. */
static enum err await_done(struct device *d, struct wire_done *done, struct err_ctx *ctx)
{
	struct link *l = &d->link;
	uint64_t until = l->t->ops->now_ms(l->t) + d->profile.timeout_ms + GRACE_MS;
	int silence_ms = SILENCE_MS + link_work_ms(l) / MAX_SILENCES, silences = 0;

	for (;;) {
		struct wire_header h;
		struct get g;
		enum err e;

		if (is_cancelled(d))
			return err_set(ctx, ERR_CANCELLED, "interrupted");
		if (l->t->ops->now_ms(l->t) >= until)
			return err_set(ctx, ERR_DEVICE, "the run does not end");
		e = link_next(l, silence_ms, &h, &g, ctx);
		if (e == ERR_TIMEOUT) {
			if (++silences == MAX_SILENCES)
				return err_set(ctx, ERR_LINK, "the agent fell silent");
			e = link_repost(l, WIRE_RUN, ctx);
			if (e)
				return e;
			continue;
		}
		if (e)
			return e;
		if (h.request != l->request)
			continue;
		silences = 0;
		if (h.type == WIRE_ERROR)
			return link_refused(l, ctx);
		if (h.type == WIRE_DONE && get_done(&g, done))
			return ERR_OK;
	}
}

static enum err run_once(struct device *d, const struct run_request *rq,
	const struct hash *input, struct answer *a, struct err_ctx *ctx)
{
	struct transport *t = d->link.t;
	uint64_t start_ms;
	enum err e;

	put_request(d, rq, input);
	start_ms = t ? t->ops->now_ms(t) : 0;
	e = link_post(&d->link, WIRE_RUN, ctx);
	e = e ? e : await_done(d, &a->done, ctx);
	if (!e)
		a->seen_ms = t->ops->now_ms(t) - start_ms;
	return e;
}

/* A device may have dropped the image for want of room, or with its memory. */
static enum err run_or_send(struct device *d, const struct run_request *rq,
	const struct hash *input, struct answer *a, struct err_ctx *ctx)
{
	enum err e = run_once(d, rq, input, a, ctx);
	const struct upload_note *note;

	if (e != ERR_INVALID || d->link.refusal.code != WIRE_E_NOT_FOUND)
		return e;
	note = upload_find(d, &rq->image);
	if (!note)
		return err_set(ctx, ERR_NOTFOUND, "the image was not uploaded to '%s'",
			d->profile.name);
	e = upload_image(d, note->path, &rq->image, ctx);
	if (!e && rq->mode == RUN_EVAL)
		e = upload_input(d, rq, input, ctx);
	return e ? e : run_once(d, rq, input, a, ctx);
}

/* Nothing runs with other weights in flash than its own. */
static enum err run_with_image(struct device *d, const struct run_request *rq,
	const struct hash *input, struct answer *a, struct err_ctx *ctx)
{
	enum err e = flash_prepare(d, &rq->image, ctx);

	for (int writes = 0; !e; writes++) {
		e = run_or_send(d, rq, input, a, ctx);
		if (e || !flash_is_stale(d, &rq->image, &a->done))
			return e;
		if (writes == MAX_FLASH_WRITES)
			return err_set(ctx, ERR_DEVICE,
				"its flash does not keep what is written there: after %d "
				"times the image does not find its weights",
				writes);
		e = flash_write(d, &rq->image, ctx);
	}
	return e;
}

enum err run_and_fetch(struct device *d, const struct run_request *rq,
	struct run_result *out, struct err_ctx *ctx)
{
	struct hash input = {{0}};
	struct answer a = {.rq = rq, .info = &d->info, .profile = &d->profile};
	struct buf blob;
	uint32_t run;
	enum err e = ERR_OK;

	if (rq->mode == RUN_EVAL) {
		if (!rq->input || rq->input_len == 0)
			return err_set(ctx, ERR_INVALID, "nothing to evaluate");
		hash_bytes(&input, rq->input, rq->input_len);
		e = upload_input(d, rq, &input, ctx);
	}
	for (int n = 0; !e && n <= MAX_KILLED; n++) {
		e = run_with_image(d, rq, &input, &a, ctx);
		if (a.done.outcome != OUTCOME_KILLED)
			break;
	}
	if (e)
		return e;
	run = d->link.request;
	buf_init(&blob);
	if (a.done.output_len > d->link.welcome.output_bytes)
		e = err_set(ctx, ERR_LINK, "the agent announces more than it can have");
	if (!e)
		e = link_fetch(
			&d->link, run, a.done.output_len, a.done.output_crc, &blob, ctx);
	a.blob = (const uint8_t *)buf_str(&blob);
	a.len = blob.len;
	if (!e)
		e = result_fill(out, &a, ctx);
	buf_release(&blob);
	return e;
}

static enum err check_request(
	const struct device *d, const struct run_request *rq, struct err_ctx *ctx)
{
	if (rq->mode == RUN_EVAL && !d->info.can_evaluate)
		return err_set(ctx, ERR_UNSUPPORTED, "device '%s' cannot evaluate inputs",
			d->profile.name);
	if (rq->mode == RUN_TIME && d->info.emulated && !d->info.instruction_ns)
		return err_set(ctx, ERR_UNSUPPORTED,
			"device '%s' is emulated: what an emulator takes says nothing, so "
			"it answers but is never timed",
			d->profile.name);
	if (rq->mode == RUN_TIME && rq->n_samples == 0)
		return err_set(ctx, ERR_INVALID, "no samples were asked for");
	return ERR_OK;
}

static int is_loss(const struct device *d, enum err e)
{
	return e == ERR_LINK || e == ERR_DEVICE || e == ERR_TIMEOUT || e == ERR_FULL ||
	       (e == ERR_INVALID && d->link.refusal.code != WIRE_E_REQUEST &&
		       d->link.refusal.code != 0);
}

enum err device_run(struct device *d, const struct run_request *rq,
	struct run_result *out, struct err_ctx *ctx)
{
	struct err_ctx own = {{0}};
	struct run_result r;
	enum err e = check_request(d, rq, ctx);

	if (e)
		return e;
	memset(&r, 0, sizeof(r));
	memset(&d->link.refusal, 0, sizeof(d->link.refusal));
	e = metered_run(d, rq, &r, &own);
	if (e && !is_loss(d, e)) {
		run_result_release(&r);
		return err_set(ctx, e, "%s", own.msg);
	}
	if (e) {
		run_result_release(&r);
		r.verdict = e == ERR_LINK || e == ERR_TIMEOUT ? VERDICT_LINK_LOST
							      : VERDICT_DEVICE_LOST;
		snprintf(r.detail, sizeof(r.detail), "%.255s", own.msg);
	}
	if (!verdict_blames_candidate(r.verdict) && r.verdict != VERDICT_OK)
		note_lost(d, rq);
	*out = r;
	return ERR_OK;
}
