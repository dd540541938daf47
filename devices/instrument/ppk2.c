#include "devices/instrument/ppk2.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADC_VOLT (1.8 / 163840)
#define ADC_MAX 0x3fffu
#define UNSETTLED 3 /* samples after a change of range */
#define MAX_A 1.2
#define END "END"

/* Where a kit has not-a-number or zero, its maker's program takes these. */
static const struct ppk2_calibration usual = {
	.r = {1031.64, 101.65, 10.15, 0.94, 0.043},
	.gs = {1, 1, 1, 1, 1},
	.gi = {1, 1, 1, 1, 1},
	.ug = {1, 1, 1, 1, 1},
};

static const struct key {
	const char *name;
	size_t at;
	const double *usual;
} keys[] = {
	{"R", offsetof(struct ppk2_calibration, r), usual.r},
	{"GS", offsetof(struct ppk2_calibration, gs), usual.gs},
	{"GI", offsetof(struct ppk2_calibration, gi), usual.gi},
	{"O", offsetof(struct ppk2_calibration, o), usual.o},
	{"S", offsetof(struct ppk2_calibration, s), usual.s},
	{"I", offsetof(struct ppk2_calibration, i), usual.i},
	{"UG", offsetof(struct ppk2_calibration, ug), usual.ug},
};

/* The number behind "KEY: " at the begin of a line. */
static int find_number(const char *text, const char *key, double *out)
{
	size_t n = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		char *end;

		line += *line == '\n';
		if (strncmp(line, key, n) != 0 || line[n] != ':' || line[n + 1] != ' ')
			continue;
		*out = strtod(line + n + 2, &end);
		return end != line + n + 2 && (*end == '\r' || *end == '\n') &&
		       (isnan(*out) || fabs(*out) < 1e6);
	}
	return 0;
}

int ppk2_calibrate(struct ppk2_calibration *c, const char *text, char why[TRACE_WHY])
{
	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		double *to = (double *)(void *)((char *)c + keys[k].at);

		for (int r = 0; r < PPK2_RANGES; r++) {
			char key[16];

			snprintf(key, sizeof(key), "%s%d", keys[k].name, r);
			if (find_number(text, key, &to[r]) && (k > 0 || !(to[r] < 0))) {
				if (isnan(to[r]) || to[r] == 0)
					to[r] = keys[k].usual[r];
				continue;
			}
			snprintf(why, TRACE_WHY,
				"the meter's calibration has no sound '%s'", key);
			return 0;
		}
	}
	return 1;
}

double ppk2_ampere(
	const struct ppk2_calibration *c, uint32_t range, uint32_t adc, double volt)
{
	double x = (adc * 4.0 - c->o[range]) * (ADC_VOLT / c->r[range]);

	return c->ug[range] *
	       (x * (c->gs[range] * x + c->gi[range]) + c->s[range] * volt + c->i[range]);
}

void ppk2_init(struct ppk2 *p, struct trace *t, uint32_t mv)
{
	memset(p, 0, sizeof(*p));
	p->t = t;
	p->volt = mv * 1e-3;
	t->interval_ns = PPK2_INTERVAL_NS;
}

void ppk2_restart(struct ppk2 *p)
{
	p->started = 0;
	p->n_word = 0;
	p->n_unsettled = 0;
	p->t->interval_ns = PPK2_INTERVAL_NS;
}

/* What of a sample cannot be; the trace is void then. */
static int doubt_sample(struct ppk2 *p, uint32_t range, uint32_t adc, uint32_t counter)
{
	uint32_t missing = (counter - p->counter - 1) & 63;

	if (range >= PPK2_RANGES)
		trace_fault(p->t, "a sample of range %u, which the meter has not",
			(unsigned)range);
	else if (p->started && missing)
		trace_fault(p->t, "%u or more samples are missing", (unsigned)missing);
	else if (adc == ADC_MAX)
		trace_fault(p->t, "more current than the meter measures");
	return p->t->fault[0] != '\0';
}

static void take_word(struct ppk2 *p, uint32_t word)
{
	uint32_t adc = word & ADC_MAX, range = word >> 14 & 7, counter = word >> 18 & 63;
	uint32_t level = word >> 24 & 1;
	double a, doubt = 0, uj = p->volt * 1e6 * PPK2_INTERVAL_NS * 1e-9;

	if (doubt_sample(p, range, adc, counter))
		return;
	if (p->started && range != p->range)
		p->n_unsettled = UNSETTLED;
	a = ppk2_ampere(&p->calibration, range, adc, p->volt);
	if (!(fabs(a) < MAX_A)) {
		trace_fault(p->t, "a current that the meter cannot measure");
		return;
	}
	if (p->n_unsettled) {
		p->n_unsettled--;
		doubt = fabs(a - p->held_a);
	} else {
		p->held_a = a;
	}
	if (p->started && level != p->level)
		trace_add_edge(p->t, level ? TRACE_RISE : TRACE_FALL);
	else if (!p->started && level)
		trace_fault(p->t,
			"the board's pin, or what D0 is wired to, was high already");
	trace_sample(p->t, a * uj, doubt * uj);
	p->t->n_sure = p->t->n;
	p->started = 1;
	p->counter = counter;
	p->range = range;
	p->level = level;
}

/* One character of the calibration. */
static void take_text(struct ppk2 *p, uint8_t c)
{
	char why[TRACE_WHY];

	if (p->len + 1 == sizeof(p->text)) {
		trace_fault(p->t, "the meter's calibration has no end");
		return;
	}
	p->text[p->len++] = c ? (char)c : '?';
	p->text[p->len] = '\0';
	if (p->len < 5 || strcmp(p->text + p->len - 4, END "\n") != 0)
		return;
	p->calibrated = ppk2_calibrate(&p->calibration, p->text, why);
	if (!p->calibrated)
		trace_fault(p->t, "%s", why);
}

void ppk2_feed(struct ppk2 *p, const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n && !p->t->fault[0]; i++) {
		if (!p->calibrated) {
			take_text(p, data[i]);
			continue;
		}
		p->word[p->n_word++] = data[i];
		if (p->n_word < 4)
			continue;
		p->n_word = 0;
		take_word(p, (uint32_t)p->word[0] | (uint32_t)p->word[1] << 8 |
				     (uint32_t)p->word[2] << 16 |
				     (uint32_t)p->word[3] << 24);
	}
}
