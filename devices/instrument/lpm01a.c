#include "devices/instrument/lpm01a.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void lpm01a_init(struct lpm01a *p, struct trace *t)
{
	memset(p, 0, sizeof(*p));
	p->t = t;
}

static int is_rate(uint64_t hz)
{
	static const uint32_t rates[] = {100000, 50000, 20000, 10000, 5000, 2000, 1000,
		500, 200, 100, 50, 20, 10, 5, 2, 1};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		if (rates[i] == hz)
			return 1;
	return 0;
}

/* Decimal digits, all of them, `max` at most; the rest of the text, or NULL. */
static const char *digits(const char *s, int max, uint32_t *out)
{
	uint32_t v = 0;
	int n = 0;

	for (; *s >= '0' && *s <= '9' && n < max; n++)
		v = v * 10 + (uint32_t)(*s++ - '0');
	*out = v;
	return n ? s : NULL;
}

static const char *after(const char *s, const char *word)
{
	size_t n = strlen(word);

	return s && strncmp(s, word, n) == 0 ? s + n : NULL;
}

/* "6409-07", nothing before or behind. */
static int take_sample(struct lpm01a *p, const char *s)
{
	uint32_t mantissa, exponent;
	const char *e = digits(s, 4, &mantissa);
	int negative;

	if (!e || e != s + 4 || (*e != '-' && *e != '+'))
		return 0;
	negative = *e++ == '-';
	s = digits(e, 2, &exponent);
	if (!s || s != e + 2 || *s || (!negative && exponent))
		return 0;
	trace_sample(p->t, mantissa * pow(10, -(double)exponent) * 1e6, 0);
	return 1;
}

/* Samples since the last time stamp, by number and by time. */
static void check_rate(struct lpm01a *p, uint64_t ms)
{
	uint64_t n = p->t->n - p->stamp_n, dt = ms - p->stamp_ms;

	if (ms <= p->stamp_ms) {
		trace_fault(p->t, "the meter's time stands still or goes back");
		return;
	}
	if (!p->hz && (n * 1000 % dt || !is_rate(n * 1000 / dt))) {
		trace_fault(p->t,
			"%llu samples in %llu ms are no rate of the meter: some are "
			"missing",
			(unsigned long long)n, (unsigned long long)dt);
		return;
	}
	if (!p->hz) {
		p->hz = (uint32_t)(n * 1000 / dt);
		p->t->interval_ns = 1e9 / p->hz;
	}
	if (n * 1000 != dt * p->hz)
		trace_fault(p->t, "%llu samples instead of %llu between time stamps",
			(unsigned long long)n, (unsigned long long)(dt * p->hz / 1000));
	else
		p->t->n_sure = p->t->n;
}

static int take_stamp(struct lpm01a *p, const char *s)
{
	uint32_t seconds, ms, full;
	uint64_t now;

	s = after(digits(s, 7, &seconds), "s ");
	s = s ? after(digits(s, 3, &ms), "ms, buff ") : NULL;
	s = s ? digits(s, 3, &full) : NULL;
	if (!s || strcmp(s, "%") != 0 || full > 100)
		return 0;
	now = (uint64_t)seconds * 1000 + ms;
	if (full == 100)
		trace_fault(p->t, "the meter's buffer ran full");
	if (p->n_stamps++)
		check_rate(p, now);
	p->stamp_ms = now;
	p->stamp_n = p->t->n;
	return 1;
}

/* "12 ris": numbers are consecutive, or one got lost. The meter writes "ris" for
 * either kind of edge where it is set to tell one. */
static int take_event(struct lpm01a *p, const char *s)
{
	uint32_t number;
	int fall;

	s = digits(s, 9, &number);
	fall = s && strcmp(s, " fal") == 0;
	if (!s || (!fall && strcmp(s, " ris") != 0))
		return 0;
	if (p->has_event && number != p->last_event + 1)
		trace_fault(p->t, "an edge is missing: event %u follows %u",
			(unsigned)number, (unsigned)p->last_event);
	p->has_event = 1;
	p->last_event = number;
	p->has_fall |= fall;
	trace_add_edge(p->t, fall ? TRACE_FALL : TRACE_RISE);
	/* As long as there were no others they tell both ends. */
	for (uint32_t i = 0; i < p->t->n_edges && i < TRACE_EDGES; i++) {
		struct trace_edge *e = &p->t->edges[i];

		if (!p->has_fall)
			e->kind = TRACE_MARK;
		else if (e->kind == TRACE_MARK)
			e->kind = TRACE_RISE;
	}
	return 1;
}

/* What it says besides while it is told what to do. */
static int is_talk(const char *s)
{
	static const char *const words[] = {
		"ack", "info", "pwr", "summary", "Acquisition"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (after(s, words[i]))
			return 1;
	return 0;
}

static int take_line(struct lpm01a *p, const char *s)
{
	const char *rest;

	while (*s == ' ')
		s++;
	while ((rest = after(s, "PowerShield >")))
		for (s = rest; *s == ' ';)
			s++;
	if (!*s)
		return 1;
	if (strstr(s, "output current")) {
		trace_fault(p->t, "current was recorded: set `output energy`");
		return 1;
	}
	if (p->ended)
		return 1;
	rest = after(s, "TimeStamp: ");
	if (isdigit((unsigned char)*s) || rest)
		p->measuring = 1;
	if (rest)
		return take_stamp(p, rest);
	if ((rest = after(s, "event ")))
		return take_event(p, rest);
	if (!strcmp(s, "end") || after(s, "Acquisition completed")) {
		p->ended = p->measuring;
		return 1;
	}
	if (after(s, "err")) {
		trace_fault(p->t, "the meter reports: %.80s", s);
		return 1;
	}
	if (isdigit((unsigned char)*s))
		return take_sample(p, s);
	return is_talk(s) || !p->measuring;
}

static void end_line(struct lpm01a *p)
{
	while (p->len && (p->line[p->len - 1] == '\r' || p->line[p->len - 1] == ' '))
		p->len--;
	p->line[p->len] = '\0';
	/* What comes from outside is shown as text. */
	for (size_t i = 0; i < p->len; i++)
		if (p->line[i] < 32 || p->line[i] > 126)
			p->line[i] = '?';
	if (!take_line(p, p->line))
		trace_fault(p->t, "the meter sent a damaged line: '%.60s'", p->line);
	p->len = 0;
}

void lpm01a_feed(struct lpm01a *p, const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (data[i] == '\n') {
			end_line(p);
		} else if (p->len + 1 < sizeof(p->line)) {
			p->line[p->len++] = (char)data[i];
		} else {
			trace_fault(p->t, "the meter sent a line without an end");
			p->len = 0;
		}
	}
}
