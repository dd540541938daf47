#include <stdlib.h>
#include <string.h>

#include "devices/delta.h"
#include "devices/link.h"
#include "devices/proto/crc32.h"

/* Uploads and downloads over a link. */

#define MAX_STUCK 48
#define TRANSFER_MS 30000 /* and 1 ms a byte, or twice what the line takes */
#define STAGE_MIN_BYTES 2048

static void begin_transfer(struct link *l, uint64_t len)
{
	uint64_t line_ms = len * 2 * l->byte_ns / 1000000;

	l->until_ms = (l->t ? l->t->ops->now_ms(l->t) : 0) + TRANSFER_MS + len + line_ms;
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

/* Uploads */

struct upload {
	const uint8_t *data;
	uint32_t size, next, have;
	uint32_t first, answered; /* request numbers of this upload */
	int silent, stuck;	  /* tries without an answer, without progress */
	struct delta delta;	  /* what need not be sent */
	size_t at;		  /* the first copy that does not end before `next` */
	uint32_t held;
};

/* OFFER and VERIFY */
static enum err offer(struct link *l, uint8_t type, const struct link_content *c,
	struct wire_have *have, struct err_ctx *ctx)
{
	struct put *body = link_begin(l);
	struct get g;
	enum err e;

	if (type == WIRE_OFFER) {
		const struct wire_offer m = {c->hash, (uint32_t)c->len,
			crc32_update(0, c->data, c->len) ^ c->spoiled};

		put_offer(body, &m);
	}
	e = link_call(l, type, type | WIRE_ANSWER, &g, ctx);
	if (e)
		return e;
	if (!get_have(&g, have) || have->have > c->len ||
		(have->complete && have->have != c->len))
		return err_set(ctx, ERR_LINK, "the agent's answer makes no sense");
	return ERR_OK;
}

/* The next request from u->next on: COPY where the device has the bytes, else PUT. */
static void next_piece(const struct link *l, struct upload *u, struct wire_put *m)
{
	const struct delta *d = &u->delta;
	uint32_t end = u->size;

	while (u->at > 0 && d->copies[u->at - 1].at + d->copies[u->at - 1].len > u->next)
		u->at--;
	while (u->at < d->n && d->copies[u->at].at + d->copies[u->at].len <= u->next)
		u->at++;
	*m = (struct wire_put){.offset = u->next, .data = u->data + u->next};
	if (u->at < d->n && d->copies[u->at].at <= u->next) {
		const struct delta_copy *c = &d->copies[u->at];
		uint32_t skip = u->next - c->at;

		m->data = NULL;
		m->held = u->held;
		m->from = c->from + skip;
		m->len = c->len - skip;
		return;
	}
	if (u->at < d->n)
		end = d->copies[u->at].at;
	m->len = end - u->next < l->chunk ? end - u->next : l->chunk;
}

static enum err fill_window(struct link *l, struct upload *u, struct err_ctx *ctx)
{
	while (u->next < u->size && l->request - u->answered < l->welcome.window) {
		struct wire_put m;
		enum err e;

		next_piece(l, u, &m);
		if (m.data)
			put_put(link_begin(l), &m);
		else
			put_copy(link_begin(l), &m);
		e = link_post(l, m.data ? WIRE_PUT : WIRE_COPY, ctx);
		if (e)
			return e;
		u->next += m.len;
	}
	return ERR_OK;
}

static void rewind_to(struct link *l, struct upload *u, uint32_t at)
{
	if (++u->stuck == MAX_STUCK)
		l->until_ms = 0;
	u->next = at;
	u->answered = l->request;
	went_badly(l);
}

/* The device has lost what was to be copied. */
static void send_the_rest(struct link *l, struct upload *u)
{
	delta_release(&u->delta);
	u->at = 0;
	u->next = u->have;
	u->first = u->answered = l->request;
}

static enum err on_put_answer(struct link *l, struct upload *u,
	const struct wire_header *h, struct get *g, struct err_ctx *ctx)
{
	struct wire_have m;

	if (h->request <= u->first || h->request > l->request)
		return ERR_OK;
	if (h->type == WIRE_ERROR && u->delta.n && l->refusal.code == WIRE_E_NOT_FOUND) {
		send_the_rest(l, u);
		return ERR_OK;
	}
	if (h->type == WIRE_ERROR)
		return link_refused(l, ctx);
	if ((h->type != (WIRE_PUT | WIRE_ANSWER) &&
		    h->type != (WIRE_COPY | WIRE_ANSWER)) ||
		!get_have(g, &m) || m.have > u->size)
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
		e = link_next(l, link_try_ms(l, u->silent), &h, &g, ctx);
		if (e == ERR_TIMEOUT && ++u->silent < LINK_CALL_TRIES)
			rewind_to(l, u, u->have);
		else if (e)
			return e == ERR_TIMEOUT ? ERR_LINK : e;
		else if ((e = on_put_answer(l, u, &h, &g, ctx)))
			return e;
	}
	return ERR_OK;
}

/* By the debug probe: the bytes lie in the device's memory already, and are taken from there.
 * *have goes on when that worked. */
static enum err stage(
	struct link *l, const struct link_content *c, uint32_t *have, struct err_ctx *ctx)
{
	struct wire_put m = {.len = (uint32_t)c->len};
	struct err_ctx why;
	struct wire_have h;
	struct get g;
	enum err e;

