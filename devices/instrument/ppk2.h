/* What a Nordic Power Profiler Kit II sends: a calibration as text, then 100,000 samples a
 * second of 32 bits, little endian: ADC 0-13 (in steps of 4), range 14-16, a counter 18-23,
 * logic inputs 24-31, of which D0 is the board's pin.
 *
 * It measures current; energy takes the voltage of its set point. The counter shows a lost
 * sample unless 64 are lost at once: that, the comparison of the window with the board's
 * clock limits. After a change of range the first samples are off: the difference to the
 * sample before it is counted as doubt.
 */
#ifndef HAWSER_DEVICES_INSTRUMENT_PPK2_H
#define HAWSER_DEVICES_INSTRUMENT_PPK2_H

#include "devices/instrument/trace.h"

#define PPK2_RANGES 5
#define PPK2_INTERVAL_NS 10000
#define PPK2_BIN 100 /* samples in a bin of the trace */
#define PPK2_TEXT 1024

struct ppk2_calibration {
	double r[PPK2_RANGES], gs[PPK2_RANGES], gi[PPK2_RANGES], o[PPK2_RANGES],
		s[PPK2_RANGES], i[PPK2_RANGES], ug[PPK2_RANGES];
};

struct ppk2 {
	struct trace *t; /* borrowed; per_bin PPK2_BIN */
	struct ppk2_calibration calibration;
	double volt;
	int calibrated;
	char text[PPK2_TEXT]; /* of the calibration, until it ends */
	size_t len;
	uint8_t word[4];
	uint32_t n_word;
	int started;
	uint32_t counter, range, level; /* of the sample before */
	uint32_t n_unsettled;
	double held_a; /* the last sample that was settled */
};

/* Begins with the calibration's text. */
void ppk2_init(struct ppk2 *p, struct trace *t, uint32_t mv);
/* New samples with the calibration that is known, into an empty trace. */
void ppk2_restart(struct ppk2 *p);
void ppk2_feed(struct ppk2 *p, const uint8_t *data, size_t n);
/* "R0: 1031.64" and so on. 1, or 0 and what is missing or cannot be. */
int ppk2_calibrate(struct ppk2_calibration *c, const char *text, char why[TRACE_WHY]);
double ppk2_ampere(
	const struct ppk2_calibration *c, uint32_t range, uint32_t adc, double volt);

#endif
