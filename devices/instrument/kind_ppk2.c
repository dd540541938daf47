/* A Power Profiler Kit II at its line: commands of a byte and its arguments; only the one for
 * the calibration is answered. Source: Nordic's pc-nrfconnect-ppk, src/constants.ts. */
#include <string.h>

#include "devices/instrument/kind.h"
#include "src/base/clock.h"

#define START 0x06
#define STOP 0x07
#define BOARD_POWER 0x0c
#define VOLTAGE 0x0d /* mV, high byte first */
#define MODE 0x11
#define CALIBRATION 0x19
#define AMPERE_METER 1
#define SOURCE_METER 2
#define HELLO_MS 1000
#define QUIET_MS 100
#define STOP_MS 2000

static const uint32_t rates[] = {1000000000 / PPK2_INTERVAL_NS, 0};

static enum err send(
	struct instrument *i, const uint8_t *b, size_t n, struct err_ctx *ctx)
{
	return i->line->ops->write(i->line, b, n, KIND_WRITE_MS, ctx);
}

static void halt(struct instrument *i, int quiet_ms)
{
	static const uint8_t b[] = {STOP};

	if (send(i, b, sizeof(b), NULL) == ERR_OK)
		instrument_drain(i, quiet_ms, STOP_MS, NULL, 0);
}

static void stop(struct instrument *i)
{
	halt(i, QUIET_MS);
}

/* Its last word may come without an end of line: then nothing follows. */
static int is_last_word(const struct ppk2 *p)
{
	return p->len > 4 && !strcmp(p->text + p->len - 4, "\nEND");
}

/* Asks for the calibration until it has come. */
static enum err calibrate(struct instrument *i, struct err_ctx *ctx)
{
	static const uint8_t ask[] = {CALIBRATION};
	uint64_t until = clock_mono_ns() + HELLO_MS * (uint64_t)1000000;
	struct ppk2 *p = &i->parser.ppk2;
	enum err e = send(i, ask, sizeof(ask), ctx);
	uint8_t c;
	size_t n;

	trace_release(&i->trace);
	trace_init(&i->trace, PPK2_BIN);
	ppk2_init(p, &i->trace, i->setup.voltage_mv);
	while (!e && !p->calibrated && !i->trace.fault[0] && clock_mono_ns() < until) {
		int last = is_last_word(p);

		e = i->line->ops->read(
			i->line, &c, 1, last ? QUIET_MS : HELLO_MS, &n, ctx);
		if (e == ERR_TIMEOUT && last) {
			c = '\n';
			e = ERR_OK;
		}
		if (!e)
			ppk2_feed(p, &c, 1);
	}
	if (e && e != ERR_TIMEOUT)
		return e;
	if (p->calibrated)
		return ERR_OK;
	for (size_t k = 0; k < p->len; k++)
		if (p->text[k] < 32 || p->text[k] > 126)
			p->text[k] = '?';
	if (p->len && !strncmp(p->text, "Calibrated", 10))
		return err_set(ctx, ERR_DEVICE, "meter at '%s': %s", i->setup.port,
			i->trace.fault[0] ? i->trace.fault
					  : "the calibration does not end");
	return instrument_not_there(i, p->text, ctx);
}

static enum err greet(struct instrument *i, struct err_ctx *ctx)
{
	const uint32_t mv = i->setup.voltage_mv;
	const uint8_t set_up[] = {MODE, i->setup.feeds ? SOURCE_METER : AMPERE_METER,
		VOLTAGE, (uint8_t)(mv >> 8), (uint8_t)mv, BOARD_POWER, 1};
	enum err e;

	halt(i, QUIET_MS);
	e = calibrate(i, ctx);
	e = e ? e : send(i, set_up, 2, ctx);
	e = e ? e : send(i, set_up + 2, 3, ctx);
	return e ? e : send(i, set_up + 5, 2, ctx);
}

static void reset(struct instrument *i, int from_start)
{
	i->exported = 0;
	if (from_start)
		ppk2_init(&i->parser.ppk2, &i->trace, i->setup.voltage_mv);
	else
		ppk2_restart(&i->parser.ppk2);
}

static enum err start(struct instrument *i, struct err_ctx *ctx)
{
	static const uint8_t b[] = {START};

	return send(i, b, sizeof(b), ctx);
}

static void leave(struct instrument *i)
{
	(void)i;
}

/* A file is what the kit has sent, from its calibration on, or begins with "Timestamp". */
static void feed(struct instrument *i, const uint8_t *data, size_t n)
{
	if (!i->line && !i->exported && i->parser.ppk2.len == 0 && n && data[0] == 'T') {
		i->exported = 1;
		ppk2_csv_init(&i->parser.ppk2_csv, &i->trace, i->setup.voltage_mv);
	}
	if (i->exported)
		ppk2_csv_feed(&i->parser.ppk2_csv, data, n);
	else
		ppk2_feed(&i->parser.ppk2, data, n);
}

static int ended(const struct instrument *i)
{
	(void)i;
	return 0;
}

const struct instrument_kind kind_ppk2 = {
	.name = "ppk2",
	.title = "Power Profiler Kit II",
	.baud = 115200,
	.per_bin = PPK2_BIN,
	.mv_min = 800,
	.mv_max = 5000,
	.rates = rates,
	.greet = greet,
	.reset = reset,
	.start = start,
	.stop = stop,
	.leave = leave,
	.feed = feed,
	.ended = ended,
};
