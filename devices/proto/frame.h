/* Frames on any carrier: 0x00, COBS(payload, CRC-32 of payload), 0x00.
 *
 * COBS (Cheshire and Baker 1999) takes every 0x00 out of the content, so a lost, doubled
 * or damaged byte costs at most the frames it touches and the next 0x00 starts anew. A
 * frame that does not decode is dropped in silence and never answered. So is one whose
 * payload is empty or begins with 0x00, which no message does: the CRC of nothing is 0, and
 * four zeros leave it where a payload and its own CRC do, so that such a frame with a piece
 * of it twice may be sound.
 * Freestanding; all buffers are the caller's.
 */
#ifndef HAWSER_DEVICES_PROTO_FRAME_H
#define HAWSER_DEVICES_PROTO_FRAME_H

#include <stddef.h>
#include <stdint.h>

/* Room that a payload of n bytes needs on the wire. */
#define FRAME_WIRE_BYTES(n) ((n) + 4 + ((n) + 4) / 254 + 1 + 2)

/* How far behind the start of a buffer of FRAME_WIRE_BYTES(n) a payload of n bytes must
 * stand, at least, to be encoded in place. */
#define FRAME_HEADROOM(n) (2 + ((n) + 4) / 254)
/* Encodes into `wire`; the payload stands there too, and is lost with the 4 bytes behind
 * it. Returns the number of bytes to send from `wire`. */
size_t frame_encode(uint8_t *wire, uint8_t *payload, size_t n);

struct frame_decoder {
	uint8_t *buf; /* borrowed: FRAME_WIRE_BYTES(largest payload) */
	size_t cap;
	size_t len;  /* bytes decoded; cap: too many, up to the next 0x00 */
	size_t left; /* of the run that is being read */
	int zero;    /* a 0x00 follows that run, unless the frame ends with it */
};

void frame_decoder_init(struct frame_decoder *d, uint8_t *buf, size_t cap);
/* Takes bytes up to the end of a frame, at most `len`, and returns how many. *n becomes the
 * length of the payload, at d->buf until the next call, of the sound frame that they
 * complete, else 0. */
size_t frame_decoder_take(
	struct frame_decoder *d, const uint8_t *data, size_t len, size_t *n);

#endif
