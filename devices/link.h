/* The host's side of devices/PROTOCOL.md: frames over a transport, sessions, repetition.
 * Internal to devices/: callers use device.h.
 *
 * A refusal by the agent (ERROR) is kept in `refusal` and returned as ERR_INVALID;
 * ERR_LINK means that no sensible answer came in spite of repetition; ERR_DEVICE that the
 * agent has forgotten the session (it was restarted).
 *
 * Nothing here can be kept going for ever by what the agent says: a call has its tries, an
 * upload or a fetch its time, and what is fetched is no longer than LINK_MAX_BLOB.
 */
#ifndef HAWSER_DEVICES_LINK_H
#define HAWSER_DEVICES_LINK_H

#include "devices/proto/frame.h"
#include "devices/proto/message.h"
#include "devices/transport/transport.h"
#include "src/base/buf.h"
#include "src/base/err.h"

#define LINK_TRIES 8
#define LINK_CALL_TRIES 6 /* of one that has answered before: 7 s, so that it is found out soon */
#define LINK_MAX_PAYLOAD 65536
#define LINK_MAX_BLOB (64u << 20) /* as a Linux agent's largest result */

struct link {
	struct transport *t; /* owned; NULL when closed */
	struct wire_welcome welcome;
	uint32_t request;
	uint32_t chunk;	    /* bytes per PUT or FETCH now: halved on a bad line */
	uint32_t bad, good; /* in a row */
	uint32_t largest;   /* content offered in this session: bytes */
	uint64_t until_ms;  /* when the upload or fetch under way has to be over */
	uint32_t
		byte_ns; /* what a byte takes on the line; 0: nothing. Set after link_attach */
	uint64_t sent; /* bytes of frames, since link_attach */
	int fresh;     /* nothing was said on this line yet: no need to wait for quiet */
	struct wire_error refusal;
	/* Another way into the device's memory, or NULL: puts bytes there and tells where. Set
	 * after link_attach. Its failures are its own to tell: the line then serves. */
	enum err (*stage)(void *self, const uint8_t *data, size_t len, uint32_t *address,
		struct err_ctx *ctx);
	void *stage_self;
	/* The image that was verified last in this session; owned. */
	uint8_t *held;
	size_t held_len;
	uint8_t held_hash[SHA256_BYTES];
	struct put body; /* of the request being made */
	struct frame_decoder decoder;
	/* Received bytes that are not decoded yet. */
	uint8_t raw[16384];
	size_t raw_at, raw_len;
	uint8_t rx[FRAME_WIRE_BYTES(LINK_MAX_PAYLOAD)];
	uint8_t tx[FRAME_WIRE_BYTES(LINK_MAX_PAYLOAD)];
	uint8_t body_bytes[LINK_MAX_PAYLOAD];
};

/* How long an answer is waited for in try i, below LINK_TRIES: with what a frame and its answer
 * take on a slow line. */
int link_try_ms(const struct link *l, int i);
/* What the device may take besides to go through the largest content that it was offered: a
 * board, deaf meanwhile. */
int link_work_ms(const struct link *l);

void link_init(struct link *l);
/* Closes what is open; takes the transport. */
void link_attach(struct link *l, struct transport *t);
void link_close(struct link *l);

/* Two 0x00, silence, HELLO: opens a new session. ERR_DEVICE when the device is leased. */
enum err link_hello(struct link *l, struct err_ctx *ctx);

/* A request: begin, put the body, then call or post. */
struct put *link_begin(struct link *l);
/* Sends and waits for `answer`, repeating; *g then stands at the answer's body, which
 * is valid until the next call. */
enum err link_call(
	struct link *l, uint8_t type, uint8_t answer, struct get *g, struct err_ctx *ctx);
/* Sends as a new request and does not wait. */
enum err link_post(struct link *l, uint8_t type, struct err_ctx *ctx);
/* Sends the current body under the current request number again. */
enum err link_repost(struct link *l, uint8_t type, struct err_ctx *ctx);
/* The next sound frame of this session, whatever request it answers; ERR_TIMEOUT. An
 * ERROR fills `refusal`. */
enum err link_next(struct link *l, int timeout_ms, struct wire_header *h, struct get *g,
	struct err_ctx *ctx);
enum err link_refused(const struct link *l, struct err_ctx *ctx);

struct link_content {
	const uint8_t *hash; /* SHA256_BYTES; borrowed, as the data */
	const uint8_t *data;
	size_t len;
	int is_image;	 /* may be sent as what differs from the image before */
	int once;	 /* no second try when the bytes do not match the hash */
	uint8_t spoiled; /* 1: with a wrong CRC, for whoever wants it refused */
};

/* Content by hash, resumed where an earlier upload ended. By the quickest way there is:
 * `stage`, what differs from the image before, the line; the device's hash decides. */
enum err link_upload(struct link *l, const struct link_content *c, struct err_ctx *ctx);
void link_forget_held(struct link *l);
/* Appends the `len` bytes of a run's result to `out` and compares their CRC-32. */
enum err link_fetch(struct link *l, uint32_t run, uint32_t len, uint32_t crc,
	struct buf *out, struct err_ctx *ctx);

#endif
