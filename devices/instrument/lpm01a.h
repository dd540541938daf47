/* The text that an ST X-NUCLEO-LPM01A sends while it measures (`output energy`, `format
 * ascii_dec`): a line a sample, "6409-07" for 6409e-7 J; "TimeStamp: 001s 000ms, buff 00%"
 * every so often; "event 12 ris" for an edge at its pin D7.
 *
 * There is no check sum and no counter: that no sample is missing is known from the number
 * of samples between two time stamps, so only up to the last of these. Any line that is not
 * understood voids the recording.
 *
 * Its binary format (`format bin_hexa`, up to 100 kHz) is not read: samples, time stamps and
 * errors in it are known, but not how it tells an edge, without which there is no window.
 */
#ifndef HAWSER_DEVICES_INSTRUMENT_LPM01A_H
#define HAWSER_DEVICES_INSTRUMENT_LPM01A_H

#include "devices/instrument/trace.h"

#define LPM01A_LINE 128

struct lpm01a {
	struct trace *t; /* borrowed; per_bin 1 */
	char line[LPM01A_LINE];
	size_t len;
	uint64_t stamp_ms, stamp_n; /* the last time stamp */
	uint32_t hz;		    /* 0: not known yet */
	uint32_t n_stamps, last_event;
	int measuring; /* the first sample or time stamp was seen */
	int ended, has_event, has_fall;
};

void lpm01a_init(struct lpm01a *p, struct trace *t);
void lpm01a_feed(struct lpm01a *p, const uint8_t *data, size_t n);

#endif
