#include "devices/transport/gdb_remote.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/transport/dial.h"
#include "src/base/clock.h"

#define ANSWER_MS 5000
#define MAX_PACKET 16384 /* that we send, or take */
#define MIN_PACKET 256
#define USUAL_PACKET 1024 /* of a server that does not say */
#define MARGIN 40	  /* for a command's letter, numbers and framing */
#define MAX_SKIPPED 64	  /* packets nobody asked for, before an answer */
#define MAX_RESENT 3

struct gdb_remote {
	int fd;
	int acked;  /* packets are acknowledged */
	int binary; /* the server takes X */
	size_t packet;
	uint64_t until_ms; /* of the answer waited for */
	char where[128];
	uint8_t raw[4096];
	size_t raw_at, raw_len;
	char answer[MAX_PACKET + 1]; /* terminated; may hold zeros */
	size_t answer_len;
	char out[MAX_PACKET + 8];
	size_t out_len;
};

static enum err fault(struct gdb_remote *g, const char *what, struct err_ctx *ctx)
{
	return err_set(ctx, ERR_LINK, "debug probe '%s': %s", g->where, what);
}

static uint64_t now_ms(void)
{
	return clock_mono_ns() / 1000000;
}

/* Bytes */

static enum err await(struct gdb_remote *g, short event, struct err_ctx *ctx)
{
	for (;;) {
		struct pollfd q = {g->fd, event, 0};
		uint64_t now = now_ms();

		if (now >= g->until_ms)
			return fault(g, "does not answer", ctx);
		if (poll(&q, 1, (int)(g->until_ms - now)) > 0)
			return ERR_OK;
	}
}

static enum err send_bytes(
	struct gdb_remote *g, const char *data, size_t len, struct err_ctx *ctx)
{
	while (len) {
		ssize_t n = send(g->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		enum err e;

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			return fault(g, "hangs up", ctx);
		} else if ((e = await(g, POLLOUT, ctx))) {
			return e;
		}
	}
	return ERR_OK;
}

static enum err take_byte(struct gdb_remote *g, uint8_t *c, struct err_ctx *ctx)
{
	while (g->raw_at == g->raw_len) {
		enum err e = await(g, POLLIN, ctx);
		ssize_t n;

		if (e)
			return e;
		n = recv(g->fd, g->raw, sizeof(g->raw), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return fault(g, "hangs up", ctx);
		g->raw_at = 0;
		g->raw_len = n > 0 ? (size_t)n : 0;
	}
	*c = g->raw[g->raw_at++];
	return ERR_OK;
}

/* Packets */

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int keep(struct gdb_remote *g, uint8_t c, size_t times)
{
	if (times > MAX_PACKET - g->answer_len)
		return 0;
	memset(g->answer + g->answer_len, c, times);
	g->answer_len += times;
	return 1;
}

/* One character of a packet's content, with what it stands for. */
static int decode(struct gdb_remote *g, uint8_t c, int *escaped, int *running)
{
	if (*escaped) {
		*escaped = 0;
		return keep(g, c ^ 0x20, 1);
	}
	if (*running) {
		*running = 0;
		return c >= 29 + 3 && c <= 126 && g->answer_len &&
		       keep(g, (uint8_t)g->answer[g->answer_len - 1], c - 29u);
	}
	*escaped = c == '}';
	*running = c == '*';
	return *escaped || *running || keep(g, c, 1);
}

/* What follows '$' or '%', to the checksum; *sound tells whether that fits. */
static enum err take_content(struct gdb_remote *g, int *sound, struct err_ctx *ctx)
{
	int escaped = 0, running = 0, hi, lo;
	uint8_t c = 0, sum = 0;
	enum err e;

	g->answer_len = 0;
	while (!(e = take_byte(g, &c, ctx)) && c != '#') {
		sum = (uint8_t)(sum + c);
		if (!decode(g, c, &escaped, &running))
			return fault(g, "sends packets that make no sense", ctx);
	}
	g->answer[g->answer_len] = '\0';
	e = e ? e : take_byte(g, &c, ctx);
	hi = digit(c);
	e = e ? e : take_byte(g, &c, ctx);
	lo = digit(c);
	*sound = hi >= 0 && lo >= 0 && (hi << 4 | lo) == sum && !escaped && !running;
	return e;
}

/* The next packet; what was sent last is sent again when the server missed it. */
static enum err take_packet(struct gdb_remote *g, struct err_ctx *ctx)
{
	int resent = 0, damaged = 0, sound = 0;

