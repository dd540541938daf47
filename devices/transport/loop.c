#include "devices/transport/transport.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/rng.h"

#define HELD 8 /* delayed writes kept per direction */

struct lane {
	struct rng rng;
	struct buf held[HELD];
	unsigned held_for[HELD]; /* writes until delivery; 0: free */
	uint64_t carried;
};

struct loop_transport {
	struct transport base;
	struct loop_peer peer;
	struct loop_faults f;
	struct lane up, down; /* host to peer, peer to host */
	struct buf in;	      /* for the host to read */
	size_t in_at;
	uint64_t now_ms;
	int cut;
};

static void to_host(struct loop_transport *l, const uint8_t *data, size_t len)
{
	buf_append(&l->in, data, len);
}

static void to_peer(struct loop_transport *l, const uint8_t *data, size_t len)
{
	if (len)
		l->peer.receive(l->peer.self, data, len);
}

typedef void (*deliver_fn)(struct loop_transport *l, const uint8_t *data, size_t len);

/* Bytes as the line makes them. */
static void damage(struct loop_transport *l, struct lane *lane, const uint8_t *data,
	size_t len, struct buf *out)
{
	for (size_t i = 0; i < len && !l->cut; i++) {
		uint8_t b = data[i];

		if (l->f.cut_after && ++lane->carried > l->f.cut_after) {
			l->cut = 1;
			return;
		}
		if (l->f.drop > 0 && rng_unit(&lane->rng) < l->f.drop)
			continue;
		if (l->f.corrupt > 0 && rng_unit(&lane->rng) < l->f.corrupt)
			b = (uint8_t)(b ^ (1 + rng_below(&lane->rng, 255)));
		buf_append(out, &b, 1);
		if (l->f.duplicate > 0 && rng_unit(&lane->rng) < l->f.duplicate)
			buf_append(out, &b, 1);
	}
}

static int hold(struct loop_transport *l, struct lane *lane, const struct buf *b)
{
	if (!(l->f.delay > 0) || rng_unit(&lane->rng) >= l->f.delay)
		return 0;
	for (int i = 0; i < HELD; i++) {
		if (lane->held_for[i])
			continue;
		buf_reset(&lane->held[i]);
		buf_append(&lane->held[i], b->data, b->len);
		lane->held_for[i] = 2 + (unsigned)rng_below(&lane->rng, 6);
		return 1;
	}
	return 0;
}

static void release_held(struct loop_transport *l, struct lane *lane, deliver_fn deliver)
{
	for (int i = 0; i < HELD; i++)
		if (lane->held_for[i] && --lane->held_for[i] == 0) {
			struct buf b = lane->held[i];

			buf_init(&lane->held[i]); /* delivery may hold another one */
			deliver(l, (const uint8_t *)buf_str(&b), b.len);
			buf_release(&b);
		}
}

static void carry(struct loop_transport *l, struct lane *lane, const uint8_t *data,
	size_t len, deliver_fn deliver)
{
	struct buf b;

	buf_init(&b);
	damage(l, lane, data, len, &b);
	if (!hold(l, lane, &b))
		deliver(l, (const uint8_t *)buf_str(&b), b.len);
	buf_release(&b);
	release_held(l, lane, deliver);
}

void transport_loop_send(struct transport *t, const uint8_t *data, size_t len)
{
	struct loop_transport *l = (struct loop_transport *)t;

	carry(l, &l->down, data, len, to_host);
}

static enum err loop_write(struct transport *t, const void *data, size_t len,
	int timeout_ms, struct err_ctx *ctx)
{
	struct loop_transport *l = (struct loop_transport *)t;

	(void)timeout_ms;
	if (l->cut)
		return err_set(ctx, ERR_LINK, "the line was cut");
	carry(l, &l->up, data, len, to_peer);
	return ERR_OK;
}

static enum err loop_read(struct transport *t, void *buf, size_t cap, int timeout_ms,
	size_t *n, struct err_ctx *ctx)
{
	struct loop_transport *l = (struct loop_transport *)t;
	size_t have = l->in.len - l->in_at;

	if (buf_err(&l->in, ctx) != ERR_OK)
		return ERR_NOMEM;
	if (!have && !l->cut) {
		l->now_ms += (uint64_t)timeout_ms;
		l->peer.poll(l->peer.self, l->now_ms);
		have = l->in.len - l->in_at;
	}
	if (!have)
		return l->cut ? err_set(ctx, ERR_LINK, "the line was cut")
			      : err_set(ctx, ERR_TIMEOUT, "no answer within %d ms",
					timeout_ms);
	*n = have < cap ? have : cap;
	memcpy(buf, l->in.data + l->in_at, *n);
	l->in_at += *n;
	if (l->in_at == l->in.len) {
		buf_reset(&l->in);
		l->in_at = 0;
	}
	return ERR_OK;
}

static uint64_t loop_now_ms(struct transport *t)
{
	return ((struct loop_transport *)t)->now_ms;
}

static void lane_release(struct lane *lane)
{
	for (int i = 0; i < HELD; i++)
		buf_release(&lane->held[i]);
}

static void loop_close(struct transport *t)
{
	struct loop_transport *l = (struct loop_transport *)t;

	lane_release(&l->up);
	lane_release(&l->down);
	buf_release(&l->in);
	free(l);
}

static const struct transport_ops loop_ops = {
	.name = "loop",
	.read = loop_read,
	.write = loop_write,
	.now_ms = loop_now_ms,
	.close = loop_close,
};

static void lane_init(struct lane *lane, const struct rng *root, const char *purpose)
{
	rng_split(root, purpose, 0, &lane->rng);
	for (int i = 0; i < HELD; i++)
		buf_init(&lane->held[i]);
}

enum err transport_loop_open(struct transport **out, const struct loop_peer *peer,
	const struct loop_faults *faults, struct err_ctx *ctx)
{
	struct loop_transport *l = calloc(1, sizeof(*l));
	struct rng root;

	if (!l)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	l->base.ops = &loop_ops;
	l->peer = *peer;
	l->f = *faults;
	rng_init(&root, faults->seed);
	lane_init(&l->up, &root, "up");
	lane_init(&l->down, &root, "down");
	buf_init(&l->in);
	*out = &l->base;
	return ERR_OK;
}
