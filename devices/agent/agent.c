#include "devices/agent/agent.h"

#include "devices/proto/crc32.h"

#define BEAT_NS 1000000000u

void agent_init(struct agent *a, const struct agent_ops *ops, void *self,
	const struct agent_config *c)
{
	memset(a, 0, sizeof(*a));
	a->ops = ops;
	a->self = self;
	a->c = *c;
	frame_decoder_init(&a->decoder, c->rx, FRAME_WIRE_BYTES(c->max_payload));
}

int agent_running(const struct agent *a)
{
	return a->running;
}

/* Answers. A payload of unknown length is built behind the headroom of the longest. */

static void begin(
	struct agent *a, struct put *p, uint8_t type, uint32_t session, uint32_t request)
{
	struct wire_header h = {type, session, request};

	put_init(p, a->c.tx + frame_headroom(a->c.max_payload), a->c.max_payload);
	put_header(p, &h);
}

static void finish(struct agent *a, struct put *p)
{
	size_t skip = frame_headroom(a->c.max_payload) - frame_headroom(p->len);
	size_t cap = FRAME_WIRE_BYTES(a->c.max_payload);
	size_t n;

	if (p->failed)
		return; /* our own messages fit WIRE_ANSWER_BYTES; a bug must not send
			   half */
	n = frame_encode(a->c.tx + skip, cap - skip, p->len);
	a->ops->send(a->self, a->c.tx + skip, n);
}

static void answer_error(
	struct agent *a, const struct wire_header *h, int code, const char *why)
{
	struct put p;

	begin(a, &p, WIRE_ERROR, h->session, h->request);
	put_u16(&p, (uint16_t)code);
	put_str(&p, why);
	finish(a, &p);
}

static void answer_have(struct agent *a, const struct wire_header *h)
{
	struct wire_have m = {a->have, a->upload_complete};
	struct put p;

	begin(a, &p, h->type | WIRE_ANSWER, h->session, h->request);
	put_have(&p, &m);
	finish(a, &p);
}

static void answer_empty(struct agent *a, const struct wire_header *h)
{
	struct put p;

	begin(a, &p, h->type | WIRE_ANSWER, h->session, h->request);
	finish(a, &p);
}

/* ns / 10^6, to 1e-7, where dividing 64 bits is a page of code. */
static uint32_t to_ms(uint64_t ns)
{
	return (uint32_t)((ns >> 10) * 4398047 >> 32);
}

void agent_beat(struct agent *a)
{
	uint64_t now = a->ops->now_ns(a->self);
	struct put p;

	a->beat_ns = now;
	begin(a, &p, WIRE_BEAT, a->session, a->run_id);
	put_u32(&p, to_ms(now - a->run_ns));
	finish(a, &p);
}

static void send_done(struct agent *a)
{
	struct put p;

	begin(a, &p, WIRE_DONE, a->session, a->run_id);
	put_done(&p, &a->done);
	finish(a, &p);
}

/* Sessions */

static void copy_text(char *out, size_t cap, const char *text)
{
	size_t n = strlen(text);

	if (n >= cap)
		n = cap - 1;
	memcpy(out, text, n);
	out[n] = '\0';
}

static void send_welcome(struct agent *a, uint32_t request)
{
	struct wire_welcome m = {
		.version = WIRE_VERSION,
		.host_nonce = a->host_nonce,
		.session = a->session,
		.max_payload = a->c.max_payload,
		.window = a->c.window,
		.flags = a->c.flags,
		.storage_bytes = a->c.storage_bytes,
		.output_bytes = a->c.output_bytes,
		.clock_resolution_ns = a->c.clock_resolution_ns,
	};
	struct put p;

	m.description_len = (uint32_t)strlen(a->c.description);
	m.description_crc = crc32_update(0, a->c.description, m.description_len);
	copy_text(m.agent, sizeof(m.agent), a->c.version);
	copy_text(m.sensor, sizeof(m.sensor), a->c.sensor);
	copy_text(m.sensor_note, sizeof(m.sensor_note), a->c.sensor_note);
	begin(a, &p, WIRE_HELLO | WIRE_ANSWER, a->session, request);
	put_welcome(&p, &m);
	finish(a, &p);
}

static void forget_session(struct agent *a)
{
	if (a->running)
		a->ops->run_cancel(a->self);
	a->running = a->has_done = 0;
	a->upload_open = a->upload_complete = 0;
	a->session = a->top = a->run_id = 0;
}

