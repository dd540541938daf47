/* What a board draws while it waits and infers, as an instrument would record it: the
 * integral is known. Text of an LPM01A and samples of a PPK2 are made of it. */
#ifndef HAWSER_TESTS_UNIT_INSTRUMENT_SCENE_H
#define HAWSER_TESTS_UNIT_INSTRUMENT_SCENE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "devices/instrument/ppk2.h"
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

#define SCENE_VOLT 3.3
#define SCENE_PPK2                                                                          \
	"Calibrated: 0\nR0: 1031.64\nR1: 101.65\nR2: 10.15\nR3: 0.94\nR4: 0.043\n"          \
	"GS0: 1\nGS1: 1\nGS2: 1\nGS3: 1\nGS4: 1\nGI0: 1\nGI1: 1.01\nGI2: 0.99\nGI3: 1\n"    \
	"GI4: 1\nO0: 200\nO1: 190\nO2: 180\nO3: 170\nO4: 160\nS0: 0\nS1: 0\nS2: 0\nS3: 0\n" \
	"S4: 0\nI0: 0\nI1: 0\nI2: 0\nI3: 0\nI4: 0\nUG0: 1\nUG1: 1\nUG2: 1\nUG3: 1\nUG4: "   \
	"1\nHW: 20173\nIA: 56\nEND\n"

/* The word of a current: the finest range that holds it; what is rounded off goes to the
 * next sample. */
static inline uint32_t scene_word(
	const struct ppk2_calibration *c, double a, double *left)
{
	for (uint32_t range = 0; range < PPK2_RANGES; range++) {
		uint32_t adc = 0, above = 16000;

		if (a > 0.9 * ppk2_ampere(c, range, above, SCENE_VOLT) &&
			range + 1 < PPK2_RANGES)
			continue;
		a += *left;
		while (above - adc > 1) {
			uint32_t mid = (adc + above) / 2;

			if (ppk2_ampere(c, range, mid, SCENE_VOLT) <= a)
				adc = mid;
			else
				above = mid;
		}
		*left = a - ppk2_ampere(c, range, adc, SCENE_VOLT);
		return range << 14 | adc;
	}
	return 0;
}

/* Samples i0 <= i < i1. */
static inline void scene_ppk2(const struct scene *s, int i0, int i1, struct buf *out)
{
	double dt = PPK2_INTERVAL_NS * 1e-9, left = 0;
	int start = (int)(scene_start_s(s) / dt);
	int end = (int)((scene_start_s(s) + s->window_s) / dt);
	struct ppk2_calibration c;
	char why[TRACE_WHY];

	ppk2_calibrate(&c, SCENE_PPK2, why);
	for (int i = i0; i < i1; i++) {
		double uj = scene_uj(s, (i + 1) * dt) - scene_uj(s, i * dt);
		uint32_t w = scene_word(&c, uj * 1e-6 / dt / SCENE_VOLT, &left);

		w |= (uint32_t)(i & 63) << 18 | (i >= start && i < end ? 1u << 24 : 0);
		for (int k = 0; k < 4; k++)
			buf_putc(out, (char)(w >> 8 * k & 255));
	}
}

#endif
