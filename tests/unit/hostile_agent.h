/* A hostile agent as a carrier: whole sessions of an honest machine (the simulator behind the
 * real state machine, which here claims to be real hardware and can evaluate too), and a lie
 * that changes what it says before it reaches the host. Its frames are always sound: a bad
 * line is tests/unit/test_device_link.c's.
 *
 * Time is virtual: it goes on by 1 ms when the host waits in vain, and for each 16 KB that
 * go either way. There is one, `liar`, because a device driver has no place for more.
 */
#ifndef HAWSER_TESTS_UNIT_HOSTILE_AGENT_H
#define HAWSER_TESTS_UNIT_HOSTILE_AGENT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "devices/eval_record.h"
#include "devices/proto/crc32.h"
#include "devices/sim/sim.h"
#include "devices/transport/transport.h"
#include "src/base/buf.h"
#include "src/base/rng.h"

#define LIAR_PAYLOAD 4096
#define LIAR_LONGEST 66000
#define LIAR_MEMORY (1u << 20)
#define LIAR_READS 20000000 /* a session that reads more often does not end */
#define LAW "seed=9,sleep=1,power_mw=100"

/* Where a lie is told; NULL: the truth. */
struct lie {
	const char *name;
	void (*welcome)(struct wire_welcome *w);
	void (*done)(struct wire_done *d);
	/* The result's records; output_len and output_crc follow them. */
	void (*records)(uint8_t *stream, uint32_t *len);
	/* Any answer with its header, of *len <= LIAR_LONGEST bytes; *len = 0 drops it. */
	void (*answer)(uint8_t type, uint8_t *payload, size_t *len);
	/* Says more whenever the host has read everything. */
	void (*flood)(void);
	/* A session begins: the n-th, from 1. */
	void (*session)(uint32_t n);
	int endless; /* runs never end; BEATs go on */
	int stored;  /* the number is in the store all the same: the honest one */
};

struct liar {
	struct transport base;
	const struct lie *lie;
	struct rng rng; /* of the lies */
	struct sim sim;
	struct agent agent;
	struct agent_ops ops;
	struct buf in;
	size_t in_at;
	uint64_t now_ms, n_reads, n_carried;
	uint32_t n_sessions;
	uint32_t request; /* the host's last */
	uint8_t rx[FRAME_WIRE_BYTES(LIAR_PAYLOAD)], tx[FRAME_WIRE_BYTES(LIAR_PAYLOAD)];
	uint8_t memory[LIAR_MEMORY];
};
static struct liar liar;

/* A sound frame to the host. */
static void liar_say_payload(const uint8_t *payload, size_t len)
{
	static uint8_t wire[FRAME_WIRE_BYTES(LIAR_LONGEST)];

	assert_true(len <= LIAR_LONGEST);
	memcpy(wire + FRAME_HEADROOM(len), payload, len);
	buf_append(&liar.in, wire, frame_encode(wire, wire + FRAME_HEADROOM(len), len));
}

/* What it is, from its next session on. */
__attribute__((unused)) static void liar_describe(const char *text)
{
	struct wire_welcome *w = &liar.sim.about;

	w->description_len =
		(uint32_t)snprintf(w->description, sizeof(w->description), "%s", text);
}

/* The same of parts; the session that is open. */
__attribute__((unused)) static void liar_say(
	uint8_t type, uint32_t request, const void *body, size_t len)
{
	static uint8_t payload[LIAR_LONGEST];
	struct wire_header h = {type, liar.agent.session, request};
	struct put p;

	put_init(&p, payload, sizeof(payload));
	put_header(&p, &h);
	put_bytes(&p, body, len);
	liar_say_payload(payload, p.len);
}

static size_t relie(const struct wire_header *h, struct get *g, uint8_t *payload)
{
	struct wire_welcome w;
	struct wire_done d;
	struct put p;

	put_init(&p, payload, LIAR_LONGEST);
	if (h->type == (WIRE_HELLO | WIRE_ANSWER) && liar.lie->welcome) {
		assert_true(get_welcome(g, &w));
		liar.lie->welcome(&w);
		put_header(&p, h);
		put_welcome(&p, &w);
	} else if (h->type == WIRE_DONE && liar.lie->done) {
		assert_true(get_done(g, &d));
		liar.lie->done(&d);
		put_header(&p, h);
		put_done(&p, &d);
	}
	return p.len;
}

/* One frame of the honest agent. */
static void liar_send(void *self, const uint8_t *data, size_t len)
{
	static uint8_t decoded[FRAME_WIRE_BYTES(LIAR_PAYLOAD)], payload[LIAR_LONGEST];
	struct frame_decoder d;
	struct wire_header h;
	size_t n = 0, changed;
	struct get g;

	(void)self;
	frame_decoder_init(&d, decoded, sizeof(decoded));
	for (size_t at = 0; at < len && !n;)
		at += frame_decoder_take(&d, data + at, len - at, &n);
	assert_true(n > 0);
	get_init(&g, decoded, n);
	assert_true(get_header(&g, &h));
	changed = relie(&h, &g, payload);
	if (!changed)
		memcpy(payload, decoded, n);
	n = changed ? changed : n;
	if (liar.lie->answer)
		liar.lie->answer(h.type, payload, &n);
	if (n)
		liar_say_payload(payload, n);
}

static uint64_t liar_now_ns(void *self)
{
	(void)self;
	return liar.now_ms * 1000000;
}