static void on_hello(struct agent *a, const struct wire_header *h, struct get *g)
{
	char why[AGENT_WHY] = "";
	struct wire_hello m;
	int code;

	if (!get_hello(g, &m)) {
		answer_error(a, h, WIRE_E_REQUEST, "");
		return;
	}
	if (a->session && m.host_nonce == a->host_nonce) {
		send_welcome(a, h->request);
		return;
	}
	if (m.version_lo > WIRE_VERSION || m.version_hi < WIRE_VERSION) {
		answer_error(a, h, WIRE_E_VERSION, "");
		return;
	}
	code = a->ops->lease(a->self, why);
	if (code) {
		answer_error(a, h, code, why);
		return;
	}
	forget_session(a);
	a->session = a->ops->nonce(a->self);
	a->host_nonce = m.host_nonce;
	send_welcome(a, h->request);
}

/* Uploads */

static int on_offer(
	struct agent *a, const struct wire_header *h, struct get *g, char *why)
{
	struct wire_offer m;
	int complete = 0, code;

	if (!get_offer(g, &m))
		return WIRE_E_REQUEST;
	a->upload_open = 0;
	if (m.size == 0 || m.size > a->c.storage_bytes)
		return WIRE_E_TOO_LARGE;
	code = a->ops->store_open(a->self, m.hash, m.size, &a->have, &complete, why);
	if (code)
		return code;
	a->upload = m;
	a->upload_open = 1;
	a->upload_complete = complete != 0;
	answer_have(a, h);
	return 0;
}

/* PUT and COPY */
static int on_put(struct agent *a, const struct wire_header *h, struct get *g, char *why)
{
	struct wire_put m;

	if (!(h->type == WIRE_COPY ? get_copy(g, &m) : get_put(g, &m)))
		return WIRE_E_REQUEST;
	if (!a->upload_open)
		return WIRE_E_NOT_FOUND;
	if (!a->upload_complete && m.offset == a->have) {
		int code;

		if (m.len > a->upload.size - a->have)
			return WIRE_E_REQUEST;
		code = m.data ? a->ops->store_append(a->self, m.data, m.len, why)
			      : a->ops->store_copy(a->self, &m, why);
		if (code) { /* what cannot be copied may still be sent */
			a->upload_open = !m.data;
			return code;
		}
		a->have += m.len;
	}
	answer_have(a, h);
	return 0;
}

static int on_verify(
	struct agent *a, const struct wire_header *h, struct get *g, char *why)
{
	struct wire_offer m;

	if (!get_offer(g, &m))
		return WIRE_E_REQUEST;
	if (!a->upload_open || m.size != a->upload.size ||
		memcmp(m.hash, a->upload.hash, sizeof(m.hash)) != 0)
		return WIRE_E_NOT_FOUND;
	if (!a->upload_complete && a->have == a->upload.size) {
		int code = a->ops->store_verify(a->self, m.crc, why);

		if (code) {
			a->upload_open = 0;
			return code;
		}
		a->upload_complete = 1;
	}
	answer_have(a, h);
	return 0;
}

/* Runs */

static int on_run(struct agent *a, const struct wire_header *h, struct get *g, char *why)
{
	struct wire_run m;
	int code;

	if (!get_run(g, &m))
		return WIRE_E_REQUEST;
	if (a->run_id == h->request && (a->running || a->has_done)) {
		if (a->running)
			agent_beat(a);
		else
			send_done(a);
		return 0;
	}
	if (a->running)
		return WIRE_E_BUSY;
	a->has_done = 0;
	code = a->ops->run_start(a->self, &m, why);
	if (code)
		return code;
	a->running = 1;
	a->run_id = h->request;
	a->run_ns = a->beat_ns = a->ops->now_ns(a->self);
	agent_poll(a);
	return 0;
}

static int on_cancel(struct agent *a, const struct wire_header *h, struct get *g)
{
	uint32_t run = get_u32(g);

	if (!get_end(g))
		return WIRE_E_REQUEST;
	answer_empty(a, h);
	if (!a->running || run != a->run_id)
		return 0;
	a->ops->run_cancel(a->self);
	memset(&a->done, 0, sizeof(a->done));
	a->done.outcome = OUTCOME_CANCELLED;
	a->running = 0;
	a->has_done = 1;
	send_done(a);
	return 0;
}

static void send_range(
	struct agent *a, const struct wire_header *h, const struct wire_fetch *m)
{
	uint32_t room = a->c.max_payload - WIRE_DATA_OVERHEAD, at = m->offset;
	uint32_t end = m->offset + m->len;

