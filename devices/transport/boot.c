#include "devices/transport/boot.h"

#include <stdint.h>
#include <string.h>

#include "devices/transport/transport.h"
#include "src/base/file.h"
#include "src/base/hash.h"

#define MARK "hawser-boot "
#define FIRST_MS 30000	/* connecting and logging in */
#define ANSWER_MS 30000 /* storing and hashing */
#define WRITE_MS 10000	/* without any progress */
#define CHUNK 32768
#define MAX_LINE 600
#define MAX_NOISE 65536 /* that a login may print */
#define MAX_AGENT (8u << 20)

/* One line without ' \ or !, so that single quotes carry it through any shell. What failed
 * is said before the input is drained: the host may be sending still. */
static const char script[] =
	"LC_ALL=C; export LC_ALL; umask 077; c=$1; shift; "
	"say() { echo \"" MARK "$*\"; }; "
	"fail() { say fail \"$@\"; exec cat >/dev/null; }; "
	"sum() { { sha256sum <\"$1\" | cut -c 1-64; } 2>/dev/null; }; "
	"d=${c:-${HAWSER_AGENT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hawser-agent}}; "
	"say hello $(uname -s) $(uname -m); "
	"read -r h n || exit 1; "
	"command -v sha256sum >/dev/null || fail tool sha256sum; "
	"a=$d/agent-$h; "
	"if [ -x \"$a\" ] && [ \"$(sum \"$a\")\" = \"$h\" ]; then say have; else "
	"t=$a.$$.new; "
	"m=$(mkdir -p \"$d\" 2>&1) || fail folder \"$m\"; "
	"m=$( (: >\"$t\") 2>&1) || fail folder \"$m\"; "
	"say send; "
	"m=$( (head -c \"$n\" >\"$t\") 2>&1) || { rm -f \"$t\"; fail store \"$m\"; }; "
	"[ \"$(sum \"$t\")\" = \"$h\" ] || { rm -f \"$t\"; fail sum; }; "
	"m=$( (chmod 700 \"$t\" && mv -f \"$t\" \"$a\") 2>&1) || "
	"{ rm -f \"$t\"; fail folder \"$m\"; }; "
	"for f in \"$d\"/agent-*; do [ \"$f\" = \"$a\" ] || rm -f \"$f\"; done; fi; "
	"m=$(\"$a\" --version 2>&1 </dev/null) || fail run \"$m\"; "
	"say ready; exec \"$a\" --cache \"$d\" \"$@\"";

static void quoted(struct buf *out, const char *s)
{
	buf_putc(out, '\'');
	for (; *s; s++)
		if (*s == '\'')
			buf_puts(out, "'\\''");
		else
			buf_putc(out, *s);
	buf_putc(out, '\'');
}

enum err boot_command(const struct boot *b, struct buf *out, struct err_ctx *ctx)
{
	buf_puts(out, "exec sh -c ");
	quoted(out, script);
	buf_puts(out, " hawser ");
	quoted(out, b->cache);
	for (size_t i = 0; b->args[i]; i++) {
		for (const char *s = b->args[i]; *s; s++)
			if ((unsigned char)*s < 32)
				return err_set(ctx, ERR_INVALID,
					"a device profile's text has a control "
					"character");
		buf_putc(out, ' ');
		quoted(out, b->args[i]);
	}
	return buf_err(out, ctx);
}

/* The conversation */

struct talk {
	struct transport *t;
	const char *where;
	struct err_ctx *ctx;
	char raw[1024];
	size_t at, len, noise;
	char line[MAX_LINE]; /* after the mark; printable */
};

static enum err nonsense(struct talk *k)
{
	return err_set(k->ctx, ERR_REFUSED,
		"'%s' does not run what it is told (a forced command, or a login that "
		"talks?): %.60s",
		k->where, k->line);
}

/* The rest of a line, cut at MAX_LINE. */
static enum err take_line(struct talk *k, uint64_t until_ms, char *out)
{
	size_t n = 0;

	for (;;) {
		enum err e;
		uint64_t now;

		while (k->at < k->len) {
			char c = k->raw[k->at++];

			if (c == '\n') {
				out[n] = '\0';
				return ERR_OK;
			}
			if (n < MAX_LINE - 1)
				out[n++] = c >= 32 && c < 127 ? c : '?';
			if (++k->noise > MAX_NOISE)
				return nonsense(k);
		}
		now = k->t->ops->now_ms(k->t);
		if (now >= until_ms)
			return err_set(k->ctx, ERR_DEVICE, "'%s' does not answer in time",
				k->where);
		k->at = k->len = 0;
		e = k->t->ops->read(k->t, k->raw, sizeof(k->raw), (int)(until_ms - now),
			&k->len, k->ctx);
		if (e && e != ERR_TIMEOUT)
			return e;
	}
}

