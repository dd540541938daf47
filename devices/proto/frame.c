#include "devices/proto/frame.h"

#include <string.h>

#include "devices/proto/bytes.h"
#include "devices/proto/crc32.h"

/* Reads ahead of where it writes: `out` never passes `in`. */
static size_t cobs_encode(const uint8_t *in, size_t n, uint8_t *out)
{
	uint8_t *code = out, *o = out + 1;

	for (const uint8_t *end = in + n; in < end; in++) {
		if (*in)
			*o++ = *in;
		if (*in && (o - code < 255 || in + 1 == end))
			continue;
		*code = (uint8_t)(o - code);
		code = o++;
	}
	*code = (uint8_t)(o - code);
	return (size_t)(o - out);
}

size_t frame_encode(uint8_t *wire, uint8_t *payload, size_t n)
{
	size_t len;

	store_u32(payload + n, crc32_update(0, payload, n));
	len = 1 + cobs_encode(payload, n + 4, wire + 1);
	wire[0] = 0;
	wire[len] = 0;
	return len + 1;
}

void frame_decoder_init(struct frame_decoder *d, uint8_t *buf, size_t cap)
{
	memset(d, 0, sizeof(*d));
	d->buf = buf;
	d->cap = cap;
}

/* The length of a sound payload, or 0. */
static size_t finish(struct frame_decoder *d)
{
	size_t n = d->len - 4;

	if (d->left || d->len < 5 || d->len == d->cap || d->buf[0] == 0 ||
		crc32_update(0, d->buf, n) != load_u32(d->buf + n))
		return 0;
	return n;
}

static void take(struct frame_decoder *d, uint8_t byte)
{
	if (d->len < d->cap)
		d->buf[d->len++] = byte;
}

size_t frame_decoder_take(struct frame_decoder *d, uint8_t byte)
{
	size_t n;

	if (byte == 0) {
		n = finish(d);
		d->len = d->left = 0;
		d->zero = 0;
		return n;
	}
	if (d->left) {
		d->left--;
		take(d, byte);
		return 0;
	}
	if (d->zero)
		take(d, 0);
	d->left = byte - 1u;
	d->zero = byte != 255;
	return 0;
}