	for (;;) {
		uint8_t c;
		enum err e = take_byte(g, &c, ctx);

		if (!e && c == '-' && g->acked && ++resent <= MAX_RESENT)
			e = send_bytes(g, g->out, g->out_len, ctx);
		else if (!e && c == '-')
			return fault(g, "does not understand", ctx);
		if (e)
			return e;
		if (c != '$' && c != '%')
			continue; /* '+', or what was left of something */
		e = take_content(g, &sound, ctx);
		if (e)
			return e;
		if (c == '%')
			continue;
		if (!sound && (!g->acked || ++damaged > MAX_RESENT))
			return fault(g, "sends damaged packets", ctx);
		e = g->acked ? send_bytes(g, sound ? "+" : "-", 1, ctx) : ERR_OK;
		if (e || sound)
			return e;
	}
}

/* A stop reply, or the console's words: nobody waits for those here. */
static int is_unasked(const struct gdb_remote *g)
{
	return (g->answer[0] && strchr("TSWXN", g->answer[0])) ||
	       (g->answer[0] == 'O' && strcmp(g->answer, "OK") != 0);
}

/* Sends the content that lies in `out` behind its '$', and takes the answer. */
static enum err exchange(struct gdb_remote *g, size_t len, struct err_ctx *ctx)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t sum = 0;
	enum err e;

	for (size_t i = 1; i <= len; i++)
		sum = (uint8_t)(sum + (uint8_t)g->out[i]);
	g->out[0] = '$';
	g->out[len + 1] = '#';
	g->out[len + 2] = hex[sum >> 4];
	g->out[len + 3] = hex[sum & 15];
	g->out_len = len + 4;
	g->until_ms = now_ms() + ANSWER_MS;
	e = send_bytes(g, g->out, g->out_len, ctx);
	for (int i = 0; i < MAX_SKIPPED && !e; i++) {
		e = take_packet(g, ctx);
		if (!e && !is_unasked(g))
			return ERR_OK;
	}
	return e ? e : fault(g, "talks and does not answer", ctx);
}

static enum err ask(struct gdb_remote *g, const char *text, struct err_ctx *ctx)
{
	size_t len = strlen(text);

	memcpy(g->out + 1, text, len);
	return exchange(g, len, ctx);
}

static enum err refused(
	struct gdb_remote *g, const char *what, uint64_t address, struct err_ctx *ctx)
{
	return err_set(ctx, ERR_LINK, "debug probe '%s': cannot %s memory at 0x%08llx",
		g->where, what, (unsigned long long)address);
}

/* Memory */

static size_t put_hex(char *at, const uint8_t *data, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		at[2 * i] = hex[data[i] >> 4];
		at[2 * i + 1] = hex[data[i] & 15];
	}
	return 2 * n;
}

/* As many bytes as there is room for; *used tells how many. */
static size_t put_escaped(
	char *at, size_t room, const uint8_t *data, size_t n, size_t *used)
{
	size_t len = 0, i = 0;

	for (; i < n && len + 2 <= room; i++) {
		if (memchr("#$}*", data[i], 4)) {
			at[len++] = '}';
			at[len++] = (char)(data[i] ^ 0x20);
		} else {
			at[len++] = (char)data[i];
		}
	}
	*used = i;
	return len;
}

static enum err write_some(struct gdb_remote *g, uint64_t address, const uint8_t *data,
	size_t len, size_t *used, struct err_ctx *ctx)
{
	char body[MAX_PACKET];
	size_t room = g->packet - MARGIN, n;
	int head;
	enum err e;

	*used = len < room / 2 ? len : room / 2;
	n = g->binary ? put_escaped(body, room, data, len, used)
		      : put_hex(body, data, *used);
	head = snprintf(g->out + 1, MARGIN, "%c%llx,%zx:", g->binary ? 'X' : 'M',
		(unsigned long long)address, *used);
	memcpy(g->out + 1 + head, body, n);
	e = exchange(g, (size_t)head + n, ctx);
	if (e)
		return e;
	return strcmp(g->answer, "OK") ? refused(g, "write", address, ctx) : ERR_OK;
}

