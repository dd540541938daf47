#include "devices/instrument/ppk2_csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/instrument/ppk2.h"

#define MS (PPK2_INTERVAL_NS * 1e-6)
#define MAX_UA 1.2e6

void ppk2_csv_init(struct ppk2_csv *p, struct trace *t, uint32_t mv)
{
	memset(p, 0, sizeof(*p));
	p->t = t;
	p->volt = mv * 1e-3;
	p->level = -1;
	t->interval_ns = PPK2_INTERVAL_NS;
}

/* The n-th field of a line; NULL: it has not so many. */
static const char *field(const char *line, uint32_t n)
{
	for (; line && n; n--) {
		line = strchr(line, ',');
		line = line ? line + 1 : NULL;
	}
	return line;
}

static int is_column(const char *at, const char *name)
{
	size_t n = strlen(name);

	return strncmp(at, name, n) == 0 && (at[n] == ',' || at[n] == '\0');
}

static void take_heading(struct ppk2_csv *p)
{
	const char *at;

	for (uint32_t i = 1; (at = field(p->line, i)); i++) {
		if (is_column(at, "Current(uA)"))
			p->ampere_at = i;
		if (!p->level_at && (is_column(at, "D0-D7") || is_column(at, "D0")))
			p->level_at = i;
	}
	p->headed = 1;
	if (!is_column(p->line, "Timestamp(ms)") || !p->ampere_at || !p->level_at)
		trace_fault(p->t,
			"the export needs the columns Timestamp(ms), Current(uA) "
			"and D0-D7");
}

static int number(const char *at, double *out)
{
	char *end;

	if (!at)
		return 0;
	*out = strtod(at, &end);
	return end != at && (*end == ',' || *end == '\0') && isfinite(*out);
}

/* Samples follow each other at the kit's own rate. */
static int check_time(struct ppk2_csv *p, double ms)
{
	double step = ms - p->last_ms;

	if (p->level < 0 || fabs(step - MS) < MS / 4)
		return 1;
	if (fabs(step / MS - round(step / MS)) < 0.25 && step > MS)
		trace_fault(p->t,
			"%.0f samples are missing, or the export is not of 100,000 a second",
			round(step / MS) - 1);
	else
		trace_fault(p->t, "the export's time makes a step of %.6g ms", step);
	return 0;
}

static void take_sample(struct ppk2_csv *p)
{
	const char *level = field(p->line, p->level_at);
	double ms, ua;

	if (!number(p->line, &ms) || !number(field(p->line, p->ampere_at), &ua) ||
		!level || (*level != '0' && *level != '1')) {
		trace_fault(p->t,
			"the export has a line without time, current or D0: '%.60s'",
			p->line);
		return;
	}
	if (fabs(ua) > MAX_UA) {
		trace_fault(p->t, "a current that the meter cannot measure");
		return;
	}
	if (!check_time(p, ms))
		return;
	if (p->level < 0 && *level == '1')
		trace_fault(p->t,
			"the board's pin, or what D0 is wired to, was high already");
	else if (p->level >= 0 && *level - '0' != p->level)
		trace_add_edge(p->t, *level == '1' ? TRACE_RISE : TRACE_FALL);
	p->level = *level - '0';
	p->last_ms = ms;
	trace_sample(p->t, ua * p->volt * PPK2_INTERVAL_NS * 1e-9, 0);
	p->t->n_sure = p->t->n;
}

static void end_line(struct ppk2_csv *p)
{
	while (p->len && p->line[p->len - 1] == '\r')
		p->len--;
	p->line[p->len] = '\0';
	p->len = 0;
	if (!p->headed)
		take_heading(p);
	else if (p->line[0])
		take_sample(p);
}

void ppk2_csv_feed(struct ppk2_csv *p, const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n && !p->t->fault[0]; i++) {
		uint8_t c = data[i];

		if (c == '\n')
			end_line(p);
		else if (p->len + 1 == sizeof(p->line))
			trace_fault(p->t, "the export has a line without an end");
		else /* what comes from outside is shown as text */
			p->line[p->len++] =
				c == '\r' || (c >= 32 && c <= 126) ? (char)c : '?';
	}
}