	if (!l->stage || !(l->welcome.flags & WIRE_CAN_COPY) || *have ||
		c->len < STAGE_MIN_BYTES ||
		l->stage(l->stage_self, c->data, c->len, &m.from, &why) != ERR_OK)
		return ERR_OK;
	put_copy(link_begin(l), &m);
	e = link_call(l, WIRE_COPY, WIRE_COPY | WIRE_ANSWER, &g, ctx);
	if (e == ERR_INVALID)
		return ERR_OK; /* the line will do */
	if (!e && get_have(&g, &h) && h.have == c->len)
		*have = h.have;
	return e;
}

static void drop_held(struct link *l)
{
	free(l->held);
	l->held = NULL;
	l->held_len = 0;
}

/* Remembers the image that the device holds now. Without room it is not remembered. */
static void hold(struct link *l, const struct link_content *c)
{
	uint8_t *copy;

	if (l->held && memcmp(l->held_hash, c->hash, sizeof(l->held_hash)) == 0)
		return;
	copy = c->len <= DELTA_MAX_BYTES ? malloc(c->len) : NULL;
	drop_held(l);
	if (!copy)
		return;
	memcpy(copy, c->data, c->len);
	l->held = copy;
	l->held_len = c->len;
	memcpy(l->held_hash, c->hash, sizeof(l->held_hash));
}

/* One round, by the quickest way or plainly. *helped: not all went over the line. */
static enum err upload_round(struct link *l, const struct link_content *c, int plain,
	int *helped, struct err_ctx *ctx)
{
	struct wire_have have;
	struct upload u = {.data = c->data, .size = (uint32_t)c->len};
	enum err e;

	if (c->len > l->largest)
		l->largest = (uint32_t)c->len;
	e = offer(l, WIRE_OFFER, c, &have, ctx);
	if (e || have.complete)
		return e;
	u.have = have.have;
	if (!plain)
		e = stage(l, c, &u.have, ctx);
	*helped = u.have > have.have;
	u.held = l->held ? wire_hash_start(l->held_hash) : 0;
	if (!e && !plain && !*helped && c->is_image && u.held)
		e = delta_plan(&u.delta, l->held, l->held_len, c->data, c->len, ctx);
	*helped |= u.delta.n > 0;
	u.next = u.have;
	u.first = u.answered = l->request;
	begin_transfer(l, c->len);
	e = e ? e : send_all(l, &u, ctx);
	delta_release(&u.delta);
	if (!e)
		e = offer(l, WIRE_VERIFY, c, &have, ctx);
	if (!e && !have.complete)
		return err_set(
			ctx, ERR_LINK, "the upload does not arrive as it was sent");
	return e;
}

enum err link_upload(struct link *l, const struct link_content *c, struct err_ctx *ctx)
{
	int plain = 0;

	if (c->len > UINT32_MAX)
		return err_set(ctx, ERR_INVALID, "longer than an upload can be, 4 GiB");
	/* A second round when a part left over from an earlier upload was bad; before it
	 * one without help, when there was any. */
	for (int round = 0; round < 2; round++) {
		int helped = 0;
		enum err e = upload_round(l, c, plain, &helped, ctx);

		if (!e && c->is_image && l->welcome.flags & WIRE_CAN_COPY)
			hold(l, c);
		if (!(e == ERR_INVALID && l->refusal.code == WIRE_E_HASH) || c->once)
			return e;
		plain = 1;
		round -= helped;
	}
	return err_set(ctx, ERR_LINK, "the upload does not arrive as it was sent");
}

void link_forget_held(struct link *l)
{
	drop_held(l);
}

/* Downloads */

#define MAX_REFETCHES 15 /* in a row, without a byte more */

/* *silent: tries in a row to which nothing was answered. */
static enum err fetch_window(struct link *l, const struct wire_fetch *f, struct buf *out,
	size_t start, int *silent, struct err_ctx *ctx)
{
	enum err e;

	put_fetch(link_begin(l), f);
	e = link_post(l, WIRE_FETCH, ctx);
	while (!e && out->len - start < f->offset + f->len) {
		struct wire_header h;
		struct wire_data d;
		struct get g;

		e = check_transfer(l, ctx);
		e = e ? e : link_next(l, link_try_ms(l, *silent), &h, &g, ctx);
		if (e == ERR_TIMEOUT)
			++*silent;
		if (e || h.request != l->request)
			continue;
		*silent = 0;
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

enum err link_fetch(struct link *l, uint32_t run, uint32_t len, uint32_t crc,
	struct buf *out, struct err_ctx *ctx)
{
	size_t start = out->len;
	int tries = 0, silent = 0;

	if (len > LINK_MAX_BLOB)
		return err_set(ctx, ERR_LINK, "the agent announces too much");
	begin_transfer(l, len);
	while (out->len - start < len) {
		uint32_t at = (uint32_t)(out->len - start), window;
		struct wire_fetch f = {.run = run, .offset = at};
		enum err e;

		window = l->bad || l->chunk < 512 ? l->chunk : l->chunk * 16;
		f.len = len - at < window ? len - at : window;
		e = fetch_window(l, &f, out, start, &silent, ctx);
		if (e == ERR_OK) {
			went_well(l);
			tries = 0;
		} else if (e == ERR_TIMEOUT) {
			went_badly(l);
			tries = out->len - start > at ? 0 : tries + 1;
			if (tries == MAX_REFETCHES || silent == LINK_CALL_TRIES)
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
