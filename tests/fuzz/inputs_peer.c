#include "tests/fuzz/inputs_peer.h"

#include <stdlib.h>
#include <string.h>

#include "devices/agent/agent.h"
#include "devices/agent/ram_store.h"
#include "src/base/buf.h"
#include "tests/fuzz/inputs.h"

#define ENTRY 4
#define SESSION 0x51
#define MOST_FRAME FRAME_WIRE_BYTES(INPUT_MAX + WIRE_HEADER_BYTES)

struct entry {
	uint8_t type, flags;
	const uint8_t *body;
	size_t n;
};

static int next_entry(const uint8_t *data, size_t len, size_t *at, struct entry *e)
{
	const uint8_t *b = data + *at;
	size_t n;

	if (len - *at < ENTRY)
		return 0;
	n = (size_t)(b[2] | b[3] << 8);
	*e = (struct entry){b[0], b[1], b + ENTRY, n};
	if (e->n > len - *at - ENTRY)
		e->n = len - *at - ENTRY;
	*at += ENTRY + e->n;
	return 1;
}

/* Its frame; returns the length. */
static size_t frame_of(
	const struct entry *e, uint32_t session, uint32_t request, uint8_t *wire)
{
	struct wire_header h = {e->type, session + (e->flags & 1),
		request + (uint32_t)(e->flags >> 1 & 1) * (1 + (e->flags >> 4))};
	size_t len = WIRE_HEADER_BYTES + e->n;
	struct put p;

	put_init(&p, wire + FRAME_HEADROOM(len), len);
	put_header(&p, &h);
	put_bytes(&p, e->body, e->n);
	len = frame_encode(wire, p.at, len);
	if (e->flags & 4)
		wire[len / 2] ^= 0x10;
	return len;
}

/* ---- the line */

static size_t next_frame(struct input_peer *p, uint8_t *wire)
{
	uint8_t body[INPUT_MAX];
	struct entry e;
	size_t n;

	if (!next_entry(p->data, p->len, &p->at, &e))
		return 0;
	/* No input can guess what the host drew. */
	if (e.type == (WIRE_HELLO | WIRE_ANSWER) && e.n >= 10) {
		struct put at;

		memcpy(body, e.body, e.n);
		put_init(&at, body + 2, 8);
		put_u32(&at, p->nonce);
		put_u32(&at, SESSION);
		e.body = body;
		return frame_of(&e, SESSION, p->request, wire);
	}
	n = frame_of(&e, p->session, p->request, wire);
	if (e.flags & 8)
		memcpy(wire + n, wire, n);
	return e.flags & 8 ? 2 * n : n;
}

static enum err peer_read(struct transport *t, void *buf, size_t cap, int timeout_ms,
	size_t *n, struct err_ctx *ctx)
{
	static uint8_t wire[2 * MOST_FRAME];
	struct input_peer *p = (struct input_peer *)t;
	size_t len;

	if (p->at == p->len)
		return err_set(ctx, ERR_LINK, "the line has ended");
	if (p->data[p->at] == 0 && p->framed) { /* type 0: silence */
		p->at++;
		p->now_ms += (uint64_t)timeout_ms;
		return err_set(ctx, ERR_TIMEOUT, "no answer");
	}
	if (p->framed) {
		len = next_frame(p, wire);
		if (!len)
			p->at = p->len;
	} else {
		len = p->len - p->at < 100 ? p->len - p->at : 100;
		memcpy(wire, p->data + p->at, len);
		p->at += len;
	}
	*n = len < cap ? len : cap;
	memcpy(buf, wire, *n);
	return *n ? ERR_OK : err_set(ctx, ERR_LINK, "the line has ended");
}

static enum err peer_write(struct transport *t, const void *data, size_t len,
	int timeout_ms, struct err_ctx *ctx)
{
	static uint8_t rx[FRAME_WIRE_BYTES(LINK_MAX_PAYLOAD)];
	struct input_peer *p = (struct input_peer *)t;
	const uint8_t *at = data, *end = at + len;
	struct frame_decoder d;
	struct wire_header h;
	struct wire_hello m;
	struct get g;
	size_t n;

	(void)timeout_ms;
	(void)ctx;
	frame_decoder_init(&d, rx, sizeof(rx));
	while (p->framed && at < end) {
		at += frame_decoder_take(&d, at, (size_t)(end - at), &n);
		get_init(&g, rx, n);
		if (!n || !get_header(&g, &h))
			continue;
		p->session = h.session;
		p->request = h.request;
		if (h.type == WIRE_HELLO && get_hello(&g, &m))
			p->nonce = m.host_nonce;
	}
	return ERR_OK;
}

static uint64_t peer_now_ms(struct transport *t)
{
	return ((struct input_peer *)t)->now_ms;
}

static void peer_close(struct transport *t)
{
	(void)t;
}

static const struct transport_ops peer_ops = {
	"input", peer_read, peer_write, peer_now_ms, peer_close};

void input_peer_text(struct input_peer *p, const uint8_t *text, size_t len)
{
	memset(p, 0, sizeof(*p));
	p->base.ops = &peer_ops;
	p->data = text;
	p->len = len;
}

/* ---- the host's side */

