/* Carriers of bytes to an agent, behind one door: the pipe of a child process, a serial
 * line, and an in-memory loop that damages what it carries. A carrier knows nothing of frames.
 *
 * Threads: one transport belongs to one thread.
 */
#ifndef HAWSER_DEVICES_TRANSPORT_TRANSPORT_H
#define HAWSER_DEVICES_TRANSPORT_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/err.h"

struct transport_ops;

/* The first member of every carrier's struct. */
struct transport {
	const struct transport_ops *ops;
	char probe[128]; /* where a debug probe reaches the memory there; "" nowhere */
};

struct transport_ops {
	const char *name;
	/* At least one byte, at most `cap`, within `timeout_ms`: else ERR_TIMEOUT.
	 * ERR_LINK when the line has ended, with all that is known of why. */
	enum err (*read)(struct transport *t, void *buf, size_t cap, int timeout_ms,
		size_t *n, struct err_ctx *ctx);
	/* All of it, or ERR_LINK, or ERR_TIMEOUT after `timeout_ms` without progress, or
	 * at less than 1 KB/s. */
	enum err (*write)(struct transport *t, const void *data, size_t len,
		int timeout_ms, struct err_ctx *ctx);
	/* The clock that timeouts are counted on; monotonic. */
	uint64_t (*now_ms)(struct transport *t);
	/* Ends the line and what is at its end, and frees the transport. */
	void (*close)(struct transport *t);
};

/* Starts argv[0] (a path, or a name on PATH) with one stream as its standard input and
 * output, in a session of its own so that a terminal's Ctrl-C does not reach it. */
enum err transport_pipe_open(
	struct transport **out, const char *const argv[], struct err_ctx *ctx);
/* Opens a serial line raw, 8N1, without flow control; nobody else can have it meanwhile.
 * ERR_USAGE for what is no rate; ERR_DEVICE for one that the line does not take. */
enum err transport_serial_open(struct transport **out, const char *path, uint32_t baud,
	struct err_ctx *ctx);
/* The process at the other end, for tests that kill it; 0 when not a pipe. */
int transport_pipe_pid(const struct transport *t);
/* The end of what it said on its standard error; "" when not a pipe. */
const char *transport_pipe_words(const struct transport *t);

/* A peer in this process: gets what the host writes, may answer from within either call.
 */
struct loop_peer {
	void *self;
	void (*receive)(void *self, const uint8_t *data, size_t len);
	/* Time has gone on to `now_ms`: for what a peer does unasked. */
	void (*poll)(void *self, uint64_t now_ms);
};

/* What happens to bytes, in each direction. Probabilities per byte, except `delay`. */
struct loop_faults {
	uint64_t seed;
	double corrupt, drop, duplicate;
	double delay;	    /* share of writes held back and delivered after later ones */
	uint64_t cut_after; /* bytes until the line ends; 0: never */
};

/* Time in a loop is virtual: it goes on only when the host waits in vain. The peer is
 * borrowed. */
enum err transport_loop_open(struct transport **out, const struct loop_peer *peer,
	const struct loop_faults *faults, struct err_ctx *ctx);
/* The peer's way to send. */
void transport_loop_send(struct transport *t, const uint8_t *data, size_t len);

#endif
