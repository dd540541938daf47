#include "devices/proto/message.h"

#include <stddef.h>

/* Requests, and the answers that are short: all that a small agent needs. */

void put_header(struct put *p, const struct wire_header *h)
{
	uint8_t *b = put_room(p, WIRE_HEADER_BYTES);

	if (!b)
		return;
	b[0] = h->type;
	store_u32(b + 1, h->session);
	store_u32(b + 5, h->request);
}

int get_header(struct get *g, struct wire_header *h)
{
	const uint8_t *b = get_bytes(g, WIRE_HEADER_BYTES);

	if (!b)
		return 0;
	h->type = b[0];
	h->session = load_u32(b + 1);
	h->request = load_u32(b + 5);
	return 1;
}

void put_hello(struct put *p, const struct wire_hello *m)
{
	put_u16(p, m->version_lo);
	put_u16(p, m->version_hi);
	put_u32(p, m->host_nonce);
}

int get_hello(struct get *g, struct wire_hello *m)
{
	const uint8_t *b = get_rest(g, 8);

	if (!b)
		return 0;
	m->version_lo = (uint16_t)(b[0] | b[1] << 8);
	m->version_hi = (uint16_t)(b[2] | b[3] << 8);
	m->host_nonce = load_u32(b + 4);
	return 1;
}

void put_offer(struct put *p, const struct wire_offer *m)
{
	put_bytes(p, m->hash, SHA256_BYTES);
	put_u32(p, m->size);
	put_u32(p, m->crc);
}

int get_offer(struct get *g, struct wire_offer *m)
{
	const uint8_t *b = get_rest(g, SHA256_BYTES + 8);

	if (!b)
		return 0;
	m->hash = b;
	m->size = load_u32(b + SHA256_BYTES);
	m->crc = load_u32(b + SHA256_BYTES + 4);
	return 1;
}

void put_have(struct put *p, const struct wire_have *m)
{
	put_u32(p, m->have);
	put_u8(p, m->complete);
}

int get_have(struct get *g, struct wire_have *m)
{
	m->have = get_u32(g);
	m->complete = get_u8(g);
	return get_end(g) && m->complete <= 1;
}

void put_put(struct put *p, const struct wire_put *m)
{
	put_u32(p, m->offset);
	put_bytes(p, m->data, m->len);
}

int get_put(struct get *g, struct wire_put *m)
{
	size_t n = get_left(g);
	const uint8_t *b = get_rest(g, n);

	if (!b || n <= 4)
		return 0;
	m->offset = load_u32(b);
	m->len = (uint32_t)(n - 4);
	m->data = b + 4;
	m->held = m->from = 0;
	return 1;
}

void put_copy(struct put *p, const struct wire_put *m)
{
	put_u32(p, m->offset);
	put_u32(p, m->held);
	put_u32(p, m->from);
	put_u32(p, m->len);
}

int get_copy(struct get *g, struct wire_put *m)
{
	const uint8_t *b = get_rest(g, 16);

	if (!b)
		return 0;
	m->offset = load_u32(b);
	m->held = load_u32(b + 4);
	m->from = load_u32(b + 8);
	m->len = load_u32(b + 12);
	m->data = NULL;
	return m->len > 0;
}

#define RUN_BYTES (2 * SHA256_BYTES + 2 + 7 * 4 + 8)

void put_run(struct put *p, const struct wire_run *m)
{
	put_bytes(p, m->image, SHA256_BYTES);
	put_bytes(p, m->input, SHA256_BYTES);
	put_u8(p, m->mode);
	put_u8(p, m->phase);
	put_u32(p, m->n_warmup);
	put_u32(p, m->n_samples);
	put_u32(p, m->min_sample_ns);
	put_u32(p, m->n_tokens);
	put_u32(p, m->timeout_ms);
	put_u32(p, m->process_index);
	put_u32(p, m->attempt);
	put_u64(p, m->memory_bytes);
}

int get_run(struct get *g, struct wire_run *m)
{
	const uint8_t *b = get_rest(g, RUN_BYTES);

	if (!b)
		return 0;
	m->image = b;
	m->input = b + SHA256_BYTES;
	b += 2 * SHA256_BYTES;
	m->mode = b[0];
	m->phase = b[1];
	m->n_warmup = load_u32(b + 2);
	m->n_samples = load_u32(b + 6);
	m->min_sample_ns = load_u32(b + 10);
	m->n_tokens = load_u32(b + 14);
	m->timeout_ms = load_u32(b + 18);
	m->process_index = load_u32(b + 22);
	m->attempt = load_u32(b + 26);
	m->memory_bytes = load_u32(b + 30) | (uint64_t)load_u32(b + 34) << 32;
	return m->mode < N_MODES && m->phase <= 1 && m->timeout_ms > 0;
}

void put_fetch(struct put *p, const struct wire_fetch *m)
{
	put_u32(p, m->run);
	put_u32(p, m->offset);
	put_u32(p, m->len);
}

