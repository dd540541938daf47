#include "devices/proto/frame.h"

#include <string.h>

#include "devices/proto/bytes.h"
#include "devices/proto/crc32.h"

/* Reads ahead of where it writes: `out` never passes `in`. */
static size_t cobs_encode(const uint8_t *in, size_t n, uint8_t *out)
{
	const uint8_t *end = in + n;
	uint8_t *o = out;

	for (;;) {
		uint8_t *code = o++;

		while (in < end && *in && o - code < 255)
			*o++ = *in++;
		*code = (uint8_t)(o - code);
		if (in == end)
			return (size_t)(o - out);
		in += *code != 255; /* the zero that it stands for */
	}
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
static size_t sound(const struct frame_decoder *d)
{
	size_t n = d->len - 4;

	if (d->left || d->len < 5 || d->len == d->cap || d->buf[0] == 0 ||
		crc32_update(0, d->buf, n) != load_u32(d->buf + n))
		return 0;
	return n;
}

size_t frame_decoder_take(
	struct frame_decoder *d, const uint8_t *data, size_t len, size_t *n)
{
	uint8_t *const buf = d->buf; /* which does not lie in *d */
	size_t cap = d->cap, i = 0, at = d->len, left = d->left;
	int zero = d->zero;

	*n = 0;
	while (i < len && data[i]) {
		uint8_t byte = data[i++];

		if (left) {
			left--;
		} else {
			int due = zero;

			left = byte - 1u;
			zero = byte != 255;
			if (!due)
				continue;
			byte = 0;
		}
		if (at < cap)
			buf[at++] = byte;
	}
	d->len = at;
	d->left = left;
	d->zero = zero;
	if (i == len)
		return len;
	*n = sound(d);
	d->len = d->left = 0;
	d->zero = 0;
	return i + 1;
}
