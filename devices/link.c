#include "devices/link.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "src/base/clock.h"

/* Waits for an answer, one try after the other: 15 seconds in all. */
static const int try_ms[LINK_TRIES] = {500, 500, 1000, 1000, 2000, 2000, 4000, 4000};
#define N_SOON 2 /* of them, for an agent that started long ago: 1 s */
#define QUIET_MS 20
#define WRITE_MS 5000

/* A byte copied and checked: 25 cycles at 25 MHz. */
#define WORK_NS 1000

int link_work_ms(const struct link *l)
{
	if (!(l->welcome.flags & WIRE_IS_BOARD))
		return 0;
	return (int)((uint64_t)l->largest * WORK_NS / 1000000);
}

int link_try_ms(const struct link *l, int i)
{
	uint64_t frames = 2 * (uint64_t)l->welcome.max_payload * l->byte_ns / 1000000;

	return try_ms[i] + (frames < 10000 ? (int)frames : 10000) +
	       link_work_ms(l) / LINK_CALL_TRIES;
}

void link_init(struct link *l)
{
	memset(l, 0, sizeof(*l));
	frame_decoder_init(&l->decoder, l->rx, sizeof(l->rx));
	l->welcome.max_payload = WIRE_MIN_PAYLOAD;
}

void link_close(struct link *l)
{
	if (l->t)
		l->t->ops->close(l->t);
	link_forget_held(l);
	link_init(l);
}

void link_attach(struct link *l, struct transport *t)
{
	link_close(l);
	l->t = t;
	l->fresh = 1;
}

struct put *link_begin(struct link *l)
{
	put_init(&l->body, l->body_bytes, l->welcome.max_payload - WIRE_HEADER_BYTES);
	return &l->body;
}

static enum err send_frame(struct link *l, uint8_t type, struct err_ctx *ctx)
{
	struct wire_header h = {type, l->welcome.session, l->request};
	size_t len = WIRE_HEADER_BYTES + l->body.len, n;
	struct put p;

	if (l->body.failed)
		return err_set(ctx, ERR_INVALID, "request longer than the agent takes");
	put_init(&p, l->tx + FRAME_HEADROOM(len), len);
	put_header(&p, &h);
	put_bytes(&p, l->body_bytes, l->body.len);
	n = frame_encode(l->tx, p.at, len);
	l->sent += n;
	return l->t->ops->write(l->t, l->tx, n, WRITE_MS, ctx);
}

enum err link_repost(struct link *l, uint8_t type, struct err_ctx *ctx)
{
	if (!l->t)
		return err_set(ctx, ERR_LINK, "the link is closed");
	return send_frame(l, type, ctx);
}

enum err link_post(struct link *l, uint8_t type, struct err_ctx *ctx)
{
	l->request++;
	return link_repost(l, type, ctx);
}

/* An agent may say the code alone. */
static const struct wire_error *complete(struct wire_error *e)
{
	if (!e->text[0])
		snprintf(e->text, sizeof(e->text), "%s", wire_code_text(e->code));
	return e;
}

/* The next frame of any session. */
static enum err next_frame(struct link *l, uint64_t until_ms, struct wire_header *h,
	struct get *g, struct err_ctx *ctx)
{
	for (;;) {
		uint64_t now;
		enum err e;

		while (l->raw_at < l->raw_len) {
			size_t n;

			l->raw_at += frame_decoder_take(&l->decoder, l->raw + l->raw_at,
				l->raw_len - l->raw_at, &n);
			get_init(g, l->decoder.buf, n);
			if (n && get_header(g, h) && h->type & WIRE_ANSWER)
				return ERR_OK;
		}
		l->raw_at = l->raw_len = 0;
		now = l->t->ops->now_ms(l->t);
		if (now >= until_ms)
			return err_set(ctx, ERR_TIMEOUT, "the agent does not answer");
		e = l->t->ops->read(l->t, l->raw, sizeof(l->raw), (int)(until_ms - now),
			&l->raw_len, ctx);
		if (e == ERR_TIMEOUT)
			l->raw_len = 0;
		else if (e)
			return e;
	}
}

enum err link_next(struct link *l, int timeout_ms, struct wire_header *h, struct get *g,
	struct err_ctx *ctx)
{
	uint64_t until;

	if (!l->t)
		return err_set(ctx, ERR_LINK, "the link is closed");
	until = l->t->ops->now_ms(l->t) + (uint64_t)timeout_ms;
	for (;;) {
		enum err e = next_frame(l, until, h, g, ctx);

		if (e)
			return e;
		if (h->session != l->welcome.session)
			continue; /* from before a reset */
		if (h->type == WIRE_ERROR) {
			if (!get_error(g, &l->refusal))
				continue;
			complete(&l->refusal);
			if (l->refusal.code == WIRE_E_SESSION)
				return err_set(ctx, ERR_DEVICE,
					"the agent was restarted and forgot the session");
		}
		return ERR_OK;
	}
}

