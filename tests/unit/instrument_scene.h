/* What a board draws while it waits and infers, as an instrument would record it: the
 * integral is known. Text of an LPM01A and samples of a PPK2 are made of it. */
#ifndef HAWSER_TESTS_UNIT_INSTRUMENT_SCENE_H
#define HAWSER_TESTS_UNIT_INSTRUMENT_SCENE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "devices/instrument/trace.h"
#include "src/base/buf.h"

struct scene {
	double before_s, busy_s, window_s, after_s; /* busy: checks and warm-up */
	double idle_mw, active_mw, ripple_mw;
	double drift_mw; /* of the idle level, from beginning to end */
	double n_inferences;
};

#define SCENE                                                                            \
	{                                                                                \
		3, 1.3, 11.00037, 3, 4, 33, 2.5, 0, 1000                                 \
	}

static inline double scene_start_s(const struct scene *s)
{
	return s->before_s + s->busy_s;
}

static inline double scene_length_s(const struct scene *s)
{
	return s->before_s + s->busy_s + s->window_s + s->after_s;
}

/* Energy in uJ that was drawn until `t` s. */
static inline double scene_uj(const struct scene *s, double t)
{
	double end = scene_length_s(s), a = s->before_s, b = end - s->after_s;
	double on = t < a ? 0 : t > b ? b - a : t - a, w = 2 * 3.14159265358979 * 37;
	double sum = s->idle_mw * t + s->drift_mw * t * t / 2 / end;

	sum += (s->active_mw - s->idle_mw) * on;
	sum += s->ripple_mw * (1 - cos(w * on)) / w;
	return sum * 1e3;
}

/* Of one inference, idle taken off; the idle level is that of the middle. */
static inline double scene_net_uj(const struct scene *s)
{
	double a = scene_start_s(s), b = a + s->window_s;
	double idle_mw = s->idle_mw + s->drift_mw / 2;

	return (scene_uj(s, b) - scene_uj(s, a) - idle_mw * 1e3 * s->window_s) /
	       s->n_inferences;
}

/* "6409-07", four digits of joules. */
static inline void scene_number(struct buf *out, double j)
{
	int e = 0;

	while (e < 12 && round(j * pow(10, e)) < 1000)
		e++;
	buf_printf(out, "%04.0f-%02d\r\n", round(j * pow(10, e)), e);
}

/* Lines i0 <= i < i1 of a recording at `hz`, one edge kind or both told. */
static inline void scene_lpm01a(
	const struct scene *s, uint32_t hz, int both, int i0, int i1, struct buf *out)
{
	int start = (int)(scene_start_s(s) * hz);
	int end = (int)((scene_start_s(s) + s->window_s) * hz);

	for (int i = i0; i < i1; i++) {
		if (i % (int)hz == 0)
			buf_printf(out, "TimeStamp: %03ds 000ms, buff 01%%\r\n",
				i / (int)hz);
		if (i == start)
			buf_puts(out, "event 7 ris\r\n");
		if (i == end)
			buf_puts(out, both ? "event 8 fal\r\n" : "event 8 ris\r\n");
		scene_number(out, (scene_uj(s, (double)(i + 1) / hz) -
					  scene_uj(s, (double)i / hz)) *
					  1e-6);
	}
}

#endif
