#include "devices/transport/ssh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/transport/transport.h"

#define SCHEME "ssh://"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Before the user's configuration, which decides everything else: whether a key that was
 * never seen is refused (the default, as nobody can be asked), jump hosts, identities. */
static const char *const fixed_options[] = {"BatchMode=yes", "ConnectTimeout=8",
	"ServerAliveInterval=2", "ServerAliveCountMax=3", "ControlMaster=no",
	"ControlPath=none", "ClearAllForwardings=yes", "PermitLocalCommand=no",
	"RemoteCommand=none", "RequestTTY=no", "LogLevel=ERROR"};
#define N_FIXED (sizeof(fixed_options) / sizeof(fixed_options[0]))

/* Address */

/* A word of `more` and letters that cannot be taken for an option. */
static int take(char *out, size_t cap, const char *s, size_t len, const char *more)
{
	char allowed[128];

	snprintf(allowed, sizeof(allowed), LETTERS "%s", more);
	if (len == 0 || len >= cap || s[0] == '-' || strspn(s, allowed) < len)
		return 0;
	memcpy(out, s, len);
	out[len] = '\0';
	return 1;
}

static int take_port(uint16_t *port, const char *s)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (s[strspn(s, "0123456789")] || end == s || v == 0 || v > 65535)
		return 0;
	*port = (uint16_t)v;
	return 1;
}

static int take_host(struct ssh_address *a, const char *s, size_t len)
{
	const char *end = s + len, *colon;

	if (*s == '[') {
		const char *close = memchr(s, ']', len);

		if (!close || !take(a->host, sizeof(a->host), s + 1,
				      (size_t)(close - s) - 1, ":.%_-"))
			return 0;
		colon = close + 1;
	} else {
		colon = memchr(s, ':', len);
		colon = colon ? colon : end;
		if (!take(a->host, sizeof(a->host), s, (size_t)(colon - s), "._-"))
			return 0;
	}
	if (colon == end)
		return 1;
	return *colon == ':' && take_port(&a->port, colon + 1);
}

enum err ssh_address_parse(struct ssh_address *a, const char *uri, struct err_ctx *ctx)
{
	struct ssh_address q = {"", "", 0};
	char text[sizeof(q.user) + sizeof(q.host) + 16], *at;
	size_t n;
	int sound = 0;

	if (strncmp(uri, SCHEME, strlen(SCHEME)) != 0)
		goto out;
	n = (size_t)snprintf(text, sizeof(text), "%s", uri + strlen(SCHEME));
	if (n >= sizeof(text))
		goto out;
	if (n && text[n - 1] == '/')
		text[--n] = '\0';
	at = strrchr(text, '@');
	sound = !at || take(q.user, sizeof(q.user), text, (size_t)(at - text), "._-+");
	at = at ? at + 1 : text;
	sound = sound && take_host(&q, at, strlen(at));
out:
	if (!sound)
		return err_set(ctx, ERR_INVALID,
			"'%.200s' is not of the form ssh://USER@HOST:PORT (USER and PORT "
			"may be left out)",
			uri);
	*a = q;
	return ERR_OK;
}

void ssh_address_name(const struct ssh_address *a, char *out, size_t cap)
{
	char port[16] = "";

	if (a->port)
		snprintf(port, sizeof(port), " port %u", a->port);
	snprintf(out, cap, "%s%s%s%s", a->user, a->user[0] ? "@" : "", a->host, port);
}

/* Command line */

static void word(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s) + 1);
}

enum err ssh_argv(const struct ssh_address *a, const char *config, const char *command,
	struct buf *words, const char *argv[SSH_MAX_WORDS], struct err_ctx *ctx)
{
	const char *s;
	size_t n = 0;

	word(words, "ssh");
	if (config[0]) {
		word(words, "-F");
		word(words, config);
	}
	word(words, "-axT");
	for (size_t i = 0; i < N_FIXED; i++) {
		word(words, "-o");
		word(words, fixed_options[i]);
	}
	if (a->port) {
		word(words, "-p");
		buf_printf(words, "%u", a->port);
		buf_putc(words, '\0');
	}
	if (a->user[0]) {
		word(words, "-l");
		word(words, a->user);
	}
	word(words, "--");
	word(words, a->host);
	word(words, command);
	if (buf_err(words, ctx) != ERR_OK)
		return ERR_NOMEM;
	for (s = words->data; s < words->data + words->len; s += strlen(s) + 1)
		argv[n++] = s;
	argv[n] = NULL;
	return ERR_OK;
}

