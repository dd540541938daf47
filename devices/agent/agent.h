/* The agent's side of devices/PROTOCOL.md as a state machine: bytes in, bytes out, and a
 * table of what its machine can do. Linux, MCU firmware, the simulator and the tests are
 * such tables.
 *
 * Freestanding: no heap, no stdio, no clock of its own; buffers are the caller's. It
 * never waits: agent_receive and agent_poll return as soon as the table's functions do.
 */
#ifndef HAWSER_DEVICES_AGENT_AGENT_H
#define HAWSER_DEVICES_AGENT_AGENT_H

#include "devices/proto/frame.h"
#include "devices/proto/message.h"

/* Functions that can fail return 0, or a wire_code after putting a text into `why` (cap
 * bytes of AGENT_WHY) for the host; "" where the code says it all. */
#define AGENT_WHY 200

struct agent_ops {
	void (*send)(void *self, const uint8_t *data, size_t len);
	uint64_t (*now_ns)(void *self); /* monotonic */
	/* Never the same again, not even after a reset; not 0. */
	uint32_t (*nonce)(void *self);
	/* Takes the machine for this controller; WIRE_E_LEASED and the holder's name in
	 * `why`. Called at each HELLO. */
	int (*lease)(void *self, char *why);

	/* Storage of content by hash; one upload at a time. `open` tells how many bytes
	 * are there, and whether they were verified; `append` adds to the opened one. */
	int (*store_open)(void *self, const uint8_t hash[SHA256_BYTES], uint64_t size,
		uint64_t *have, int *complete, char *why);
	int (*store_append)(void *self, const uint8_t *data, size_t len, char *why);
	/* Adds bytes that are there already (m->data is NULL); WIRE_E_NOT_FOUND when they
	 * are not. NULL: it cannot, and config.flags say so. */
	int (*store_copy)(void *self, const struct wire_put *m, char *why);
	/* Hashes the opened content, or finds its CRC-32; WIRE_E_HASH after deleting it when
	 * it differs. */
	int (*store_verify)(void *self, uint32_t crc, char *why);

	/* Begins; WIRE_E_NOT_FOUND when image or input is not stored and verified. */
	int (*run_start)(void *self, const struct wire_run *rq, char *why);
	/* 1 when it has ended: `done` is filled, output_len and output_crc included. */
	int (*run_poll)(void *self, struct wire_done *done);
	/* Ends it now; returns when nothing of it is left. */
	void (*run_cancel)(void *self);
	/* Bytes of the last result; the range was checked against output_len. */
	void (*result_read)(void *self, uint32_t offset, uint8_t *out, size_t len);
	void (*reset)(void *self); /* after its answer was sent; NULL: nothing to do */
};

struct agent_config {
	uint32_t max_payload; /* >= WIRE_MIN_PAYLOAD */
	uint16_t window;
	uint32_t flags;
	uint64_t storage_bytes;
	uint32_t output_bytes;
	uint64_t clock_resolution_ns;
	const char *description; /* borrowed, as the texts below */
	const char *version, *sensor, *sensor_note;
	uint8_t *rx, *tx; /* FRAME_WIRE_BYTES(max_payload) each */
};

struct agent {
	const struct agent_ops *ops;
	void *self;
	struct agent_config c;
	struct frame_decoder decoder;
	uint32_t session, host_nonce; /* session 0: none */
	uint32_t top;		      /* highest request of this session */
	struct wire_offer upload;
	uint64_t have;
	uint8_t upload_open, upload_complete;
	uint8_t running, has_done;
	uint32_t run_id;
	uint64_t run_ns, beat_ns;
	struct wire_done done;
};

void agent_init(struct agent *a, const struct agent_ops *ops, void *self,
	const struct agent_config *c);
void agent_receive(struct agent *a, const uint8_t *data, size_t len);
/* To be called often while agent_running: sends BEAT and DONE. */
void agent_poll(struct agent *a);
int agent_running(const struct agent *a);
/* From within run_poll, of a machine that runs the image there and then: sends BEAT. */
void agent_beat(struct agent *a);
/* The line is gone: ends what runs. */
void agent_hangup(struct agent *a);

#endif
