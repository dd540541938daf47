/* Bounded little-endian codec: numbers and strings put to and got from a byte range,
 * field by field. The only way bytes of the wire become numbers; no struct is ever
 * copied.
 *
 * Failure is sticky: after a put that does not fit or a get past the end, `failed` is set
 * and later calls do nothing (gets return 0), so a message is checked once at its end.
 * Freestanding; inline, so that a program of one file (boards/linux/main.c) can use it.
 */
#ifndef HAWSER_DEVICES_PROTO_BYTES_H
#define HAWSER_DEVICES_PROTO_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct put {
	uint8_t *at; /* borrowed */
	size_t len, cap;
	int failed;
};

struct get {
	const uint8_t *at; /* borrowed */
	size_t pos, len;
	int failed;
};

/* One instruction each where the processor can: inline wherever that counts. */
#define BYTES_INLINE static inline __attribute__((always_inline))

BYTES_INLINE uint32_t load_u32(const uint8_t *b)
{
	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

BYTES_INLINE void store_u32(uint8_t *b, uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	__builtin_memcpy(
		b, &v, sizeof(v)); /* compilers do not see it in the bytes below */
#else
	for (int i = 0; i < 4; i++)
		b[i] = (uint8_t)(v >> (8 * i));
#endif
}

BYTES_INLINE void put_init(struct put *p, void *at, size_t cap)
{
	p->at = at;
	p->len = 0;
	p->cap = cap;
	p->failed = 0;
}

/* Where the next n bytes go, which count as put; or NULL. */
BYTES_INLINE uint8_t *put_room(struct put *p, size_t n)
{
	uint8_t *at = p->at + p->len;

	if (p->failed || n > p->cap - p->len) {
		p->failed = 1;
		return NULL;
	}
	p->len += n;
	return at;
}

static inline void put_bytes(struct put *p, const void *data, size_t n)
{
	uint8_t *at = put_room(p, n);

	if (at && n)
		memcpy(at, data, n);
}

static inline void put_uint(struct put *p, uint64_t v, size_t n)
{
	uint8_t *at = put_room(p, n);

	for (size_t i = 0; at && i < n; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

static inline void put_u8(struct put *p, uint8_t v)
{
	put_uint(p, v, 1);
}

static inline void put_u16(struct put *p, uint16_t v)
{
	put_uint(p, v, 2);
}

static inline void put_u32(struct put *p, uint32_t v)
{
	uint8_t *at = put_room(p, 4);

	if (at)
		store_u32(at, v);
}

static inline void put_u64(struct put *p, uint64_t v)
{
	put_uint(p, v, 8);
}

static inline void put_i32(struct put *p, int32_t v)
{
	put_uint(p, (uint32_t)v, 4);
}

/* IEEE 754, as bits. */
static inline void put_f32(struct put *p, float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put_uint(p, bits, 4);
}

static inline void put_f64(struct put *p, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put_uint(p, bits, 8);
}

/* One byte of length, then the bytes; longer text is cut at 255. */
static inline void put_str(struct put *p, const char *s)
{
	size_t n = strlen(s);

	if (n > 255)
		n = 255;
	put_u8(p, (uint8_t)n);
	put_bytes(p, s, n);
}

BYTES_INLINE void get_init(struct get *g, const void *at, size_t len)
{
	g->at = at;
	g->pos = 0;
	g->len = len;
	g->failed = 0;
}

BYTES_INLINE size_t get_left(const struct get *g)
{
	return g->failed ? 0 : g->len - g->pos;
}

/* n bytes where they lie, or NULL. */
BYTES_INLINE const uint8_t *get_bytes(struct get *g, size_t n)
{
	const uint8_t *at;

	if (g->failed || n > g->len - g->pos) {
		g->failed = 1;
		return NULL;
	}
	at = g->at + g->pos;
	g->pos += n;
	return at;
}

/* All that is left where it lies, or NULL when that is not n bytes. */
BYTES_INLINE const uint8_t *get_rest(struct get *g, size_t n)
{
	if (get_left(g) != n)
		g->failed = 1;
	return get_bytes(g, n);
}

static inline uint64_t get_uint(struct get *g, size_t n)
{
	const uint8_t *b = get_bytes(g, n);
	uint64_t v = 0;

	if (!b)
		return 0;
	for (size_t i = n; i > 0; i--)
		v = v << 8 | b[i - 1];
	return v;
}

static inline uint8_t get_u8(struct get *g)
{
	return (uint8_t)get_uint(g, 1);
}

static inline uint16_t get_u16(struct get *g)
{
	return (uint16_t)get_uint(g, 2);
}

static inline uint32_t get_u32(struct get *g)
{
	return (uint32_t)get_uint(g, 4);
}

static inline uint64_t get_u64(struct get *g)
{
	return get_uint(g, 8);
}

static inline int32_t get_i32(struct get *g)
{
	uint32_t v = get_u32(g);
	int32_t out;

	memcpy(&out, &v, sizeof(out));
	return out;
}

static inline float get_f32(struct get *g)
{
	uint32_t bits = get_u32(g);
	float v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static inline double get_f64(struct get *g)
{
	uint64_t bits = get_u64(g);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* Into a buffer of `cap` bytes, always terminated; fails when it does not fit. Bytes that
 * are not printable ASCII become '?': the text goes to people's terminals. */
static inline void get_str(struct get *g, char *out, size_t cap)
{
	size_t n = get_u8(g);
	const uint8_t *b = get_bytes(g, n);

	out[0] = '\0';
	if (!b)
		return;
	if (n >= cap) {
		g->failed = 1;
		return;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = b[i] >= 32 && b[i] < 127 ? (char)b[i] : '?';
	out[n] = '\0';
}

/* 1 when everything was read, nothing is left over and nothing failed. */
static inline int get_end(const struct get *g)
{
	return !g->failed && g->pos == g->len;
}

#endif
