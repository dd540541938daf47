#include "devices/instrument/instrument.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "devices/instrument/kind.h"
#include "src/base/clock.h"

#define CHUNK 16384
#define READ_MS 100
#define SILENCE_MS 1000 /* an instrument that records is never so long without a sample */
#define PLAYED_MS 1000	/* a recording that stops for so long is over */
#define MAX_PLAY_S 120	/* of a recording */
#define LAG_S 0.2	/* samples that were taken before a run's end may come so late */
#define SLOWEST 2	/* samples may come at this part of their rate, */
#define PATIENCE_MS 3000 /* and that much later */
#define RATE_OFF 1e-3	 /* between the rate that was set and that of the samples */

static const struct instrument_kind *const kinds[] = {&kind_lpm01a, &kind_ppk2};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *instrument_kind_at(size_t i)
{
	return i < N_KINDS ? kinds[i]->name : NULL;
}

static const struct instrument_kind *find_kind(const char *name)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

const char *instrument_check(struct instrument_setup *s)
{
	const struct instrument_kind *k = find_kind(s->kind);
	static _Thread_local char why[TRACE_WHY];
	size_t n;

	if (!k)
		return "unknown kind of meter: use lpm01a or ppk2";
	if (s->voltage_mv < k->mv_min || s->voltage_mv > k->mv_max) {
		snprintf(why, sizeof(why), "'voltage_mv' of kind '%s' is %u to %u",
			k->name, (unsigned)k->mv_min, (unsigned)k->mv_max);
		return why;
	}
	if (!s->rate_hz)
		s->rate_hz = k->rates[0];
	for (n = 0; k->rates[n]; n++)
		if (k->rates[n] == s->rate_hz)
			return NULL;
	n = (size_t)snprintf(
		why, sizeof(why), "'rate_hz' of kind '%s' is one of", k->name);
	for (size_t i = 0; k->rates[i] && n < sizeof(why); i++)
		n += (size_t)snprintf(
			why + n, sizeof(why) - n, " %u", (unsigned)k->rates[i]);
	return why;
}

static int is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int instrument_is_recorded(const struct instrument_setup *s)
{
	return s->recorded || is_file(s->port);
}

void instrument_name(const struct instrument_setup *s, char *out, size_t cap)
{
	snprintf(out, cap, "%s%s %u mV", s->recorded ? "recording: " : "", s->kind,
		(unsigned)s->voltage_mv);
}

/* Opening */

void instrument_drain(
	struct instrument *i, int quiet_ms, int max_ms, char *tail, size_t cap)
{
	uint64_t until = clock_mono_ns() + (uint64_t)max_ms * 1000000;
	char block[1024];
	size_t n = 0, len = 0;

	if (tail)
		tail[0] = '\0';
	while (clock_mono_ns() < until &&
		i->line->ops->read(i->line, block, sizeof(block), quiet_ms, &n, NULL) ==
			ERR_OK)
		for (size_t k = 0; tail && k < n && len + 1 < cap; k++) {
			tail[len++] = block[k] >= 32 && block[k] <= 126 ? block[k] : '?';
			tail[len] = '\0';
		}
}

enum err instrument_not_there(struct instrument *i, const char *said, struct err_ctx *ctx)
{
	return err_set(ctx, ERR_DEVICE,
		"what is at '%s' is no %s: it answers %s%.60s%s; is that the meter's own "
		"line, and its kind '%s'?",
		i->setup.port, i->kind->title, said[0] ? "'" : "nothing", said,
		said[0] ? "'" : "", i->kind->name);
}