enum err gdb_remote_write(struct gdb_remote *g, uint64_t address, const uint8_t *data,
	size_t len, struct err_ctx *ctx)
{
	while (len) {
		size_t n;
		enum err e = write_some(g, address, data, len, &n, ctx);

		if (e)
			return e;
		address += n;
		data += n;
		len -= n;
	}
	return ERR_OK;
}

enum err gdb_remote_read(struct gdb_remote *g, uint64_t address, uint8_t *out, size_t len,
	struct err_ctx *ctx)
{
	size_t most = (g->packet - MARGIN) / 2;

	while (len) {
		size_t n = len < most ? len : most;
		char text[64];
		enum err e;

		snprintf(text, sizeof(text), "m%llx,%zx", (unsigned long long)address, n);
		e = ask(g, text, ctx);
		if (e)
			return e;
		if (g->answer_len != 2 * n)
			return refused(g, "read", address, ctx);
		for (size_t i = 0; i < n; i++) {
			int hi = digit((uint8_t)g->answer[2 * i]);
			int lo = digit((uint8_t)g->answer[2 * i + 1]);

			if (hi < 0 || lo < 0)
				return refused(g, "read", address, ctx);
			out[i] = (uint8_t)(hi << 4 | lo);
		}
		address += n;
		out += n;
		len -= n;
	}
	return ERR_OK;
}

/* Connections */

enum err gdb_remote_open(struct gdb_remote **out, const char *where, struct err_ctx *ctx)
{
	int fd;
	enum err e = dial(&fd, where, ctx);

	if (e)
		return err_prefix(ctx, e, "debug probe (is its GDB server running?)");
	return gdb_remote_attach(out, fd, where, ctx);
}

/* What the server can do. */
static enum err agree(struct gdb_remote *g, struct err_ctx *ctx)
{
	enum err e = ask(g, "qSupported", ctx);
	const char *size, *no_ack;

	if (e)
		return e;
	size = strstr(g->answer, "PacketSize=");
	no_ack = strstr(g->answer, "QStartNoAckMode+");
	if (size) {
		unsigned long long v = strtoull(size + strlen("PacketSize="), NULL, 16);

		g->packet = v < MIN_PACKET   ? MIN_PACKET
			    : v > MAX_PACKET ? MAX_PACKET
					     : (size_t)v;
	}
	if (no_ack) {
		e = ask(g, "QStartNoAckMode", ctx);
		g->acked = strcmp(g->answer, "OK") != 0;
	}
	if (e)
		return e;
	e = ask(g, "X0,0:", ctx);
	g->binary = !e && strcmp(g->answer, "OK") == 0;
	return e;
}

enum err gdb_remote_attach(
	struct gdb_remote **out, int fd, const char *where, struct err_ctx *ctx)
{
	struct gdb_remote *g = calloc(1, sizeof(*g));
	enum err e;

	if (!g) {
		close(fd);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	g->fd = fd;
	g->acked = 1;
	g->packet = USUAL_PACKET;
	snprintf(g->where, sizeof(g->where), "%s", where);
	e = agree(g, ctx);
	if (e) {
		close(fd);
		free(g);
		return e;
	}
	*out = g;
	return ERR_OK;
}

/* D lets the core go on, by the protocol; OpenOCD has to be told so in its own words, which
 * others refuse. */
enum err gdb_remote_close(struct gdb_remote *g, struct err_ctx *ctx)
{
	static const char resume[] = "resume";
	enum err e;

	if (!g)
		return ERR_OK;
	memcpy(g->out + 1, "qRcmd,", 6);
	e = exchange(g, 6 + put_hex(g->out + 7, (const uint8_t *)resume, 6), ctx);
	e = e ? e : ask(g, "D", ctx);
	if (!e && strcmp(g->answer, "OK") != 0)
		e = fault(g, "does not let the core go on", ctx);
	close(g->fd);
	free(g);
	return e;
}
