#include "devices/link.h"

#include <string.h>
#include <sys/random.h>

#include "devices/proto/crc32.h"
#include "src/base/clock.h"

/* Waits for an answer, one try after the other: 15 seconds in all. */
static const int try_ms[] = {500, 500, 1000, 1000, 2000, 2000, 4000, 4000};
#define N_TRIES (sizeof(try_ms) / sizeof(try_ms[0]))
#define N_SOON 2 /* of them, for an agent that started long ago: 1 s */
#define QUIET_MS 20
#define WRITE_MS 5000
#define MAX_STUCK 48
#define TRANSFER_MS 30000 /* and 1 ms a byte: what is slower is no line */

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
	put_init(&p, l->tx + frame_headroom(len), len);
	put_header(&p, &h);
	put_bytes(&p, l->body_bytes, l->body.len);
	n = frame_encode(l->tx, sizeof(l->tx), len);
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

/* The next frame of any session. */
static enum err next_frame(struct link *l, uint64_t until_ms, struct wire_header *h,
	struct get *g, struct err_ctx *ctx)
{
	for (;;) {
		uint64_t now;
		enum err e;
		size_t n;

		while (l->raw_at < l->raw_len) {
			int sound;

			l->raw_at += frame_decoder_take(&l->decoder, l->raw + l->raw_at,
				l->raw_len - l->raw_at, &n, &sound);
			get_init(g, l->decoder.buf, sound ? n : 0);
			if (sound && get_header(g, h) && h->type & WIRE_ANSWER)
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

static void begin_transfer(struct link *l, uint64_t len)
{
	l->until_ms = (l->t ? l->t->ops->now_ms(l->t) : 0) + TRANSFER_MS + len;
}

static enum err check_transfer(const struct link *l, struct err_ctx *ctx)
{
	return l->t && l->t->ops->now_ms(l->t) >= l->until_ms
		       ? err_set(ctx, ERR_LINK, "the transfer does not come to an end")
		       : ERR_OK;
}

/* Halves what is sent at once after two failures in a row. */
static void went_badly(struct link *l)
{
	l->good = 0;
	if (++l->bad >= 2 && l->chunk > 64) {
		l->chunk /= 2;
		l->bad = 0;
	}
}

static void went_well(struct link *l)
{
	uint32_t most = l->welcome.max_payload - WIRE_PUT_OVERHEAD;

	l->bad = 0;
	if (++l->good >= 16 && l->chunk < most) {
		l->chunk = l->chunk * 2 > most ? most : l->chunk * 2;
		l->good = 0;
	}
}

enum err link_call(
	struct link *l, uint8_t type, uint8_t answer, struct get *g, struct err_ctx *ctx)
{
	enum err e = link_post(l, type, ctx);

	for (size_t i = 0; i < N_TRIES; i++) {
		uint64_t until;

		if (i)
			e = link_repost(l, type, ctx);
		if (e)
			return e;
		until = l->t->ops->now_ms(l->t) + (uint64_t)try_ms[i];
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
	l->chunk = w.max_payload - WIRE_PUT_OVERHEAD;
	l->bad = l->good = 0;
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
			return hello_refused(&r, ctx);
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
	n_tries = l->fresh ? N_TRIES : N_SOON;
	e = l->fresh ? ERR_OK : resync(l, ctx);
	l->fresh = 0;
	for (size_t i = 0; i < n_tries && !e; i++) {
		put_hello(link_begin(l), &m);
		l->request =
			m.host_nonce; /* a late refusal of another HELLO is not ours */
		e = send_frame(l, WIRE_HELLO, ctx);
		if (!e)
			e = await_welcome(l, m.host_nonce, try_ms[i], ctx);
		if (e != ERR_TIMEOUT)
			return e;
		e = ERR_OK;
	}
	return e ? e : err_set(ctx, ERR_LINK, "the agent does not answer");
}

/* Uploads */

struct upload {
	const uint8_t *data;
	uint64_t size, next, have;
	uint32_t first, answered; /* request numbers of this upload */
	int silent, stuck;	  /* tries without an answer, without progress */
};

static enum err offer(struct link *l, uint8_t type, const uint8_t hash[SHA256_BYTES],
	uint64_t size, struct wire_have *have, struct err_ctx *ctx)
{
	struct wire_offer m = {.size = size};
	struct get g;
	enum err e;

	memcpy(m.hash, hash, SHA256_BYTES);
	put_offer(link_begin(l), &m);
	e = link_call(l, type, type | WIRE_ANSWER, &g, ctx);
	if (e)
		return e;
	if (!get_have(&g, have) || have->have > size ||
		(have->complete && have->have != size))
		return err_set(ctx, ERR_LINK, "the agent's answer makes no sense");
	return ERR_OK;
}

static enum err fill_window(struct link *l, struct upload *u, struct err_ctx *ctx)
{
	while (u->next < u->size && l->request - u->answered < l->welcome.window) {
		struct wire_put m = {.offset = u->next, .data = u->data + u->next};
		enum err e;

		m.len = u->size - u->next < l->chunk ? (uint32_t)(u->size - u->next)
						     : l->chunk;
		put_put(link_begin(l), &m);
		e = link_post(l, WIRE_PUT, ctx);
		if (e)
			return e;
		u->next += m.len;
	}
	return ERR_OK;
}

static void rewind_to(struct link *l, struct upload *u, uint64_t at)
{
	if (++u->stuck == MAX_STUCK)
		l->until_ms = 0;
	u->next = at;
	u->answered = l->request;
	went_badly(l);
}

static enum err on_put_answer(struct link *l, struct upload *u,
	const struct wire_header *h, struct get *g, struct err_ctx *ctx)
{
	struct wire_have m;

	if (h->request <= u->first || h->request > l->request)
		return ERR_OK;
	if (h->type == WIRE_ERROR)
		return link_refused(l, ctx);
	if (h->type != (WIRE_PUT | WIRE_ANSWER) || !get_have(g, &m) || m.have > u->size)
		return ERR_OK;
	u->silent = 0;
	if (m.have > u->have) {
		u->have = m.have;
		u->stuck = 0;
		went_well(l);
	}
	if ((int32_t)(h->request - u->answered) > 0)
		u->answered = h->request;
	/* The last PUT's answer tells whether all before it arrived. */
	if (h->request == l->request && m.have != u->next)
		rewind_to(l, u, m.have);
	return ERR_OK;
}

static enum err send_all(struct link *l, struct upload *u, struct err_ctx *ctx)
{
	while (u->have < u->size) {
		struct wire_header h;
		struct get g;
		enum err e = check_transfer(l, ctx);

		e = e ? e : fill_window(l, u, ctx);
		if (e)
			return e;
		e = link_next(l, try_ms[u->silent], &h, &g, ctx);
		if (e == ERR_TIMEOUT && ++u->silent < (int)N_TRIES)
			rewind_to(l, u, u->have);
		else if (e)
			return e == ERR_TIMEOUT ? ERR_LINK : e;
		else if ((e = on_put_answer(l, u, &h, &g, ctx)))
			return e;
	}
	return ERR_OK;
}

enum err link_upload(struct link *l, const uint8_t hash[SHA256_BYTES],
	const uint8_t *data, size_t len, struct err_ctx *ctx)
{
	/* A second round when a part left over from an earlier upload was bad. */
	for (int round = 0; round < 2; round++) {
		struct wire_have have;
		struct upload u = {.data = data, .size = len};
		enum err e = offer(l, WIRE_OFFER, hash, len, &have, ctx);

		if (e || have.complete)
			return e;
		u.next = u.have = have.have;
		u.first = u.answered = l->request;
		begin_transfer(l, len);
		e = send_all(l, &u, ctx);
		if (!e)
			e = offer(l, WIRE_VERIFY, hash, len, &have, ctx);
		if (!e && have.complete)
			return ERR_OK;
		if (e && !(e == ERR_INVALID && l->refusal.code == WIRE_E_HASH))
			return e;
	}
	return err_set(ctx, ERR_LINK, "the upload does not arrive as it was sent");
}

/* Downloads */

static enum err fetch_window(struct link *l, const struct wire_fetch *f, struct buf *out,
	size_t start, struct err_ctx *ctx)
{
	enum err e;

	put_fetch(link_begin(l), f);
	e = link_post(l, WIRE_FETCH, ctx);
	while (!e && out->len - start < f->offset + f->len) {
		struct wire_header h;
		struct wire_data d;
		struct get g;

		e = check_transfer(l, ctx);
		e = e ? e : link_next(l, 1000, &h, &g, ctx);
		if (e || h.request != l->request)
			continue;
		if (h.type == WIRE_ERROR)
			return link_refused(l, ctx);
		if (h.type != WIRE_DATA || !get_data(&g, &d))
			continue;
		if (d.offset == out->len - start &&
			d.len <= f->offset + f->len - d.offset)
			buf_append(out, d.data, d.len);
		else if (d.offset > out->len - start)
			return ERR_TIMEOUT; /* one is missing: ask again from there */
		if (out->failed)
			return buf_err(out, ctx);
	}
	return e;
}

enum err link_fetch(struct link *l, enum wire_blob blob, uint32_t run, uint32_t len,
	uint32_t crc, struct buf *out, struct err_ctx *ctx)
{
	size_t start = out->len;
	unsigned tries = 0;

	if (len > LINK_MAX_BLOB)
		return err_set(ctx, ERR_LINK, "the agent announces too much");
	begin_transfer(l, len);
	while (out->len - start < len) {
		uint32_t at = (uint32_t)(out->len - start), window;
		struct wire_fetch f = {.blob = (uint8_t)blob, .run = run, .offset = at};
		enum err e;

		window = l->bad || l->chunk < 512 ? l->chunk : l->chunk * 16;
		f.len = len - at < window ? len - at : window;
		e = fetch_window(l, &f, out, start, ctx);
		if (e == ERR_OK) {
			went_well(l);
			tries = 0;
		} else if (e == ERR_TIMEOUT) {
			went_badly(l);
			tries = out->len - start > at ? 0 : tries + 1;
			if (tries == 15)
				return err_set(
					ctx, ERR_LINK, "the agent does not answer");
		} else {
			return e;
		}
	}
	if (crc32_update(0, buf_str(out) + start, len) != crc)
		return err_set(
			ctx, ERR_LINK, "the agent's answer is not what it announced");
	return ERR_OK;
}
