/* The agent's side of devices/PROTOCOL.md as a state machine: bytes in, bytes out, and a
 * table of what its machine can do. Linux, MCU firmware, the simulator and the tests are
 * such tables. Firmware has one table and one configuration, agent_ops and agent_config,
 * known when it is compiled: AGENT_TABLE names a header that has them, what they do not use
 * is not there, and instead of agent_init a zeroed agent's decoder is initialised.
 *
 * Freestanding: no heap, no stdio, no clock of its own; buffers are the caller's. It
 * never waits: agent_receive and agent_poll return as soon as the table's functions do.
 */
#ifndef HAWSER_DEVICES_AGENT_AGENT_H
#define HAWSER_DEVICES_AGENT_AGENT_H

#include "devices/proto/frame.h"
#include "devices/proto/message.h"

#define AGENT_WHY 200 /* cap of a text that goes with a refusal */

/* Content that is stored, or comes. */
struct agent_stored {
	uint32_t size, have; /* bytes */
	uint8_t complete;    /* and verified */
};

/* Functions that can fail return 0 or a wire_code. */
struct agent_ops {
	void (*send)(void *self, const uint8_t *data, size_t len);
	uint64_t (*now_ns)(void *self); /* monotonic */
	/* Never the same again, not even after a reset; not 0. */
	uint32_t (*nonce)(void *self);
	/* Puts what a WELCOME says of the machine: as put_about does. It fits. */
	void (*about)(void *self, struct put *p);
	/* Takes the machine for this controller, or WIRE_E_LEASED. Called at each HELLO.
	 * NULL: the line itself is held by one. */
	int (*lease)(void *self);
	/* A text (below AGENT_WHY) for the host on what failed last, "" where the code says
	 * it all; it is not told twice. NULL: there are none. */
	const char *(*why)(void *self);

	/* Storage of content by hash; one upload at a time. `open` gives what it has of it,
	 * which stays where it is until the next; `append` adds to that, the agent counts. */
	int (*store_open)(
		void *self, const struct wire_offer *m, struct agent_stored **out);
	int (*store_append)(void *self, const uint8_t *data, uint32_t len);
	/* Adds bytes that are there already (m->data is NULL); WIRE_E_NOT_FOUND when they
	 * are not. NULL: it cannot, and config.flags say so. */
	int (*store_copy)(void *self, const struct wire_put *m);
	/* Hashes the opened content, or finds its CRC-32, and makes it complete; WIRE_E_HASH
	 * after deleting it when it differs. */
	int (*store_verify)(void *self);

	/* Begins; WIRE_E_NOT_FOUND when image or input is not stored and verified. */
	int (*run_start)(void *self, const struct wire_run *rq);
	/* 1 when it has ended, and DONE's body is put. */
	int (*run_poll)(void *self, struct put *done);
	/* Ends it now; returns when nothing of it is left. NULL: nothing is heard while it
	 * runs; run_start does it all, and goes on at agent_ended, or returns a code. */
	void (*run_cancel)(void *self);
	/* Bytes of the last result, as many as its DONE said. */
	const uint8_t *(*result)(void *self);
	void (*reset)(void *self); /* after its answer was sent; NULL: nothing to do */
};

struct agent_config {
	uint32_t max_payload; /* >= WIRE_MIN_PAYLOAD, and enough for WELCOME */
	uint8_t *rx, *tx;     /* FRAME_WIRE_BYTES(max_payload) each; borrowed */
};

struct agent {
	const struct agent_ops *ops;
	void *self;
	struct agent_config c;
	struct frame_decoder decoder;
	uint32_t session, host_nonce; /* session 0: none */
	uint32_t top;		      /* highest request of this session */
	struct agent_stored *upload;  /* NULL: none is open */
	uint8_t running, has_done;
	uint32_t run_id;
	uint64_t beat_ns;
	uint32_t done_len;
	uint8_t done[WIRE_DONE_BYTES]; /* body of the last DONE */
};

/* `self` is handed to the table's functions. */
void agent_init(struct agent *a, const struct agent_ops *ops, void *self,
	const struct agent_config *c);
void agent_receive(struct agent *a, const uint8_t *data, size_t len);
/* To be called often while agent_running: sends BEAT and DONE. */
void agent_poll(struct agent *a);
int agent_running(const struct agent *a);
/* For a machine without run_cancel: sends BEAT, */
void agent_beat(struct agent *a);
/* and DONE, of which `done` and `done_len` were filled. */
void agent_ended(struct agent *a);
/* The line is gone: ends what runs. */
void agent_hangup(struct agent *a);

#endif