static uint32_t liar_nonce(void *self)
{
	(void)self;
	liar.n_sessions++;
	if (liar.lie->session)
		liar.lie->session(liar.n_sessions);
	return 0x5eed0000u + liar.n_sessions;
}

/* An honest evaluation: intent n % 2 of an input of n tokens. */
static void evaluate(const struct wire_run *rq)
{
	struct sim *s = &liar.sim;
	struct put p;
	struct get g;
	size_t len, at;
	const uint8_t *in = ram_store_find(&s->store, rq->input, &len);
	uint32_t flags, n;

	assert_non_null(in);
	get_init(&g, in, len);
	get_u32(&g);
	flags = get_u32(&g);
	n = get_u32(&g);
	put_init(&p, s->result, sizeof(s->result));
	put_u32(&p, RECORD_MAGIC);
	put_record_head(&p, RECORD_OUTPUT, 20 + 6 * n);
	put_u32(&p, EVAL_OUT_MAGIC);
	put_u32(&p, 0);
	put_u32(&p, n);
	put_u32(&p, 2);
	put_u32(&p, 0);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t n_tokens = get_u32(&g);

		get_bytes(&g, (flags & EVAL_WIDE ? 4 : 2) * (size_t)n_tokens);
		put_u32(&p, n_tokens);
		put_u16(&p, (uint16_t)(n_tokens % 2));
	}
	at = p.len;
	put_record_head(&p, RECORD_END, 8);
	put_u64(&p, at);
	s->result_len = (uint32_t)p.len;
	memset(&s->done, 0, sizeof(s->done));
	s->done.energy_uj = s->done.idle_uw = NAN;
}

static int liar_run_start(void *self, const struct wire_run *rq)
{
	int code = sim_ops.run_start(self, rq);

	if (!code && rq->mode == MODE_EVAL)
		evaluate(rq);
	if (!code && liar.lie->records && liar.sim.result_len)
		liar.lie->records(liar.sim.result, &liar.sim.result_len);
	return code;
}

static int liar_run_poll(void *self, struct put *done)
{
	return liar.lie->endless ? 0 : sim_ops.run_poll(self, done);
}

/* The carrier */

static enum err liar_read(struct transport *t, void *buf, size_t cap, int timeout_ms,
	size_t *n, struct err_ctx *ctx)
{
	uint64_t until = liar.now_ms + (uint64_t)timeout_ms;

	(void)t;
	if (++liar.n_reads > LIAR_READS)
		fail_msg("'%s' keeps the host reading for ever", liar.lie->name);
	if (liar.in_at == liar.in.len) {
		buf_reset(&liar.in);
		liar.in_at = 0;
		if (liar.lie->flood && liar.agent.session) {
			liar.now_ms++;
			liar.lie->flood();
			agent_poll(&liar.agent);
		}
	}
	while (liar.in.len == 0 && liar.now_ms < until) {
		liar.now_ms++;
		agent_poll(&liar.agent);
	}
	assert_false(liar.in.failed);
	if (liar.in.len == 0)
		return err_set(ctx, ERR_TIMEOUT, "no answer within %d ms", timeout_ms);
	*n = liar.in.len - liar.in_at;
	*n = *n < cap ? *n : cap;
	memcpy(buf, liar.in.data + liar.in_at, *n);
	liar.in_at += *n;
	liar.now_ms += (liar.n_carried % 16384 + *n) / 16384;
	liar.n_carried += *n;
	return ERR_OK;
}

static enum err liar_write(struct transport *t, const void *data, size_t len,
	int timeout_ms, struct err_ctx *ctx)
{
	(void)t;
	(void)timeout_ms;
	(void)ctx;
	agent_receive(&liar.agent, data, len);
	liar.now_ms += (liar.n_carried % 16384 + len) / 16384;
	liar.n_carried += len;
	if (liar.agent.session)
		liar.request = liar.agent.top;
	return ERR_OK;
}

static uint64_t liar_now_ms(struct transport *t)
{
	(void)t;
	return liar.now_ms;
}

static void liar_close(struct transport *t)
{
	(void)t;
	agent_hangup(&liar.agent);
	buf_release(&liar.in);
	liar.in_at = 0;
}

static const struct transport_ops liar_ops = {
	.name = "liar",
	.read = liar_read,
	.write = liar_write,
	.now_ms = liar_now_ms,
	.close = liar_close,
};

/* A new machine with nothing stored. */
static void liar_begin(const struct lie *lie, uint64_t seed)
{
	struct sim_host host = {&liar, liar_send, liar_now_ns, liar_nonce};
	struct agent_config c;
	char why[160];

	memset(&liar, 0, sizeof(liar));
	liar.base.ops = &liar_ops;
	liar.lie = lie;
	rng_init(&liar.rng, seed);
	buf_init(&liar.in);
	assert_null(
		sim_init(&liar.sim, &host, LAW, liar.memory, sizeof(liar.memory), why));
	c.max_payload = LIAR_PAYLOAD;
	liar.sim.about.flags = WIRE_CAN_EVAL;
	c.rx = liar.rx;
	c.tx = liar.tx;
	liar.ops = sim_ops;
	liar.ops.run_start = liar_run_start;
	liar.ops.run_poll = liar_run_poll;
	agent_init(&liar.agent, &liar.ops, &liar.sim, &c);
}

static enum err liar_start(
	const struct device_profile *p, struct transport **out, struct err_ctx *ctx)
{
	(void)p;
	(void)ctx;
	*out = &liar.base;
	return ERR_OK;
}

#endif
