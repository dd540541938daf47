#include "devices/transport/transport.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "src/base/clock.h"

extern char **environ;

#define WORDS 1000
#define MAX_READS 64 /* of its standard error at a time: it may never stop */

struct pipe_transport {
	struct transport base;
	pid_t pid;
	int fd;	    /* its standard input and output */
	int err_fd; /* its standard error */
	char name[64];
	char words[WORDS]; /* the end of what it complained */
	size_t n_words;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static char plain(char c)
{
	if (c == '\n' || c == '\r')
		return '\n';
	return c >= 32 && c < 127 ? c : '?';
}

/* Keeps the last complaints, for the message when the line ends: printable lines, whoever
 * speaks. */
static void listen_to_words(struct pipe_transport *p)
{
	struct pollfd q = {p->err_fd, POLLIN, 0};

	for (int i = 0; i < MAX_READS && p->err_fd >= 0 && poll(&q, 1, 0) > 0; i++) {
		char buf[WORDS / 2];
		ssize_t n = read(p->err_fd, buf, sizeof(buf));
		size_t over;

		if (n <= 0) {
			close_fd(&p->err_fd);
			return;
		}
		over = p->n_words + (size_t)n;
		over = over > WORDS - 1 ? over - (WORDS - 1) : 0;
		memmove(p->words, p->words + over, p->n_words - over);
		p->n_words -= over;
		for (ssize_t k = 0; k < n; k++)
			p->words[p->n_words++] = plain(buf[k]);
		p->words[p->n_words] = '\0';
	}
}

/* Its last line, without the name that the message gives anyway. */
static const char *last_words(struct pipe_transport *p)
{
	char *s, *colon;

	while (p->n_words && strchr("\n\r ", p->words[p->n_words - 1]))
		p->words[--p->n_words] = '\0';
	s = strrchr(p->words, '\n');
	s = s ? s + 1 : p->words;
	colon = strstr(s, ": ");
	return colon && strncmp(s, p->name, (size_t)(colon - s)) == 0 ? colon + 2 : s;
}

/* Waits up to `ms` for it to end; then it is killed. */
static int reap(struct pipe_transport *p, int ms)
{
	const struct timespec pause = {0, 2000000};
	int status = 0;
	pid_t got = 0;

	for (int waited = 0; p->pid > 0; waited += 2) {
		got = waitpid(p->pid, &status, WNOHANG);
		if (got != 0 && !(got < 0 && errno == EINTR))
			break;
		if (waited >= ms)
			kill(p->pid, SIGKILL);
		nanosleep(&pause, NULL);
	}
	p->pid = 0;
	return got > 0 ? status : -1;
}

static enum err ended(struct pipe_transport *p, struct err_ctx *ctx)
{
	int status = reap(p, 500);
	const char *words;

