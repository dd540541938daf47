/* An instrument in a board's supply: taken with its line, set up, recording while the board
 * runs, asked for the energy of that run. What it sends becomes a trace (trace.h, which has
 * the rules for a figure); a run without one has a reason.
 *
 * A file, or a line whose setup says `recorded`, plays a recording instead: of one run, with
 * idle time of TRACE_SETTLE_S and TRACE_IDLE_S at its begin and TRACE_IDLE_S at its end.
 *
 * Times are those of the instrument's samples; this host's clock ends a wait for samples that
 * do not come. Threads: one caller; between begin and end a thread of its own reads the line,
 * so that it never waits for what else the host does, straight into the trace. What the
 * system drops before that is missing in the samples' numbers.
 */
#ifndef HAWSER_DEVICES_INSTRUMENT_INSTRUMENT_H
#define HAWSER_DEVICES_INSTRUMENT_INSTRUMENT_H

#include "devices/instrument/trace.h"
#include "src/base/err.h"

struct instrument_setup {
	char kind[16];	     /* "lpm01a", "ppk2"; "" none */
	char port[256];	     /* its serial line, or a file of all that it has sent */
	uint32_t voltage_mv; /* at the board */
	uint32_t rate_hz;    /* samples a second; 0: the kind's own */
	int feeds;	     /* the board is supplied by it: an LPM01A always does that */
	int recorded; /* what its line brings is a recording, as a file always is */
};

/* NULL and the rate is filled in, or what is wrong with the numbers. */
const char *instrument_check(struct instrument_setup *s);
/* Names of the kinds; NULL behind the last. */
const char *instrument_kind_at(size_t i);
/* Declared so, or a file. */
int instrument_is_recorded(const struct instrument_setup *s);
/* "lpm01a 3300 mV", "recording: ppk2 3300 mV": where a figure comes from. */
void instrument_name(const struct instrument_setup *s, char *out, size_t cap);

struct instrument;

/* Takes the line, makes sure that such an instrument is at its end, and lets it feed the
 * board. ERR_DEVICE, and what is there instead. */
enum err instrument_open(
	struct instrument **out, const struct instrument_setup *s, struct err_ctx *ctx);
/* Records, and returns when it has seen the board wait for long enough. 1; 0 and why not. */
int instrument_begin(struct instrument *i, char why[TRACE_WHY]);
/* The run has just ended; NULL: as it should not. Records idle time once more, and stops.
 * 1 and the figures; 0 and the reason. `run` needs no idle times. */
int instrument_end(struct instrument *i, const struct trace_run *run,
	struct trace_energy *out, char why[TRACE_WHY]);
/* The line has ended: only closing is left. */
int instrument_is_gone(const struct instrument *i);
void instrument_close(struct instrument *i); /* NULL is allowed */

#endif