static void set_up(struct instrument *i, const struct instrument_setup *s)
{
	pthread_condattr_t monotonic;

	i->setup = *s;
	i->kind = find_kind(s->kind);
	trace_init(&i->trace, i->kind->per_bin);
	pthread_mutex_init(&i->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&i->news, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

enum err instrument_open(
	struct instrument **out, const struct instrument_setup *s, struct err_ctx *ctx)
{
	struct instrument_setup checked = *s;
	const char *fault = instrument_check(&checked);
	struct instrument *i;
	enum err e = ERR_OK;

	if (fault)
		return err_set(ctx, ERR_INVALID, "meter: %s", fault);
	i = calloc(1, sizeof(*i));
	if (!i)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	set_up(i, &checked);
	if (!is_file(s->port)) {
		e = transport_serial_open(&i->line, s->port, i->kind->baud, ctx);
		e = e ? e : i->kind->greet(i, ctx);
	}
	if (e) {
		instrument_close(i);
		return err_prefix(ctx, e == ERR_NOMEM ? e : ERR_DEVICE, "meter");
	}
	*out = i;
	return ERR_OK;
}

/* Reading */

/* What the line has brought, or has not for so long; 0: no more is to be read. After a fault
 * it is read on, so that the instrument is not held up and stops as usual. */
static int take_news(struct instrument *i, enum err e, const uint8_t *data, size_t n,
	int silent_ms, const char *why)
{
	if (!e) {
		i->kind->feed(i, data, n);
	} else if (e != ERR_TIMEOUT) {
		i->gone = 1;
		trace_fault(&i->trace, "the line to the meter was lost: %.100s", why);
	} else if (i->setup.recorded) {
		i->over = silent_ms >= PLAYED_MS;
	} else if (silent_ms >= SILENCE_MS) {
		trace_fault(&i->trace, "the meter sent nothing for %d ms", silent_ms);
	}
	i->over |= i->kind->ended(i);
	if (i->over && !i->setup.recorded)
		trace_fault(&i->trace, "the meter ended its recording by itself");
	pthread_cond_signal(&i->news);
	return !i->gone && !i->stop && !(i->over && i->setup.recorded);
}

static void *read_line(void *self)
{
	struct instrument *i = self;
	static _Thread_local uint8_t block[CHUNK];
	int silent_ms = 0, go_on = 1;

	while (go_on) {
		struct err_ctx ctx = {{0}};
		size_t n = 0;
		enum err e = i->line->ops->read(
			i->line, block, sizeof(block), READ_MS, &n, &ctx);

		silent_ms = e ? silent_ms + READ_MS : 0;
		pthread_mutex_lock(&i->lock);
		go_on = take_news(i, e, block, n, silent_ms, ctx.msg);
		pthread_mutex_unlock(&i->lock);
	}
	return NULL;
}

static void stop_reading(struct instrument *i)
{
	if (!i->reading)
		return;
	pthread_mutex_lock(&i->lock);
	i->stop = 1;
	pthread_mutex_unlock(&i->lock);
	pthread_join(i->reader, NULL);
	i->reading = 0;
	if (!i->gone)
		i->kind->stop(i);
}

static double samples(const struct instrument *i, double seconds)
{
	return seconds * i->setup.rate_hz;
}

/* Waits, with the lock held, until that many samples are sure; 0: they do not come. */
static int await_samples(struct instrument *i, uint64_t n_sure)
{
	uint64_t missing = n_sure > i->trace.n ? n_sure - i->trace.n : 0;
	uint64_t ns = clock_mono_ns() + PATIENCE_MS * (uint64_t)1000000 +
		      (uint64_t)(SLOWEST * 1e9 / i->setup.rate_hz * (double)missing);
	struct timespec until = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

	while (!i->trace.fault[0] && !i->gone && i->trace.n_sure < n_sure)
		if (pthread_cond_timedwait(&i->news, &i->lock, &until) != 0)
			return i->trace.n_sure >= n_sure;
	return !i->trace.fault[0] && !i->gone;
}

static void await_end_of_play(struct instrument *i)
{
	struct timespec until = {(time_t)(clock_mono_ns() / 1000000000 + MAX_PLAY_S), 0};

	while (!i->trace.fault[0] && !i->gone && !i->over)
		if (pthread_cond_timedwait(&i->news, &i->lock, &until) != 0)
			return;
}

static int no_figure(char why[TRACE_WHY], const char *fault, const char *otherwise)
{
	snprintf(why, TRACE_WHY, "%s", fault[0] ? fault : otherwise);
	return 0;
}

static int start_reading(struct instrument *i, char why[TRACE_WHY])
{
	struct err_ctx ctx = {{0}};
	enum err e = i->kind->start(i, &ctx);

	i->gone |= e == ERR_LINK;
	if (!e && pthread_create(&i->reader, NULL, read_line, i) != 0)
		e = err_set(&ctx, ERR_NOMEM, "the meter cannot be read: no thread");
	i->reading = !e;
	if (e)
		snprintf(why, TRACE_WHY, "%.150s", ctx.msg);
	return !e;
}

int instrument_begin(struct instrument *i, char why[TRACE_WHY])
{
	const double idle_s = TRACE_SETTLE_S + TRACE_IDLE_S;
	int ok = 1;

	stop_reading(i);
	trace_release(&i->trace);
	trace_init(&i->trace, i->kind->per_bin);
	i->stop = i->over = 0;
	i->kind->reset(i, !i->line);
	if (!i->line)
		return 1;
	if (!start_reading(i, why))
		return 0;
	if (i->setup.recorded)
		return 1;
	pthread_mutex_lock(&i->lock);
	if (!await_samples(i, (uint64_t)samples(i, idle_s) + 1))
		ok = no_figure(why, i->trace.fault,
			"the meter sends fewer samples than its rate is");
	i->idle_end = i->trace.n;
	pthread_mutex_unlock(&i->lock);
	if (!ok)
		stop_reading(i);
	return ok;
}

/* Ending */

static void read_file(struct instrument *i)
{
	FILE *f = fopen(i->setup.port, "rbe");
	uint8_t *block = malloc(CHUNK);
	size_t n;

	if (!f || !block)
		trace_fault(&i->trace, "the recording '%.100s' cannot be read",
			i->setup.port);
	while (f && block && !i->trace.fault[0] && (n = fread(block, 1, CHUNK, f)) > 0)
		i->kind->feed(i, block, n);
	if (f && ferror(f))
		trace_fault(&i->trace, "the recording '%.100s' cannot be read to its end",
			i->setup.port);
	if (f)
		fclose(f);
	free(block);
}

/* Where a recording waits is laid down: instrument.h. */
static void mark_recorded(const struct instrument *i, struct trace_run *run)
{
	uint64_t idle = (uint64_t)samples(i, TRACE_IDLE_S), n = i->trace.n_sure;

	run->idle_end = (uint64_t)samples(i, TRACE_SETTLE_S) + idle;
	run->idle_begin = n > idle ? n - idle : 0;
}

/* The idle time behind a run; 0: the samples stay away. */
static int await_idle(struct instrument *i, struct trace_run *run)
{
	run->idle_end = i->idle_end;
	run->idle_begin = i->trace.n + (uint64_t)samples(i, LAG_S);
	return await_samples(i, run->idle_begin + (uint64_t)samples(i, TRACE_IDLE_S));
}

static int check_rate(const struct instrument *i, char why[TRACE_WHY])
{
	double hz = i->trace.interval_ns > 0 ? 1e9 / i->trace.interval_ns : 0;
	double off = hz / i->setup.rate_hz - 1;

	if (!(hz > 0) || (off < RATE_OFF && off > -RATE_OFF))
		return 1;
	snprintf(why, TRACE_WHY, "%.6g samples a second instead of the %u of 'rate_hz'",
		hz, (unsigned)i->setup.rate_hz);
	return 0;
}

int instrument_end(struct instrument *i, const struct trace_run *run,
	struct trace_energy *out, char why[TRACE_WHY])
{
	struct trace_run marked = run ? *run : (struct trace_run){0};
	int ok = run != NULL, recorded = i->setup.recorded || !i->line;

	if (!run)
		snprintf(why, TRACE_WHY, "the run failed");
	if (run && !i->line)
		read_file(i);
	if (run && i->reading) {
		pthread_mutex_lock(&i->lock);
		if (recorded)
			await_end_of_play(i);
		else if (!await_idle(i, &marked))
			ok = no_figure(why, i->trace.fault,
				"the meter sends fewer samples than its rate is");
		pthread_mutex_unlock(&i->lock);
	}
	stop_reading(i);
	if (run && recorded)
		mark_recorded(i, &marked);
	return ok && check_rate(i, why) && trace_result(&i->trace, &marked, out, why);
}

int instrument_is_gone(const struct instrument *i)
{
	return i->gone;
}

void instrument_close(struct instrument *i)
{
	if (!i)
		return;
	stop_reading(i);
	if (i->line && !i->gone)
		i->kind->leave(i);
	if (i->line)
		i->line->ops->close(i->line);
	trace_release(&i->trace);
	pthread_cond_destroy(&i->news);
	pthread_mutex_destroy(&i->lock);
	free(i);
}
