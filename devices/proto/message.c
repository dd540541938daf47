#include "devices/proto/message.h"

#include <stddef.h>

/* A message's fields in the order of the wire; both directions read the same table. A
 * number is as wide there as in its struct. */
struct field {
	uint16_t at;
	uint8_t bytes; /* of a number or a hash */
	uint8_t cap;   /* of a text's array; 0: no text */
};
#define FIXED(s, m)                                                                      \
	{                                                                                \
		offsetof(struct s, m), sizeof(((struct s *)0)->m), 0                     \
	}
#define TEXT(s, m)                                                                       \
	{                                                                                \
		offsetof(struct s, m), 0, sizeof(((struct s *)0)->m)                     \
	}
#define N_FIELDS(table) (sizeof(table) / sizeof((table)[0]))

/* Where in a uint64_t the bytes of a narrower number begin. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define BEGIN(bytes) (8 - (bytes))
#else
#define BEGIN(bytes) 0
#endif

static void put_fields(struct put *p, const struct field *f, size_t n, const void *m)
{
	for (; n; n--, f++) {
		const uint8_t *at = (const uint8_t *)m + f->at;
		uint64_t v = 0;

		if (f->cap) {
			put_str(p, (const char *)at);
		} else if (f->bytes == SHA256_BYTES) {
			put_bytes(p, at, SHA256_BYTES);
		} else {
			memcpy((uint8_t *)&v + BEGIN(f->bytes), at, f->bytes);
			put_uint(p, v, f->bytes);
		}
	}
}

/* What is missing becomes zeros. */
static void get_fields(struct get *g, const struct field *f, size_t n, void *m)
{
	for (; n; n--, f++) {
		uint8_t *at = (uint8_t *)m + f->at;
		const uint8_t *hash;
		uint64_t v;

		if (f->cap) {
			get_str(g, (char *)at, f->cap);
		} else if (f->bytes == SHA256_BYTES) {
			hash = get_bytes(g, SHA256_BYTES);
			memset(at, 0, SHA256_BYTES);
			if (hash)
				memcpy(at, hash, SHA256_BYTES);
		} else {
			v = get_uint(g, f->bytes);
			memcpy(at, (uint8_t *)&v + BEGIN(f->bytes), f->bytes);
		}
	}
}

static const struct field header_fields[] = {
	FIXED(wire_header, type),
	FIXED(wire_header, session),
	FIXED(wire_header, request),
};

void put_header(struct put *p, const struct wire_header *h)
{
	put_fields(p, header_fields, N_FIELDS(header_fields), h);
}

int get_header(struct get *g, struct wire_header *h)
{
	get_fields(g, header_fields, N_FIELDS(header_fields), h);
	return !g->failed;
}

static const struct field hello_fields[] = {
	FIXED(wire_hello, version_lo),
	FIXED(wire_hello, version_hi),
	FIXED(wire_hello, host_nonce),
};

void put_hello(struct put *p, const struct wire_hello *m)
{
	put_fields(p, hello_fields, N_FIELDS(hello_fields), m);
}

int get_hello(struct get *g, struct wire_hello *m)
{
	get_fields(g, hello_fields, N_FIELDS(hello_fields), m);
	return get_end(g) && m->version_lo <= m->version_hi;
}

static const struct field welcome_fields[] = {
	FIXED(wire_welcome, version),
	FIXED(wire_welcome, host_nonce),
	FIXED(wire_welcome, session),
	FIXED(wire_welcome, max_payload),
	FIXED(wire_welcome, window),
	FIXED(wire_welcome, flags),
	FIXED(wire_welcome, storage_bytes),
	FIXED(wire_welcome, output_bytes),
	FIXED(wire_welcome, clock_resolution_ns),
	FIXED(wire_welcome, description_len),
	FIXED(wire_welcome, description_crc),
	TEXT(wire_welcome, agent),
	TEXT(wire_welcome, sensor),
	TEXT(wire_welcome, sensor_note),
};

void put_welcome(struct put *p, const struct wire_welcome *m)
{
	put_fields(p, welcome_fields, N_FIELDS(welcome_fields), m);
}

int get_welcome(struct get *g, struct wire_welcome *m)
{
	get_fields(g, welcome_fields, N_FIELDS(welcome_fields), m);
	return get_end(g) && m->session != 0 && m->window > 0 &&
	       m->max_payload >= WIRE_MIN_PAYLOAD &&
	       m->description_len < WIRE_DESCRIPTION_BYTES;
}

static const struct field offer_fields[] = {
	FIXED(wire_offer, hash),
	FIXED(wire_offer, size),
	FIXED(wire_offer, crc),
};

void put_offer(struct put *p, const struct wire_offer *m)
{
	put_fields(p, offer_fields, N_FIELDS(offer_fields), m);
}

int get_offer(struct get *g, struct wire_offer *m)
{
	get_fields(g, offer_fields, N_FIELDS(offer_fields), m);
	return get_end(g);
}

static const struct field have_fields[] = {
	FIXED(wire_have, have),
	FIXED(wire_have, complete),
};

void put_have(struct put *p, const struct wire_have *m)
{
	put_fields(p, have_fields, N_FIELDS(have_fields), m);
}

int get_have(struct get *g, struct wire_have *m)
{
	get_fields(g, have_fields, N_FIELDS(have_fields), m);
	return get_end(g) && m->complete <= 1;
}

