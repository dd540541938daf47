#include "devices/proto/frame.h"

#include <string.h>

#include "devices/proto/crc32.h"

/* Leading 0x00 and one code byte for each 254 bytes of content. */
size_t frame_headroom(size_t n)
{
	return 1 + 1 + (n + 4) / 254;
}

/* Reads ahead of where it writes: `out` never passes `in`. */
static size_t cobs_encode(const uint8_t *in, size_t n, uint8_t *out)
{
	size_t i = 0, o = 0;

	for (;;) {
		size_t most = n - i < 254 ? n - i : 254;
		const uint8_t *zero = memchr(in + i, 0, most);
		size_t run = zero ? (size_t)(zero - (in + i)) : most;

		memmove(out + o + 1, in + i, run);
		out[o] = (uint8_t)(run + 1);
		o += run + 1;
		i += run + (zero != NULL);
		if (i < n)
			continue;
		if (zero)
			out[o++] = 1; /* the zero was the last byte */
		return o;
	}
}

/* In place. 0 when it is not COBS; content has at least the CRC, so 0 is no length. */
static size_t cobs_decode(uint8_t *b, size_t n)
{
	size_t i = 0, o = 0;

	while (i < n) {
		size_t code = b[i++];

		if (code == 0 || code - 1 > n - i)
			return 0;
		memmove(b + o, b + i, code - 1);
		o += code - 1;
		i += code - 1;
		if (code != 0xff && i < n)
			b[o++] = 0;
	}
	return o;
}

size_t frame_encode(uint8_t *wire, size_t cap, size_t n)
{
	uint8_t *payload = wire + frame_headroom(n);
	uint32_t crc;
	size_t len;

	if (cap < FRAME_WIRE_BYTES(n))
		return 0;
	crc = crc32_update(0, payload, n);
	for (size_t i = 0; i < 4; i++)
		payload[n + i] = (uint8_t)(crc >> (8 * i));
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

static int finish(struct frame_decoder *d, size_t *n)
{
	size_t len = d->overrun ? 0 : cobs_decode(d->buf, d->len);
	uint32_t crc = 0;

	d->len = 0;
	d->overrun = 0;
	if (len < 5 || d->buf[0] == 0) {
		d->n_bad++;
		return 0;
	}
	for (size_t i = 4; i > 0; i--)
		crc = crc << 8 | d->buf[len - 5 + i];
	if (crc32_update(0, d->buf, len - 4) != crc) {
		d->n_bad++;
		return 0;
	}
	d->n_good++;
	*n = len - 4;
	return 1;
}

size_t frame_decoder_take(
	struct frame_decoder *d, const uint8_t *data, size_t len, size_t *n, int *sound)
{
	const uint8_t *zero = memchr(data, 0, len);
	size_t content = zero ? (size_t)(zero - data) : len;

	*sound = 0;
	if (content > d->cap - d->len)
		d->overrun = 1;
	else
		memcpy(d->buf + d->len, data, content);
	d->len = d->overrun ? d->cap : d->len + content;
	if (!zero)
		return len;
	if (d->len)
		*sound = finish(d, n);
	return content + 1;
}
