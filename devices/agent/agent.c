#include "devices/agent/agent.h"

#define BEAT_NS 1000000000u

#ifdef AGENT_TABLE
#include AGENT_TABLE
#define OPS(a) (&agent_ops)
#define CONFIG(a) (&agent_config)
#define SELF(a) ((void)(a), (void *)NULL)
#else
#define OPS(a) ((a)->ops)
#define CONFIG(a) (&(a)->c)
#define SELF(a) ((a)->self)
#endif

/* Of the answer to a request: none is due. */
#define ANSWERED -1

void agent_init(struct agent *a, const struct agent_ops *ops, void *self,
	const struct agent_config *c)
{
	memset(a, 0, sizeof(*a));
	a->ops = ops;
	a->self = self;
	a->c = *c;
	frame_decoder_init(&a->decoder, c->rx, FRAME_WIRE_BYTES(c->max_payload));
}

/* Where nothing is heard during a run, none is ever seen. */
static inline int running(const struct agent *a)
{
	return OPS(a)->run_cancel && a->running;
}

int agent_running(const struct agent *a)
{
	return running(a);
}

/* Answers. The body is put where it is sent from; those of a fixed length fit
 * WIRE_MIN_PAYLOAD. */

static uint8_t *body(struct agent *a)
{
	(void)a;
	return CONFIG(a)->tx + FRAME_HEADROOM(CONFIG(a)->max_payload) + WIRE_HEADER_BYTES;
}

/* Session and request are those of `h`; n bytes of body. */
static void say(struct agent *a, uint8_t type, const struct wire_header *h, size_t n)
{
	uint8_t *wire = CONFIG(a)->tx, *payload = body(a) - WIRE_HEADER_BYTES;

	payload[0] = type;
	store_u32(payload + 1, h->session);
	store_u32(payload + 5, h->request);
	OPS(a)->send(SELF(a), wire, frame_encode(wire, payload, WIRE_HEADER_BYTES + n));
}

static void answer(struct agent *a, const struct wire_header *h, size_t n)
{
	say(a, h->type | WIRE_ANSWER, h, n);
}

static void answer_error(struct agent *a, const struct wire_header *h, int code)
{
	size_t n = 0;

	body(a)[0] = (uint8_t)code;
	body(a)[1] = 0;
	if (OPS(a)->why) {
		const char *text = OPS(a)->why(SELF(a));

		n = strlen(text);
		memcpy(body(a) + 3, text, n);
	}
	body(a)[2] = (uint8_t)n;
	say(a, WIRE_ERROR, h, 3 + n);
}

static void answer_have(struct agent *a, const struct wire_header *h)
{
	store_u32(body(a), a->upload->have);
	body(a)[4] = a->upload->complete;
	answer(a, h, 5);
}

static void tell_run(struct agent *a, uint8_t type, size_t n)
{
	const struct wire_header h = {type, a->session, a->run_id};

	memcpy(body(a), a->done, n);
	say(a, type, &h, n);
}

void agent_beat(struct agent *a)
{
	tell_run(a, WIRE_BEAT, 0);
}

static void send_done(struct agent *a)
{
	tell_run(a, WIRE_DONE, a->done_len);
}

/* Sessions */

static void send_welcome(struct agent *a, struct wire_header *h)
{
	uint8_t *b = body(a);
	struct put about;

	b[0] = WIRE_VERSION;
	b[1] = 0;
	store_u32(b + 2, a->host_nonce);
	store_u32(b + 6, a->session);
	store_u32(b + 10, CONFIG(a)->max_payload);
	put_init(&about, b + 14, CONFIG(a)->max_payload - WIRE_HEADER_BYTES - 14);
	OPS(a)->about(SELF(a), &about);
	h->session = a->session;
	if (!about.failed) /* a bug must not send half */
		answer(a, h, 14 + about.len);
}

static void forget_session(struct agent *a)
{
	if (running(a))
		OPS(a)->run_cancel(SELF(a));
	a->running = a->has_done = 0;
	a->upload = NULL;
	a->session = a->top = a->run_id = 0;
}

