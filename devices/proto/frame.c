#include "devices/proto/frame.h"

#include <string.h>

#include "devices/proto/bytes.h"
#include "devices/proto/crc32.h"

#define LONGEST 254 /* run of bytes behind one code */

/* Long runs are left to the library, where there is one. */
#if __STDC_HOSTED__
#define SHORT 16

static size_t copy_long_run(uint8_t *to, const uint8_t *from, size_t n)
{
	const uint8_t *zero = memchr(from, 0, n);

	n = zero ? (size_t)(zero - from) : n;
	memmove(to, from, n);
	return n;
}
#else
#define SHORT n
#define copy_long_run(to, from, n) 0
#endif

/* Copies up to the first 0x00, n bytes at most, and returns how many; `to` may lie before
 * `from` in the same buffer. */
static size_t copy_run(uint8_t *to, const uint8_t *from, size_t n)
{
	size_t i;

	for (i = 0; i < n && from[i]; i++) {
		if (i == SHORT)
			return i + copy_long_run(to + i, from + i, n - i);
		to[i] = from[i];
	}
	return i;
}

/* Reads ahead of where it writes: `out` never passes `in`. */
static size_t cobs_encode(const uint8_t *in, size_t n, uint8_t *out)
{
	uint8_t *o = out;

	for (;;) {
		size_t run = copy_run(o + 1, in, n < LONGEST ? n : LONGEST);

		*o = (uint8_t)(run + 1);
		o += run + 1;
		in += run;
		n -= run;
		if (!n)
			return (size_t)(o - out);
		if (run < LONGEST) { /* the zero that it stands for */
			in++;
			n--;
		}
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
		if (left) {
			size_t most = left < len - i ? left : len - i, run = 1;

			if (at < cap) {
				most = most < cap - at ? most : cap - at;
				run = copy_run(buf + at, data + i, most);
				at += run;
			}
			i += run;
			left -= run;
			continue;
		}
		if (zero && at < cap)
			buf[at++] = 0;
		left = data[i] - 1u;
		zero = data[i++] != 255;
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