void put_put(struct put *p, const struct wire_put *m)
{
	put_u64(p, m->offset);
	put_bytes(p, m->data, m->len);
}

int get_put(struct get *g, struct wire_put *m)
{
	m->offset = get_u64(g);
	m->len = (uint32_t)get_left(g);
	m->data = get_bytes(g, m->len);
	m->held = 0;
	m->from = 0;
	return get_end(g) && m->len > 0;
}

void put_copy(struct put *p, const struct wire_put *m)
{
	put_u64(p, m->offset);
	put_u32(p, m->held);
	put_u64(p, m->from);
	put_u32(p, m->len);
}

int get_copy(struct get *g, struct wire_put *m)
{
	m->offset = get_u64(g);
	m->held = get_u32(g);
	m->from = get_u64(g);
	m->len = get_u32(g);
	m->data = NULL;
	return get_end(g) && m->len > 0;
}

static const struct field run_fields[] = {
	FIXED(wire_run, image),
	FIXED(wire_run, input),
	FIXED(wire_run, mode),
	FIXED(wire_run, phase),
	FIXED(wire_run, process_index),
	FIXED(wire_run, attempt),
	FIXED(wire_run, n_warmup),
	FIXED(wire_run, n_samples),
	FIXED(wire_run, min_sample_ns),
	FIXED(wire_run, n_tokens),
	FIXED(wire_run, timeout_ms),
	FIXED(wire_run, memory_bytes),
};

void put_run(struct put *p, const struct wire_run *m)
{
	put_fields(p, run_fields, N_FIELDS(run_fields), m);
}

int get_run(struct get *g, struct wire_run *m)
{
	get_fields(g, run_fields, N_FIELDS(run_fields), m);
	return get_end(g) && m->mode < N_MODES && m->phase <= 1 && m->timeout_ms > 0;
}

static const struct field done_fields[] = {
	FIXED(wire_done, outcome),
	FIXED(wire_done, code),
	TEXT(wire_done, detail),
	FIXED(wire_done, output_len),
	FIXED(wire_done, output_crc),
	FIXED(wire_done, wall_ns),
	FIXED(wire_done, cpu_ns),
	FIXED(wire_done, peak_rss_bytes),
	FIXED(wire_done, n_vcsw),
	FIXED(wire_done, n_ivcsw),
	FIXED(wire_done, freq_before_khz),
	FIXED(wire_done, freq_after_khz),
	FIXED(wire_done, temp_before_mc),
	FIXED(wire_done, temp_after_mc),
	TEXT(wire_done, governor),
	FIXED(wire_done, energy_uj),
	FIXED(wire_done, idle_uw),
	TEXT(wire_done, energy_note),
	FIXED(wire_done, stack_bytes),
};

void put_done(struct put *p, const struct wire_done *m)
{
	put_fields(p, done_fields, N_FIELDS(done_fields), m);
}

int get_done(struct get *g, struct wire_done *m)
{
	get_fields(g, done_fields, N_FIELDS(done_fields), m);
	return get_end(g) && m->outcome < N_OUTCOMES;
}

static const struct field fetch_fields[] = {
	FIXED(wire_fetch, blob),
	FIXED(wire_fetch, run),
	FIXED(wire_fetch, offset),
	FIXED(wire_fetch, len),
};

void put_fetch(struct put *p, const struct wire_fetch *m)
{
	put_fields(p, fetch_fields, N_FIELDS(fetch_fields), m);
}

int get_fetch(struct get *g, struct wire_fetch *m)
{
	get_fields(g, fetch_fields, N_FIELDS(fetch_fields), m);
	return get_end(g) && m->blob < N_BLOBS && m->len > 0 &&
	       m->len <= UINT32_MAX - m->offset;
}

int get_data(struct get *g, struct wire_data *m)
{
	m->offset = get_u32(g);
	m->len = (uint32_t)get_left(g);
	m->data = get_bytes(g, m->len);
	return get_end(g) && m->len > 0;
}

void put_ping(struct put *p, const struct wire_ping *m)
{
	put_u64(p, m->clock_ns);
	put_u8(p, (uint8_t)m->len);
	put_bytes(p, m->data, m->len);
}

int get_ping(struct get *g, struct wire_ping *m)
{
	const uint8_t *b;

	m->clock_ns = get_u64(g);
	m->len = get_u8(g);
	b = get_bytes(g, m->len);
	if (!get_end(g) || m->len > WIRE_PING_BYTES)
		return 0;
	memcpy(m->data, b, m->len);
	return 1;
}

const char *wire_code_text(uint16_t code)
{
	static const char *const text[] = {"failed", "unknown request",
		"malformed request", "no such session", "no common protocol version",
		"another controller holds the device", "busy with a run", "too large",
		"no space left", "not stored here", "the bytes do not match their hash",
		"storage failed"};

	return text[code < sizeof(text) / sizeof(text[0]) ? code : 0];
}

static const struct field error_fields[] = {
	FIXED(wire_error, code),
	TEXT(wire_error, text),
};

void put_error(struct put *p, const struct wire_error *m)
{
	put_fields(p, error_fields, N_FIELDS(error_fields), m);
}

int get_error(struct get *g, struct wire_error *m)
{
	get_fields(g, error_fields, N_FIELDS(error_fields), m);
	return get_end(g) && m->code > 0;
}