static int on_hello(struct agent *a, struct wire_header *h, struct get *g)
{
	struct wire_hello m;
	int code;

	if (!get_hello(g, &m))
		return WIRE_E_REQUEST;
	if (!a->session || m.host_nonce != a->host_nonce) {
		if (m.version_lo > WIRE_VERSION || m.version_hi < WIRE_VERSION)
			return WIRE_E_VERSION;
		code = OPS(a)->lease ? OPS(a)->lease(SELF(a)) : 0;
		if (code)
			return code;
		forget_session(a);
		a->session = OPS(a)->nonce(SELF(a));
		a->host_nonce = m.host_nonce;
	}
	send_welcome(a, h);
	return ANSWERED;
}

/* Uploads: 0 is answered by HAVE. */

static int on_offer(struct agent *a, struct get *g)
{
	struct wire_offer m;

	if (!get_offer(g, &m))
		return WIRE_E_REQUEST;
	a->upload = NULL;
	return m.size ? OPS(a)->store_open(SELF(a), &m, &a->upload) : WIRE_E_TOO_LARGE;
}

/* PUT and COPY */
static int on_put(struct agent *a, const struct wire_put *m)
{
	struct agent_stored *up = a->upload;
	int code;

	if (!up)
		return WIRE_E_NOT_FOUND;
	if (up->complete || m->offset != up->have)
		return 0;
	if (m->len > up->size - up->have)
		return WIRE_E_REQUEST;
	code = m->data ? OPS(a)->store_append(SELF(a), m->data, m->len)
		       : OPS(a)->store_copy(SELF(a), m);
	if (!code)
		up->have += m->len;
	else if (m->data) /* what cannot be copied may still be sent */
		a->upload = NULL;
	return code;
}

static int on_verify(struct agent *a)
{
	struct agent_stored *up = a->upload;
	int code = 0;

	if (!up)
		return WIRE_E_NOT_FOUND;
	if (!up->complete && up->have == up->size)
		code = OPS(a)->store_verify(SELF(a));
	if (code)
		a->upload = NULL;
	return code;
}

/* Runs */

void agent_ended(struct agent *a)
{
	a->running = 0;
	a->has_done = 1;
	send_done(a);
}

/* One that has begun. */
static int is_last_run(const struct agent *a, const struct wire_header *h)
{
	return h->request == a->run_id && (running(a) || a->has_done);
}

static int on_run(struct agent *a, const struct wire_header *h, struct get *g)
{
	struct wire_run m;
	int code;

	if (!get_run(g, &m))
		return WIRE_E_REQUEST;
	if (is_last_run(a, h)) {
		if (running(a))
			agent_beat(a);
		else
			send_done(a);
		return ANSWERED;
	}
	if (running(a))
		return WIRE_E_BUSY;
	a->has_done = 0;
	a->upload = NULL;
	a->run_id = h->request;
	code = OPS(a)->run_start(SELF(a), &m);
	if (code)
		return code;
	a->running = 1;
	if (OPS(a)->now_ns)
		a->beat_ns = OPS(a)->now_ns(SELF(a));
	agent_poll(a);
	return ANSWERED;
}

static void on_cancel(struct agent *a, uint32_t run)
{
	const struct wire_done m = {.outcome = OUTCOME_CANCELLED};
	struct put p;

	if (!running(a) || run != a->run_id)
		return;
	OPS(a)->run_cancel(SELF(a));
	put_init(&p, a->done, sizeof(a->done));
	put_done(&p, &m);
	a->done_len = (uint32_t)p.len;
	agent_ended(a);
}

static void send_range(
	struct agent *a, const struct wire_header *h, const struct wire_fetch *m)
{
	const uint8_t *data = OPS(a)->result(SELF(a));
	uint32_t room = CONFIG(a)->max_payload - WIRE_DATA_OVERHEAD, at = m->offset;
	uint32_t end = m->offset + m->len;

	while (at < end) {
		uint32_t n = end - at < room ? end - at : room;

		store_u32(body(a), at);
		memcpy(body(a) + 4, data + at, n);
		say(a, WIRE_DATA, h, 4 + n);
		at += n;
	}
}

