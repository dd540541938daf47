/* process_run_command: one child, no shell, bounded in time and output. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/clock.h"
#include "src/codegen/codegen.h"

#define OUTPUT_CAP (64u * 1024)

extern char **environ;

struct child {
	pid_t pid;
	int fd[2];	    /* our ends of stdout and stderr; -1 when closed */
	struct buf *out[2]; /* NULL: read and dropped */
	int exited, status;
};

/* The environment with messages in English, so that they can be searched. */
static char **child_environment(void)
{
	size_t n = 0, m = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + 2, sizeof(*env));
	if (!env)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "LC_ALL=", 7))
			env[m++] = environ[i];
	env[m] = "LC_ALL=C";
	return env;
}

static int spawn(struct child *c, const char *const argv[], const char *cwd, int pipes[4])
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char **env = child_environment();
	sigset_t none;
	int e;

	if (!env)
		return ENOMEM;
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	e = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (!e)
		e = posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
	if (!e)
		e = posix_spawn_file_actions_adddup2(&actions, pipes[3], 2);
	if (!e && cwd)
		e = posix_spawn_file_actions_addchdir_np(&actions, cwd);
	if (!e)
		e = posix_spawnp(&c->pid, argv[0], &actions, &attr,
			(char *const *)(uintptr_t)argv, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	free(env);
	return e;
}

static void keep(struct buf *b, const char *data, size_t n)
{
	size_t room = b && b->len < OUTPUT_CAP ? OUTPUT_CAP - b->len : 0;

	if (room)
		buf_append(b, data, n < room ? n : room);
}

static void drain(struct child *c, int which)
{
	char data[8192];
	ssize_t n = read(c->fd[which], data, sizeof(data));

	if (n > 0) {
		keep(c->out[which], data, (size_t)n);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		close(c->fd[which]);
		c->fd[which] = -1;
	}
}

/* Until both pipes are closed and the child is gone. A grandchild that keeps a pipe open
 * after the child's end is not waited for. Returns 0 when time is up. */
static int follow(struct child *c, uint64_t deadline_ns)
{
	while (!c->exited || c->fd[0] >= 0 || c->fd[1] >= 0) {
		struct pollfd p[2] = {{c->fd[0], POLLIN, 0}, {c->fd[1], POLLIN, 0}};
		int open = c->fd[0] >= 0 || c->fd[1] >= 0, ready;

		ready = poll(p, 2, open && !c->exited ? 100 : open ? 0 : 5);
		for (int i = 0; i < 2 && ready > 0; i++)
			if (c->fd[i] >= 0 && p[i].revents)
				drain(c, i);
		if (c->exited && ready <= 0)
			return 1;
		if (!c->exited && waitpid(c->pid, &c->status, WNOHANG) == c->pid)
			c->exited = 1;
		if (!c->exited && clock_mono_ns() >= deadline_ns)
			return 0;
	}
	return 1;
}

static void last_line(const struct buf *b, char *out, size_t cap)
{
	const char *text = buf_str(b), *end = text + b->len, *start;
	size_t n;

	while (end > text && (end[-1] == '\n' || end[-1] == ' '))
		end--;
	start = end;
	while (start > text && start[-1] != '\n')
		start--;
	n = (size_t)(end - start) < cap - 1 ? (size_t)(end - start) : cap - 1;
	memcpy(out, start, n);
	out[n] = 0;
}

static enum err judge(const struct child *c, const char *name, const struct buf *err_text,
	struct err_ctx *ctx)
{
	char line[400];

	if (WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0)
		return ERR_OK;
	last_line(err_text, line, sizeof(line));
	if (WIFSIGNALED(c->status))
		return err_set(ctx, ERR_TOOL, "'%s' was killed by signal %d%s%s", name,
			WTERMSIG(c->status), *line ? ": " : "", line);
	return err_set(ctx, ERR_TOOL, "'%s' failed with exit code %d%s%s", name,
		WEXITSTATUS(c->status), *line ? ": " : "", line);
}

static void close_all(int *fd, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static enum err run(struct child *c, const char *const argv[], const char *cwd,
	unsigned timeout_s, struct err_ctx *ctx)
{
	int pipes[4] = {-1, -1, -1, -1}, e;

	if (pipe2(pipes, O_CLOEXEC) || pipe2(pipes + 2, O_CLOEXEC)) {
		close_all(pipes, 4);
		return err_set(ctx, ERR_IO, "cannot make a pipe: %s", strerror(errno));
	}
	e = spawn(c, argv, cwd, pipes);
	close(pipes[1]);
	close(pipes[3]);
	c->fd[0] = pipes[0];
	c->fd[1] = pipes[2];
	if (e == ENOENT && (!cwd || access(cwd, X_OK) == 0)) {
		close_all(c->fd, 2);
		return err_set(ctx, ERR_TOOL, "program '%s' is not installed", argv[0]);
	}
	if (e) {
		close_all(c->fd, 2);
		return err_set(ctx, ERR_TOOL, "cannot start program '%s': %s", argv[0],
			strerror(e));
	}
	fcntl(c->fd[0], F_SETFL, O_NONBLOCK);
	fcntl(c->fd[1], F_SETFL, O_NONBLOCK);
	if (!follow(c, clock_mono_ns() + (uint64_t)timeout_s * 1000000000u)) {
		kill(-c->pid, SIGKILL);
		waitpid(c->pid, &c->status, 0);
		close_all(c->fd, 2);
		return err_set(ctx, ERR_TOOL, "'%s' did not end within %u s", argv[0],
			timeout_s);
	}
	close_all(c->fd, 2);
	return judge(c, argv[0], c->out[1], ctx);
}

enum err process_run_command(const char *const argv[], const char *cwd,
	unsigned timeout_s, struct buf *out, struct buf *err_out, struct err_ctx *ctx)
{
	struct buf own;
	struct child c = {
		.pid = -1, .fd = {-1, -1}, .out = {out, err_out ? err_out : &own}};
	enum err e;

	buf_init(&own);
	e = run(&c, argv, cwd, timeout_s, ctx);
	buf_release(&own);
	return e;
}