int get_fetch(struct get *g, struct wire_fetch *m)
{
	const uint8_t *b = get_rest(g, 12);

	if (!b)
		return 0;
	m->run = load_u32(b);
	m->offset = load_u32(b + 4);
	m->len = load_u32(b + 8);
	return m->len > 0 && m->len <= UINT32_MAX - m->offset;
}

int get_data(struct get *g, struct wire_data *m)
{
	m->offset = get_u32(g);
	m->len = (uint32_t)get_left(g);
	m->data = get_bytes(g, m->len);
	return m->len > 0;
}

/* Long answers: fields in the order of the wire; both directions read the same table. A
 * number is as wide there as in its struct. */
struct field {
	uint16_t at;
	uint8_t bytes; /* of a number */
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
		uint64_t v;

		if (f->cap) {
			get_str(g, (char *)at, f->cap);
		} else {
			v = get_uint(g, f->bytes);
			memcpy(at, (uint8_t *)&v + BEGIN(f->bytes), f->bytes);
		}
	}
}

/* The first are WELCOME's own, the others about the machine. */
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
	TEXT(wire_welcome, agent),
	TEXT(wire_welcome, sensor),
	TEXT(wire_welcome, sensor_note),
};
#define N_OWN 4

void put_welcome(struct put *p, const struct wire_welcome *m)
{
	put_fields(p, welcome_fields, N_OWN, m);
	put_about(p, m);
}

void put_about(struct put *p, const struct wire_welcome *m)
{
	put_fields(p, welcome_fields + N_OWN, N_FIELDS(welcome_fields) - N_OWN, m);
	put_bytes(p, m->description, m->description_len);
}

int get_welcome(struct get *g, struct wire_welcome *m)
{
	const uint8_t *text;

	get_fields(g, welcome_fields, N_FIELDS(welcome_fields), m);
	m->description_len = (uint32_t)get_left(g);
	text = get_bytes(g, m->description_len);
	if (!text || m->description_len >= sizeof(m->description))
		return 0;
	memcpy(m->description, text, m->description_len);
	memset(m->description + m->description_len, 0,
		sizeof(m->description) - m->description_len);
	return m->session != 0 && m->window > 0 && m->max_payload >= WIRE_MIN_PAYLOAD;
}

static const struct field board_fields[] = {
	FIXED(wire_board, window_base),
	FIXED(wire_board, window_bytes),
	FIXED(wire_board, code_base),
	FIXED(wire_board, code_bytes),
	FIXED(wire_board, clock_hz),
	TEXT(wire_board, core),
	TEXT(wire_board, name),
	FIXED(wire_board, cpuid),
	FIXED(wire_board, mvfr0),
	FIXED(wire_board, mvfr1),
	FIXED(wire_board, found),
	FIXED(wire_board, boots),
	FIXED(wire_board, reset),
};

void put_board(struct put *p, const struct wire_board *m)
{
	put_fields(p, board_fields, N_FIELDS(board_fields), m);
}

int get_board(struct get *g, struct wire_board *m)
{
	get_fields(g, board_fields, N_FIELDS(board_fields), m);
	return get_end(g);
}

/* Before the words, and behind them. */
static const struct field done_fields[] = {
	FIXED(wire_done, outcome),
	FIXED(wire_done, n_words),
	FIXED(wire_done, code),
	FIXED(wire_done, output_len),
	FIXED(wire_done, output_crc),
	FIXED(wire_done, wall_ns),
	FIXED(wire_done, stack_bytes),
	TEXT(wire_done, detail),
	FIXED(wire_done, cpu_ns),
	FIXED(wire_done, peak_rss_bytes),
	FIXED(wire_done, n_vcsw),
	FIXED(wire_done, n_ivcsw),
	FIXED(wire_done, freq_before_khz),
	FIXED(wire_done, freq_after_khz),
	FIXED(wire_done, temp_before_mc),
	FIXED(wire_done, temp_after_mc),
	FIXED(wire_done, n_quota),
	FIXED(wire_done, quota_us),
	FIXED(wire_done, n_slowed),
	TEXT(wire_done, governor),
	FIXED(wire_done, energy_uj),
	FIXED(wire_done, idle_uw),
	TEXT(wire_done, energy_note),
};
#define N_FIRST 7

void put_done(struct put *p, const struct wire_done *m)
{
	put_fields(p, done_fields, N_FIRST, m);
	for (int i = 0; i < m->n_words; i++)
		put_u32(p, m->words[i]);
	if (!m->brief)
		put_fields(p, done_fields + N_FIRST, N_FIELDS(done_fields) - N_FIRST, m);
}

int get_done(struct get *g, struct wire_done *m)
{
	memset(m, 0, sizeof(*m));
	get_fields(g, done_fields, N_FIRST, m);
	if (m->n_words > WIRE_MAX_WORDS)
		return 0;
	for (int i = 0; i < m->n_words; i++)
		m->words[i] = get_u32(g);
	m->temp_before_mc = m->temp_after_mc = WIRE_TEMP_UNKNOWN;
	m->brief = (uint8_t)get_end(g);
	if (!m->brief)
		get_fields(g, done_fields + N_FIRST, N_FIELDS(done_fields) - N_FIRST, m);
	return get_end(g) && m->outcome < N_OUTCOMES;
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