	listen_to_words(p);
	words = last_words(p);
	close_fd(&p->fd);
	if (words[0])
		return err_set(ctx, ERR_LINK, "'%s' ended: %s", p->name, words);
	if (status >= 0 && WIFSIGNALED(status))
		return err_set(ctx, ERR_LINK, "'%s' was killed by signal %d", p->name,
			WTERMSIG(status));
	if (status >= 0)
		return err_set(ctx, ERR_LINK, "'%s' ended with exit code %d", p->name,
			WEXITSTATUS(status));
	return err_set(ctx, ERR_LINK, "'%s' ended", p->name);
}

static enum err pipe_read(struct transport *t, void *buf, size_t cap, int timeout_ms,
	size_t *n, struct err_ctx *ctx)
{
	struct pipe_transport *p = (struct pipe_transport *)t;
	uint64_t until = clock_mono_ns() + (uint64_t)timeout_ms * 1000000;

	if (p->fd < 0)
		return err_set(ctx, ERR_LINK, "the line to '%s' is closed", p->name);
	for (;;) {
		struct pollfd q[2] = {{p->fd, POLLIN, 0}, {p->err_fd, POLLIN, 0}};
		uint64_t now = clock_mono_ns();
		int left = now >= until ? 0 : (int)((until - now + 999999) / 1000000);
		ssize_t got;

		if (poll(q, 2, left) < 0 && errno != EINTR)
			return err_set(ctx, ERR_IO, "poll: %s", strerror(errno));
		if (q[1].revents)
			listen_to_words(p);
		if (q[0].revents) {
			got = recv(p->fd, buf, cap, MSG_DONTWAIT);
			if (got > 0) {
				*n = (size_t)got;
				return ERR_OK;
			}
			if (got == 0 || (errno != EAGAIN && errno != EINTR))
				return ended(p, ctx);
		}
		if (clock_mono_ns() >= until)
			return err_set(
				ctx, ERR_TIMEOUT, "no answer within %d ms", timeout_ms);
	}
}

static uint64_t pipe_now_ms(struct transport *t)
{
	(void)t;
	return clock_mono_ns() / 1000000;
}

static enum err pipe_write(struct transport *t, const void *data, size_t len,
	int timeout_ms, struct err_ctx *ctx)
{
	struct pipe_transport *p = (struct pipe_transport *)t;
	uint64_t until_ms = pipe_now_ms(t) + (uint64_t)timeout_ms + len;
	const uint8_t *at = data;

	if (p->fd < 0)
		return err_set(ctx, ERR_LINK, "the line to '%s' is closed", p->name);
	while (len) {
		ssize_t n = send(p->fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		struct pollfd q = {p->fd, POLLOUT, 0};

		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			return ended(p, ctx);
		} else if (poll(&q, 1, timeout_ms) == 0 || pipe_now_ms(t) >= until_ms) {
			return err_set(ctx, ERR_TIMEOUT, "'%s' takes nothing", p->name);
		}
	}
	return ERR_OK;
}

/* Closing its input is how an agent is asked to end: it takes its children along. */
static void pipe_close(struct transport *t)
{
	struct pipe_transport *p = (struct pipe_transport *)t;

	close_fd(&p->fd);
	if (p->pid > 0)
		reap(p, 1000);
	close_fd(&p->err_fd);
	free(p);
}

static const struct transport_ops pipe_ops = {
	.name = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.now_ms = pipe_now_ms,
	.close = pipe_close,
};

static int spawn(
	struct pipe_transport *p, const char *const argv[], int child_fd, int child_err)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, usual;
	int rc;

	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGINT);
	sigaddset(&usual, SIGTERM);
	sigaddset(&usual, SIGPIPE);
	sigaddset(&usual, SIGHUP);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&files, child_fd, 0);
	posix_spawn_file_actions_adddup2(&files, child_fd, 1);
	posix_spawn_file_actions_adddup2(&files, child_err, 2);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawnattr_setflags(&attr,
		POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	/* posix_spawn does not change what argv points at. */
	rc = posix_spawnp(
		&p->pid, argv[0], &files, &attr, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return rc;
}

static void name_it(struct pipe_transport *p, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n;

	path = slash ? slash + 1 : path;
	n = strlen(path);
	if (n >= sizeof(p->name))
		n = sizeof(p->name) - 1;
	memcpy(p->name, path, n);
}

enum err transport_pipe_open(
	struct transport **out, const char *const argv[], struct err_ctx *ctx)
{
	struct pipe_transport *p = calloc(1, sizeof(*p));
	int io[2] = {-1, -1}, words[2] = {-1, -1}, rc;

	if (!p)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	p->base.ops = &pipe_ops;
	name_it(p, argv[0]);
	rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, io) != 0 ||
			     socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, words) !=
				     0
		     ? errno
		     : 0;
	if (!rc)
		rc = spawn(p, argv, io[1], words[1]);
	close_fd(&io[1]);
	close_fd(&words[1]);
	if (rc) {
		close_fd(&io[0]);
		close_fd(&words[0]);
		free(p);
		return err_set(
			ctx, ERR_TOOL, "cannot start '%s': %s", argv[0], strerror(rc));
	}
	p->fd = io[0];
	p->err_fd = words[0];
	*out = &p->base;
	return ERR_OK;
}

int transport_pipe_pid(const struct transport *t)
{
	return t->ops == &pipe_ops ? ((const struct pipe_transport *)t)->pid : 0;
}

const char *transport_pipe_words(const struct transport *t)
{
	return t->ops == &pipe_ops ? ((const struct pipe_transport *)t)->words : "";
}