/* Complaints: the first phrase that is found tells. */

static const struct {
	const char *phrase;
	const char *fault; /* %s: the address */
	int lasts;	   /* until somebody does something about it */
} complaints[] = {
	{"has changed",
		"the host key of %s is not the one that is known: another machine may "
		"answer there. If you know why, remove the old key with 'ssh-keygen -R' "
		"and connect once by hand",
		1},
	{"ost key verification failed",
		"the host key of %s is not known yet: connect once by hand and compare "
		"it",
		1},
	{"Permission denied (",
		"%s lets nobody in with the keys at hand: wrong user, or its "
		"authorized_keys lacks yours",
		1},
	{"Could not resolve hostname", "there is no host as in %s", 0},
	{"Connection refused", "nothing listens for SSH at %s", 0},
	{"timed out", "%s cannot be reached", 0},
	{"No route to host", "%s cannot be reached", 0},
	{"Network is unreachable", "%s cannot be reached", 0},
	{"not responding", "%s does not answer any more", 0},
};

/* A printable copy of the line at `s`. */
static void copy_line(char *out, size_t cap, const char *s)
{
	size_t n = strcspn(s, "\r\n");

	n = n < cap ? n : cap - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = s[i] >= 32 && s[i] < 127 ? s[i] : '?';
	out[n] = '\0';
}

static const char *line_start(const char *text, const char *at)
{
	while (at > text && at[-1] != '\n')
		at--;
	return at;
}

enum err ssh_explain(const struct ssh_address *a, const char *complaint, enum err code,
	struct err_ctx *ctx)
{
	char name[300], line[240];
	const char *end = complaint + strlen(complaint);

	ssh_address_name(a, name, sizeof(name));
	for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++) {
		const char *at = strstr(complaint, complaints[i].phrase);
		char told[600];
		const char *mark = strstr(complaints[i].fault, "%s");

		if (!at)
			continue;
		snprintf(told, sizeof(told), "%.*s'%s'%s",
			(int)(mark - complaints[i].fault), complaints[i].fault, name,
			mark + 2);
		copy_line(line, sizeof(line), line_start(complaint, at));
		return err_set(ctx, complaints[i].lasts ? ERR_REFUSED : code, "%s (%s)",
			told, line);
	}
	while (end > complaint && strchr("\r\n ", end[-1]))
		end--;
	copy_line(line, sizeof(line), line_start(complaint, end));
	return err_set(ctx, code, "the SSH connection to '%s' ended: %s", name,
		line[0] ? line : "nothing was said why");
}

/* Opening */

static enum err connect_and_boot(struct transport **out, const struct ssh_address *a,
	const char *const argv[], const struct boot *boot, struct err_ctx *ctx)
{
	struct transport *t;
	char name[300];
	enum err e = transport_pipe_open(&t, argv, ctx);

	if (e)
		return err_set(ctx, ERR_REFUSED,
			"there is no program 'ssh' here: install OpenSSH's client "
			"(Debian and Ubuntu: apt-get install openssh-client)");
	ssh_address_name(a, name, sizeof(name));
	e = boot_dialog(t, boot, name, ctx);
	if (e == ERR_LINK)
		e = ssh_explain(a, transport_pipe_words(t), e, ctx);
	if (e)
		t->ops->close(t);
	else
		*out = t;
	return e;
}

enum err transport_ssh_open(struct transport **out, const struct ssh_address *a,
	const char *config, const struct boot *boot, struct err_ctx *ctx)
{
	const char *argv[SSH_MAX_WORDS];
	struct buf words, command;
	enum err e;

	buf_init(&words);
	buf_init(&command);
	e = boot_command(boot, &command, ctx);
	if (!e)
		e = ssh_argv(a, config, buf_str(&command), &words, argv, ctx);
	if (!e)
		e = connect_and_boot(out, a, argv, boot, ctx);
	buf_release(&words);
	buf_release(&command);
	return e;
}