	while (at < end) {
		uint32_t n = end - at < room ? end - at : room;
		struct put p;

		begin(a, &p, WIRE_DATA, h->session, h->request);
		put_u32(&p, at);
		if (m->blob == BLOB_RESULT)
			a->ops->result_read(a->self, at, p.at + p.len, n);
		else
			memcpy(p.at + p.len, a->c.description + at, n);
		p.len += n;
		finish(a, &p);
		at += n;
	}
}

static int on_fetch(struct agent *a, const struct wire_header *h, struct get *g)
{
	struct wire_fetch m;
	uint32_t len = (uint32_t)strlen(a->c.description);

	if (!get_fetch(g, &m))
		return WIRE_E_REQUEST;
	if (m.blob == BLOB_RESULT) {
		if (!a->has_done || m.run != a->run_id)
			return WIRE_E_NOT_FOUND;
		len = a->done.output_len;
	}
	if (m.offset + m.len > len)
		return WIRE_E_REQUEST;
	send_range(a, h, &m);
	return 0;
}

static int on_ping(struct agent *a, const struct wire_header *h, struct get *g)
{
	struct wire_ping m;
	struct put p;

	if (!get_ping(g, &m))
		return WIRE_E_REQUEST;
	m.clock_ns = a->ops->now_ns(a->self);
	begin(a, &p, h->type | WIRE_ANSWER, h->session, h->request);
	put_ping(&p, &m);
	finish(a, &p);
	return 0;
}

static int on_reset(struct agent *a, const struct wire_header *h, struct get *g)
{
	if (!get_end(g))
		return WIRE_E_REQUEST;
	answer_empty(a, h);
	forget_session(a);
	if (a->ops->reset)
		a->ops->reset(a->self);
	return 0;
}

static int handle(struct agent *a, const struct wire_header *h, struct get *g, char *why)
{
	if (a->running && (h->type == WIRE_OFFER || h->type == WIRE_PUT ||
				  h->type == WIRE_COPY || h->type == WIRE_VERIFY ||
				  h->type == WIRE_FETCH))
		return WIRE_E_BUSY; /* it would disturb what is being timed */
	switch (h->type) {
	case WIRE_OFFER:
		return on_offer(a, h, g, why);
	case WIRE_COPY:
		if (!a->ops->store_copy)
			return WIRE_E_UNKNOWN;
		return on_put(a, h, g, why);
	case WIRE_PUT:
		return on_put(a, h, g, why);
	case WIRE_VERIFY:
		return on_verify(a, h, g, why);
	case WIRE_RUN:
		return on_run(a, h, g, why);
	case WIRE_FETCH:
		return on_fetch(a, h, g);
	case WIRE_CANCEL:
		return on_cancel(a, h, g);
	case WIRE_PING:
		return on_ping(a, h, g);
	case WIRE_RESET:
		return on_reset(a, h, g);
	default:
		return WIRE_E_UNKNOWN;
	}
}

static void on_frame(struct agent *a, const uint8_t *payload, size_t len)
{
	char why[AGENT_WHY] = "";
	struct wire_header h;
	struct get g;
	int code;

	get_init(&g, payload, len);
	if (!get_header(&g, &h) || h.type & WIRE_ANSWER)
		return; /* not a request: an echo of our own, or of another agent */
	if (h.type == WIRE_HELLO) {
		on_hello(a, &h, &g);
		return;
	}
	if (!a->session || h.session != a->session) {
		answer_error(a, &h, WIRE_E_SESSION, "");
		return;
	}
	if (h.request < a->top && !(h.type == WIRE_RUN && h.request == a->run_id))
		return; /* late copy of a request that was answered */
	if (h.request > a->top)
		a->top = h.request;
	code = handle(a, &h, &g, why);
	if (code)
		answer_error(a, &h, code, why);
}

void agent_receive(struct agent *a, const uint8_t *data, size_t len)
{
	while (len) {
		size_t n, used;
		int sound;

		used = frame_decoder_take(&a->decoder, data, len, &n, &sound);
		if (sound)
			on_frame(a, a->decoder.buf, n);
		data += used;
		len -= used;
	}
}

void agent_poll(struct agent *a)
{
	if (!a->running)
		return;
	memset(&a->done, 0, sizeof(a->done));
	if (a->ops->run_poll(a->self, &a->done)) {
		a->running = 0;
		a->has_done = 1;
		send_done(a);
	} else if (a->ops->now_ns(a->self) - a->beat_ns >= BEAT_NS) {
		agent_beat(a);
	}
}

void agent_hangup(struct agent *a)
{
	forget_session(a);
}