enum err link_refused(const struct link *l, struct err_ctx *ctx)
{
	if (l->refusal.code == WIRE_E_NO_SPACE)
		return err_set(ctx, ERR_FULL, "the device has no space left: %s",
			l->refusal.text);
	return err_set(ctx, ERR_INVALID, "the agent refuses: %s", l->refusal.text);
}

enum err link_call(
	struct link *l, uint8_t type, uint8_t answer, struct get *g, struct err_ctx *ctx)
{
	enum err e = link_post(l, type, ctx);

	for (size_t i = 0; i < LINK_CALL_TRIES; i++) {
		uint64_t until;

		if (i)
			e = link_repost(l, type, ctx);
		if (e)
			return e;
		until = l->t->ops->now_ms(l->t) + (uint64_t)link_try_ms(l, (int)i);
		for (;;) {
			uint64_t now = l->t->ops->now_ms(l->t);
			struct wire_header h;

			e = link_next(
				l, now < until ? (int)(until - now) : 0, &h, g, ctx);
			if (e == ERR_TIMEOUT)
				break;
			if (e)
				return e;
			if (h.request != l->request)
				continue;
			if (h.type == WIRE_ERROR)
				return link_refused(l, ctx);
			if (h.type == answer)
				return ERR_OK;
		}
	}
	return err_set(ctx, ERR_LINK, "the agent does not answer");
}

/* Sessions */

/* Ends any half frame at the other end, then reads until the line is quiet. */
static enum err resync(struct link *l, struct err_ctx *ctx)
{
	static const uint8_t zeros[2] = {0, 0};
	enum err e = l->t->ops->write(l->t, zeros, sizeof(zeros), WRITE_MS, ctx);

	for (int i = 0; i < 1000 && !e; i++)
		e = l->t->ops->read(
			l->t, l->raw, sizeof(l->raw), QUIET_MS, &l->raw_len, ctx);
	l->raw_at = l->raw_len = 0;
	frame_decoder_init(&l->decoder, l->rx, sizeof(l->rx));
	return e == ERR_TIMEOUT ? ERR_OK : e;
}

static uint32_t fresh_nonce(void)
{
	uint32_t v;

	if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != (ssize_t)sizeof(v))
		v = (uint32_t)clock_mono_ns();
	return v;
}

static enum err hello_refused(const struct wire_error *r, struct err_ctx *ctx)
{
	if (r->code == WIRE_E_VERSION)
		return err_set(ctx, ERR_UNSUPPORTED,
			"the agent speaks no version of the protocol that this program "
			"knows: update the older one");
	return err_set(ctx, ERR_DEVICE, "%s", r->text);
}

static int accept_welcome(
	struct link *l, uint32_t nonce, const struct wire_header *h, struct get *g)
{
	struct wire_welcome w;

	if (h->type != (WIRE_HELLO | WIRE_ANSWER) || !get_welcome(g, &w) ||
		w.host_nonce != nonce || w.session != h->session ||
		w.version != WIRE_VERSION)
		return 0;
	if (w.max_payload > LINK_MAX_PAYLOAD)
		w.max_payload = LINK_MAX_PAYLOAD;
	if (w.window > 64)
		w.window = 64;
	l->welcome = w;
	l->request = 0;
	link_forget_held(l);
	l->chunk = w.max_payload - WIRE_PUT_OVERHEAD;
	l->bad = l->good = l->largest = 0;
	return 1;
}

static enum err await_welcome(struct link *l, uint32_t nonce, int ms, struct err_ctx *ctx)
{
	uint64_t until = l->t->ops->now_ms(l->t) + (uint64_t)ms;

	for (;;) {
		struct wire_header h;
		struct wire_error r;
		struct get g;
		enum err e = next_frame(l, until, &h, &g, ctx);

		if (e)
			return e;
		if (accept_welcome(l, nonce, &h, &g))
			return ERR_OK;
		if (h.type == WIRE_ERROR && h.session == 0 && h.request == nonce &&
			get_error(&g, &r))
			return hello_refused(complete(&r), ctx);
	}
}

enum err link_hello(struct link *l, struct err_ctx *ctx)
{
	struct wire_hello m = {WIRE_VERSION, WIRE_VERSION, fresh_nonce()};
	size_t n_tries;
	enum err e;

	if (!l->t)
		return err_set(ctx, ERR_LINK, "the link is closed");
	l->welcome = (struct wire_welcome){.max_payload = WIRE_MIN_PAYLOAD};
	n_tries = l->fresh ? LINK_TRIES : N_SOON;
	e = l->fresh ? ERR_OK : resync(l, ctx);
	l->fresh = 0;
	for (size_t i = 0; i < n_tries && !e; i++) {
		put_hello(link_begin(l), &m);
		l->request =
			m.host_nonce; /* a late refusal of another HELLO is not ours */
		e = send_frame(l, WIRE_HELLO, ctx);
		if (!e)
			e = await_welcome(l, m.host_nonce, link_try_ms(l, (int)i), ctx);
		if (e != ERR_TIMEOUT)
			return e;
		e = ERR_OK;
	}
	return e ? e : err_set(ctx, ERR_LINK, "the agent does not answer");
}