static void ask(struct link *l, uint8_t what, struct err_ctx *ctx)
{
	static const uint8_t data[300], hash[SHA256_BYTES];
	static const struct link_content c = {hash, data, sizeof(data), 1, 0, 0};
	struct buf out;
	struct get g;

	buf_init(&out);
	switch (what % 3) {
	case 0:
		/* Half of it is to be copied. */
		l->held = calloc(1, 150);
		l->held_len = l->held ? 150 : 0;
		l->held_hash[0] = 1;
		link_upload(l, &c, ctx);
		break;
	case 1:
		link_fetch(l, 1, what < 250 ? what : UINT32_MAX, 0, &out, ctx);
		if (out.len > LINK_MAX_BLOB)
			abort();
		break;
	default:
		link_begin(l);
		link_call(l, WIRE_PING, WIRE_PING | WIRE_ANSWER, &g, ctx);
	}
	buf_release(&out);
}

void input_through_link(const uint8_t *data, size_t len)
{
	static struct link l;
	struct err_ctx ctx = {{0}};
	struct input_peer p;

	if (!len)
		return;
	input_peer_text(&p, data + 1, len - 1);
	p.framed = 1;
	link_init(&l);
	link_attach(&l, &p.base);
	if (link_hello(&l, &ctx) == ERR_OK)
		ask(&l, data[0], &ctx);
	for (const char *s = ctx.msg; *s; s++)
		if (*s < 32 || *s > 126)
			abort();
	if (l.welcome.max_payload > LINK_MAX_PAYLOAD)
		abort();
	link_close(&l);
}

/* ---- the agent's side */

#define PAYLOAD 1024
#define RESULT 100

struct machine {
	struct agent agent;
	struct ram_store store;
	uint64_t now_ns;
	uint32_t nonces;
	int polls;
	uint8_t mem[8192], rx[FRAME_WIRE_BYTES(PAYLOAD)], tx[FRAME_WIRE_BYTES(PAYLOAD)];
};

static void m_send(void *self, const uint8_t *data, size_t len)
{
	struct machine *m = self;

	/* Whole frames of our own buffer. */
	if (len < 3 || data[0] != 0 || data[len - 1] != 0 || data < m->tx ||
		data + len > m->tx + sizeof(m->tx))
		abort();
}

static uint64_t m_now_ns(void *self)
{
	return ((struct machine *)self)->now_ns += 100000000;
}

static uint32_t m_nonce(void *self)
{
	return SESSION + ((struct machine *)self)->nonces++;
}

static void m_about(void *self, struct put *p)
{
	static const struct wire_welcome w = {.window = 4,
		.storage_bytes = sizeof(((struct machine *)0)->mem),
		.output_bytes = RESULT,
		.description = "arch: none\n",
		.description_len = 11};

	(void)self;
	put_about(p, &w);
}

static int m_open(void *self, const struct wire_offer *m, struct agent_stored **out)
{
	return ram_store_open(&((struct machine *)self)->store, m, out);
}

static int m_append(void *self, const uint8_t *data, uint32_t len)
{
	return ram_store_append(&((struct machine *)self)->store, data, len);
}

static int m_copy(void *self, const struct wire_put *put)
{
	return ram_store_copy(&((struct machine *)self)->store, put);
}

static int m_verify(void *self)
{
	return ram_store_verify(&((struct machine *)self)->store);
}

static int m_run(void *self, const struct wire_run *rq)
{
	struct machine *m = self;
	size_t size;

	m->polls = (int)(rq->timeout_ms % 3);
	/* Verified or not: what follows a run is read too. */
	return ram_store_find(&m->store, rq->image, &size) || rq->n_tokens % 2
		       ? 0
		       : WIRE_E_NOT_FOUND;
}

static int m_poll(void *self, struct put *done)
{
	static const struct wire_done d = {.output_len = RESULT};

	put_done(done, &d);
	return --((struct machine *)self)->polls < 0;
}

static void m_cancel(void *self)
{
	(void)self;
}

/* As much as DONE says. */
static const uint8_t *m_result(void *self)
{
	static const uint8_t result[RESULT];

	(void)self;
	return result;
}

static const struct agent_ops machine_ops = {
	.send = m_send,
	.now_ns = m_now_ns,
	.nonce = m_nonce,
	.about = m_about,
	.store_open = m_open,
	.store_append = m_append,
	.store_copy = m_copy,
	.store_verify = m_verify,
	.run_start = m_run,
	.run_poll = m_poll,
	.run_cancel = m_cancel,
	.result = m_result,
};

void input_through_agent(const uint8_t *data, size_t len)
{
	static struct machine m;
	static uint8_t wire[MOST_FRAME];
	const struct agent_config c = {PAYLOAD, m.rx, m.tx};
	uint32_t request = 0;
	struct entry e;
	size_t at = 0;

	memset(&m, 0, sizeof(m));
	ram_store_init(&m.store, m.mem, sizeof(m.mem));
	agent_init(&m.agent, &machine_ops, &m, &c);
	while (next_entry(data, len, &at, &e)) {
		int hello = e.type == WIRE_HELLO;
		size_t n = frame_of(&e, hello ? 0 : m.agent.session, ++request, wire);

		agent_receive(&m.agent, wire, n);
		if (e.flags & 8)
			agent_receive(&m.agent, wire, n);
		agent_poll(&m.agent);
	}
	agent_receive(&m.agent, data, len); /* and as noise */
	agent_hangup(&m.agent);
}
