/* An X-NUCLEO-LPM01A at its line: commands as text, each answered by "ack COMMAND" or
 * "error COMMAND" and a line "Error detail: ...". Source: ST UM2243, chapter 5. */
#include <stdio.h>
#include <string.h>

#include "devices/instrument/kind.h"
#include "src/base/clock.h"

#define ANSWER_MS 5000 /* `volt` calibrates first */
#define HELLO_MS 1000
#define DETAIL_MS 300
#define QUIET_MS 150
#define STOP_MS 3000

/* As text this is sent without end up to 5 kHz. */
static const uint32_t rates[] = {1000, 100, 200, 500, 2000, 5000, 0};

struct talk {
	char line[LPM01A_LINE];
	size_t len;
};

/* The next line within the time, without the prompt; 0 when none came. */
static int next_line(struct instrument *i, struct talk *t, uint64_t until_ns, char *out)
{
	static const char prompt[] = "PowerShield > ";
	uint64_t now;
	char c;
	size_t n;

	while ((now = clock_mono_ns()) < until_ns) {
		int left = (int)((until_ns - now) / 1000000) + 1;
		const char *s = t->line;

		if (i->line->ops->read(i->line, &c, 1, left, &n, NULL) != ERR_OK)
			return 0;
		if (c != '\n') {
			if (t->len + 1 < sizeof(t->line) && c != '\r')
				t->line[t->len++] = c >= 32 && c <= 126 ? c : '?';
			continue;
		}
		t->line[t->len] = '\0';
		t->len = 0;
		while (!strncmp(s, prompt, sizeof(prompt) - 1))
			s += sizeof(prompt) - 1;
		if (*s) {
			snprintf(out, LPM01A_LINE, "%s", s);
			return 1;
		}
	}
	return 0;
}

/* ERR_TIMEOUT without an answer; what was said last is in `said`. */
static enum err command(struct instrument *i, const char *what, int timeout_ms,
	char said[LPM01A_LINE], struct err_ctx *ctx)
{
	uint64_t until = clock_mono_ns() + (uint64_t)timeout_ms * 1000000;
	char text[48], line[LPM01A_LINE];
	struct talk t = {.len = 0};
	int len = snprintf(text, sizeof(text), "%s\n", what);
	enum err e;

	e = i->line->ops->write(i->line, text, (size_t)len, KIND_WRITE_MS, ctx);
	said[0] = '\0';
	if (e)
		return e;
	while (next_line(i, &t, until, line)) {
		snprintf(said, LPM01A_LINE, "%s", line);
		if (!strncmp(line, "ack ", 4) && strstr(line, what))
			return ERR_OK;
		if (strncmp(line, "err", 3) != 0)
			continue;
		until = clock_mono_ns() + DETAIL_MS * (uint64_t)1000000;
		while (next_line(i, &t, until, line))
			if (!strncmp(line, "Error detail", 12))
				break;
		return err_set(ctx, ERR_DEVICE, "the meter refuses '%s': %.100s", what,
			strncmp(line, "Error detail: ", 14) ? said : line + 14);
	}
	return err_set(ctx, ERR_TIMEOUT, "the meter does not answer '%s'", what);
}

static enum err greet(struct instrument *i, struct err_ctx *ctx)
{
	char volt[24], freq[24], said[LPM01A_LINE];
	const char *const set_up[] = {volt, freq, "output energy", "format ascii_dec",
		"acqmode dyn", "acqtime inf", "trigsrc sw", "trigdelay 0",
		"eventsrc d7 fal", "pwrend on", "pwr on nostatus"};
	enum err e = i->line->ops->write(i->line, "stop\n", 5, KIND_WRITE_MS, ctx);

	if (e)
		return e;
	/* One that an earlier controller left recording. */
	instrument_drain(i, QUIET_MS, STOP_MS, NULL, 0);
	e = command(i, "htc", HELLO_MS, said, ctx);
	if (e == ERR_TIMEOUT)
		return instrument_not_there(i, said, ctx);
	snprintf(volt, sizeof(volt), "volt %um", (unsigned)i->setup.voltage_mv);
	snprintf(freq, sizeof(freq), "freq %u", (unsigned)i->setup.rate_hz);
	for (size_t k = 0; !e && k < sizeof(set_up) / sizeof(set_up[0]); k++)
		e = command(i, set_up[k], ANSWER_MS, said, ctx);
	return e;
}

static void reset(struct instrument *i, int from_start)
{
	(void)from_start;
	lpm01a_init(&i->parser.lpm01a, &i->trace);
}

/* Its answer is among the samples, which the parser reads. */
static enum err start(struct instrument *i, struct err_ctx *ctx)
{
	return i->line->ops->write(i->line, "start\n", 6, KIND_WRITE_MS, ctx);
}

static void stop(struct instrument *i)
{
	if (i->line->ops->write(i->line, "stop\n", 5, KIND_WRITE_MS, NULL) == ERR_OK)
		instrument_drain(i, QUIET_MS, STOP_MS, NULL, 0);
}

static void leave(struct instrument *i)
{
	i->line->ops->write(i->line, "hrc\n", 4, KIND_WRITE_MS, NULL);
}

static void feed(struct instrument *i, const uint8_t *data, size_t n)
{
	lpm01a_feed(&i->parser.lpm01a, data, n);
}

static int ended(const struct instrument *i)
{
	return i->parser.lpm01a.ended;
}

const struct instrument_kind kind_lpm01a = {
	.name = "lpm01a",
	.title = "X-NUCLEO-LPM01A",
	.baud = 3686400,
	.per_bin = 1,
	.mv_min = 1800,
	.mv_max = 3300,
	.rates = rates,
	.greet = greet,
	.reset = reset,
	.start = start,
	.stop = stop,
	.leave = leave,
	.feed = feed,
	.ended = ended,
};
