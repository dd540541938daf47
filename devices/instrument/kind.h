/* What tells one kind of instrument from another while it is at a line. Internal to
 * devices/instrument.
 */
#ifndef HAWSER_DEVICES_INSTRUMENT_KIND_H
#define HAWSER_DEVICES_INSTRUMENT_KIND_H

#include <pthread.h>

#include "devices/instrument/instrument.h"
#include "devices/instrument/lpm01a.h"
#include "devices/instrument/ppk2.h"
#include "devices/instrument/ppk2_csv.h"
#include "devices/transport/transport.h"

struct instrument {
	struct instrument_setup setup;
	const struct instrument_kind *kind;
	struct transport *line; /* NULL: a file */
	union {
		struct lpm01a lpm01a;
		struct ppk2 ppk2;
		struct ppk2_csv ppk2_csv;
	} parser;
	int exported; /* a file that a PPK2's program has written: ppk2_csv */
	struct trace trace;
	uint64_t idle_end; /* samples before the run */
	pthread_t reader;
	pthread_mutex_t lock; /* of the trace and what follows, while the reader reads */
	pthread_cond_t news;
	int reading, stop;
	int over; /* a recording has been played */
	int gone;
};

struct instrument_kind {
	const char *name, *title;
	uint32_t baud, per_bin;
	uint32_t mv_min, mv_max;
	const uint32_t *rates; /* that it can be set to, the usual one first; 0 behind */
	/* Is it one, and ready? */
	enum err (*greet)(struct instrument *i, struct err_ctx *ctx);
	/* For a new trace; `from_start`: what comes is all that it has ever sent. */
	void (*reset)(struct instrument *i, int from_start);
	enum err (*start)(struct instrument *i, struct err_ctx *ctx);
	void (*stop)(struct instrument *i);
	void (*leave)(struct instrument *i);
	void (*feed)(struct instrument *i, const uint8_t *data, size_t n);
	int (*ended)(const struct instrument *i);
};

extern const struct instrument_kind kind_lpm01a, kind_ppk2;

#define KIND_WRITE_MS 1000

/* Reads until nothing has come for `quiet_ms`, `max_ms` at most. The last of it, as text, in
 * `tail` (NULL: not wanted). */
void instrument_drain(
	struct instrument *i, int quiet_ms, int max_ms, char *tail, size_t cap);
/* ERR_DEVICE: what is at the line says such things instead. */
enum err instrument_not_there(
	struct instrument *i, const char *said, struct err_ctx *ctx);

#endif
