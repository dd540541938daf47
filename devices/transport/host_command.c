#include "devices/transport/host_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/clock.h"

#define TICK_MS 20
#define GRACE_MS 500 /* to leave a probe or a hub in order */
#define TAIL_BYTES 512
#define SHOWN 60 /* of a command, so that there is room for what it said */

extern char **environ;

/* The end of what a command printed. */
struct tail {
	char text[TAIL_BYTES];
	size_t len;
};

static void keep(struct tail *t, const char *data, size_t n)
{
	size_t drop;

	if (n > TAIL_BYTES) {
		data += n - TAIL_BYTES;
		n = TAIL_BYTES;
	}
	drop = t->len + n > TAIL_BYTES ? t->len + n - TAIL_BYTES : 0;
	memmove(t->text, t->text + drop, t->len - drop);
	memcpy(t->text + t->len - drop, data, n);
	t->len += n - drop;
}

static void drain(struct tail *t, int fd)
{
	char data[4096];
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		keep(t, data, (size_t)n);
}

/* The last line that says something; what a terminal would not show is blanked. */
static void last_line(const struct tail *t, char *out, size_t cap)
{
	size_t end = t->len, start, n;

	while (end > 0 && (unsigned char)t->text[end - 1] <= ' ')
		end--;
	start = end;
	while (start > 0 && t->text[start - 1] != '\n' && t->text[start - 1] != '\r')
		start--;
	n = end - start < cap - 1 ? end - start : cap - 1;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)t->text[start + i];

		out[i] = c < ' ' || c == 127 ? ' ' : (char)c;
	}
	out[n] = '\0';
}

static int start(const char *command, int output, pid_t *pid)
{
	char shell[] = "sh", option[] = "-c";
	/* posix_spawn does not change what argv points at. */
	char *argv[] = {shell, option, (char *)(uintptr_t)command, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;
	int rc;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&files, output, 1);
	posix_spawn_file_actions_adddup2(&files, output, 2);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	rc = posix_spawn(pid, "/bin/sh", &files, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return rc;
}

enum end { ENDED, TIME_IS_UP, CANCELLED };

/* It stays to be waited for, so that its number remains that of its group. */
static int has_ended(pid_t pid)
{
	siginfo_t s = {.si_pid = 0};

	return waitid(P_PID, (id_t)pid, &s, WEXITED | WNOHANG | WNOWAIT) || s.si_pid;
}

/* Until it ends, time is up, or it was cancelled. What it left running is not waited for. */
static enum end follow(
	pid_t pid, int fd, int timeout_ms, volatile const int *cancel, struct tail *t)
{
	uint64_t until = clock_mono_ns() + (uint64_t)timeout_ms * 1000000u;
	struct pollfd p = {fd, POLLIN, 0};
	enum end end = TIME_IS_UP;

	while (!has_ended(pid)) {
		if (clock_mono_ns() >= until)
			return end;
		if (end != CANCELLED && cancel && *cancel) {
			end = CANCELLED;
			until = clock_mono_ns() + GRACE_MS * 1000000u;
			kill(-pid, SIGTERM);
		}
		if (poll(&p, 1, TICK_MS) > 0 && !(p.revents & POLLIN))
			p.fd = -1; /* it closed its output and goes on */
		drain(t, fd);
	}
	drain(t, fd);
	return end == CANCELLED ? CANCELLED : ENDED;
}

static enum err judge(const char *command, enum end end, int status, const struct tail *t,
	struct err_ctx *ctx)
{
	char line[300];

	last_line(t, line, sizeof(line));
	if (end == CANCELLED)
		return err_set(
			ctx, ERR_CANCELLED, "'%.*s' was interrupted", SHOWN, command);
	if (end == TIME_IS_UP)
		return err_set(ctx, ERR_TOOL, "'%.*s' does not end%s%s", SHOWN, command,
			*line ? ": " : "", line);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return ERR_OK;
	return err_set(ctx, ERR_TOOL, "'%.*s' failed (exit code %d)%s%s", SHOWN, command,
		WIFEXITED(status) ? WEXITSTATUS(status) : -1, *line ? ": " : "", line);
}

enum err host_command(const char *command, int timeout_ms, volatile const int *cancel,
	struct err_ctx *ctx)
{
	struct tail tail = {.len = 0};
	int pipes[2], status = -1, rc;
	enum end end;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		return err_set(ctx, ERR_IO, "cannot make a pipe");
	fcntl(pipes[1], F_SETFL, 0); /* the command's end blocks, as it expects */
	rc = start(command, pipes[1], &pid);
	close(pipes[1]);
	if (rc) {
		close(pipes[0]);
		return err_set(ctx, ERR_TOOL, "cannot start '%.*s': %s", SHOWN, command,
			strerror(rc));
	}
	end = follow(pid, pipes[0], timeout_ms, cancel, &tail);
	if (end != ENDED)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(pipes[0]);
	return judge(command, end, status, &tail, ctx);
}