/* What `fail` means, and what to do. */
static const struct {
	const char *where;
	const char *words; /* that have to be among what was said */
	const char *fault, *hint;
	enum err code;
} failures[] = {
	{"tool", "", "lacks a program that is needed", "install coreutils there",
		ERR_REFUSED},
	{"folder", "", "has no folder for the agent",
		"name one with 'cache' in the device profile", ERR_REFUSED},
	{"store", "o space left", "has no room for the agent",
		"free some, or name another folder with 'cache' in the device profile",
		ERR_DEVICE},
	{"store", "", "cannot store the agent",
		"name another folder with 'cache' in the device profile", ERR_DEVICE},
	{"sum", "", "got the agent damaged", "try again", ERR_DEVICE},
	{"run", "ermission denied", "lets no program run in the agent's folder",
		"is it mounted noexec? Name another one with 'cache' in the device "
		"profile",
		ERR_REFUSED},
	{"run", "", "cannot run the agent", "its system is not what it says",
		ERR_REFUSED},
};

static enum err failed(struct talk *k, const char *what)
{
	size_t len = strcspn(what, " ");

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (strncmp(what, failures[i].where, len) == 0 &&
			failures[i].where[len] == '\0' && strstr(what, failures[i].words))
			return err_set(k->ctx, failures[i].code, "'%s' %s%s%.200s; %s",
				k->where, failures[i].fault, what[len] ? ":" : "",
				what + len, failures[i].hint);
	return nonsense(k);
}

/* The next line that is ours, without the mark. */
static enum err hear(struct talk *k, int ms)
{
	uint64_t until = k->t->ops->now_ms(k->t) + (uint64_t)ms;

	for (;;) {
		char line[MAX_LINE], *mark;
		enum err e = take_line(k, until, line);

		if (e)
			return e;
		mark = strstr(line, MARK);
		if (!mark)
			continue;
		memmove(k->line, mark + strlen(MARK), strlen(mark + strlen(MARK)) + 1);
		if (strncmp(k->line, "fail ", 5) == 0)
			return failed(k, k->line + 5);
		return ERR_OK;
	}
}

static enum err expect(struct talk *k, const char *what)
{
	enum err e = hear(k, ANSWER_MS);

	return e ? e : strcmp(k->line, what) ? nonsense(k) : ERR_OK;
}

static enum err send_agent(struct talk *k, const struct buf *agent)
{
	for (size_t at = 0; at < agent->len; at += CHUNK) {
		size_t n = agent->len - at < CHUNK ? agent->len - at : CHUNK;
		enum err e =
			k->t->ops->write(k->t, agent->data + at, n, WRITE_MS, k->ctx);

		if (e)
			return e;
	}
	return ERR_OK;
}

static enum err offer(struct talk *k, const struct buf *agent)
{
	char hex[HASH_HEX + 1];
	struct hash hash;
	struct buf line;
	enum err e;

	hash_bytes(&hash, agent->data, agent->len);
	hash_to_hex(&hash, hex);
	buf_init(&line);
	buf_printf(&line, "%s %zu\n", hex, agent->len);
	e = buf_err(&line, k->ctx);
	if (!e)
		e = k->t->ops->write(k->t, line.data, line.len, WRITE_MS, k->ctx);
	buf_release(&line);
	e = e ? e : hear(k, ANSWER_MS);
	if (e || strcmp(k->line, "have") == 0)
		return e;
	return strcmp(k->line, "send") ? nonsense(k) : send_agent(k, agent);
}

/* "hello Linux aarch64" */
static enum err greet(struct talk *k, const struct boot *b, char *path, size_t cap)
{
	static const char hello[] = "hello Linux ";
	enum err e = hear(k, FIRST_MS);

	if (e)
		return e;
	if (strncmp(k->line, "hello ", 6) != 0)
		return nonsense(k);
	if (strncmp(k->line, hello, strlen(hello)) != 0)
		return err_set(k->ctx, ERR_REFUSED,
			"'%s' runs %.40s: there is an agent for Linux only", k->where,
			k->line + 6);
	e = b->find(k->line + strlen(hello), path, cap, k->ctx);
	return e ? err_prefix(k->ctx, e, "'%s'", k->where) : ERR_OK;
}

enum err boot_dialog(
	struct transport *t, const struct boot *b, const char *where, struct err_ctx *ctx)
{
	struct talk k = {.t = t, .where = where, .ctx = ctx};
	char path[4200];
	struct buf agent;
	enum err e = greet(&k, b, path, sizeof(path));

	if (e)
		return e;
	buf_init(&agent);
	e = file_read(path, MAX_AGENT, &agent, ctx);
	e = e ? e : offer(&k, &agent);
	buf_release(&agent);
	return e ? e : expect(&k, "ready");
}