static int on_fetch(struct agent *a, const struct wire_header *h, struct get *g)
{
	struct wire_fetch m;

	if (!get_fetch(g, &m))
		return WIRE_E_REQUEST;
	if (!a->has_done || m.run != a->run_id)
		return WIRE_E_NOT_FOUND;
	if (m.offset + m.len > load_u32(a->done + WIRE_DONE_OUTPUT_LEN))
		return WIRE_E_REQUEST;
	send_range(a, h, &m);
	return ANSWERED;
}

/* A wire_code; 0: HAVE is the answer; ANSWERED. */
static int handle(struct agent *a, const struct wire_header *h, struct get *g)
{
	const size_t left = get_left(g);
	struct wire_put m;

	if (running(a) &&
		(h->type == WIRE_OFFER || h->type == WIRE_PUT || h->type == WIRE_COPY ||
			h->type == WIRE_VERIFY || h->type == WIRE_FETCH))
		return WIRE_E_BUSY; /* it would disturb what is being timed */
	switch (h->type) {
	case WIRE_OFFER:
		return on_offer(a, g);
	case WIRE_PUT:
		return get_put(g, &m) ? on_put(a, &m) : WIRE_E_REQUEST;
	case WIRE_COPY:
		if (!OPS(a)->store_copy)
			return WIRE_E_UNKNOWN;
		return get_copy(g, &m) ? on_put(a, &m) : WIRE_E_REQUEST;
	case WIRE_VERIFY:
		return left ? WIRE_E_REQUEST : on_verify(a);
	case WIRE_RUN:
		return on_run(a, h, g);
	case WIRE_FETCH:
		return on_fetch(a, h, g);
	case WIRE_CANCEL:
		if (left != 4)
			return WIRE_E_REQUEST;
		answer(a, h, 0);
		on_cancel(a, get_u32(g));
		return ANSWERED;
	case WIRE_PING:
		if (left > WIRE_PING_BYTES)
			return WIRE_E_REQUEST;
		memcpy(body(a), get_bytes(g, left), left);
		answer(a, h, left);
		return ANSWERED;
	case WIRE_RESET:
		if (left)
			return WIRE_E_REQUEST;
		answer(a, h, 0);
		forget_session(a);
		if (OPS(a)->reset)
			OPS(a)->reset(SELF(a));
		return ANSWERED;
	default:
		return WIRE_E_UNKNOWN;
	}
}

static void on_frame(struct agent *a, const uint8_t *payload, size_t len)
{
	struct wire_header h;
	struct get g;
	int code;

	get_init(&g, payload, len);
	if (!get_header(&g, &h) || h.type & WIRE_ANSWER)
		return; /* not a request: an echo of our own, or of another agent */
	if (h.type == WIRE_HELLO) {
		code = on_hello(a, &h, &g);
	} else if (!a->session || h.session != a->session) {
		code = WIRE_E_SESSION;
	} else {
		if (h.request < a->top && !(h.type == WIRE_RUN && is_last_run(a, &h)))
			return; /* late copy of a request that was answered */
		if (h.request > a->top)
			a->top = h.request;
		code = handle(a, &h, &g);
	}
	if (code > 0)
		answer_error(a, &h, code);
	else if (code == 0)
		answer_have(a, &h);
}

void agent_receive(struct agent *a, const uint8_t *data, size_t len)
{
	while (len) {
		size_t n, used = frame_decoder_take(&a->decoder, data, len, &n);

		if (n)
			on_frame(a, a->decoder.buf, n);
		data += used;
		len -= used;
	}
}

void agent_poll(struct agent *a)
{
	struct put done;

	if (!running(a))
		return;
	put_init(&done, a->done, sizeof(a->done));
	if (OPS(a)->run_poll(SELF(a), &done)) {
		a->done_len = (uint32_t)done.len;
		agent_ended(a);
	} else if (OPS(a)->now_ns && OPS(a)->now_ns(SELF(a)) - a->beat_ns >= BEAT_NS) {
		a->beat_ns = OPS(a)->now_ns(SELF(a));
		agent_beat(a);
	}
}

void agent_hangup(struct agent *a)
{
	forget_session(a);
}
