#include "devices/transport/power.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 20

extern char **environ;

static int start(const char *command, pid_t *pid)
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
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	rc = posix_spawn(pid, "/bin/sh", &files, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return rc;
}

enum err power_cycle(const char *command, int timeout_ms, struct err_ctx *ctx)
{
	const struct timespec tick = {0, TICK_MS * 1000000L};
	int rc, status = 0;
	pid_t pid, ended;

	rc = start(command, &pid);
	if (rc)
		return err_set(ctx, ERR_TOOL, "cannot start '%.200s': %s", command,
			strerror(rc));
	while ((ended = waitpid(pid, &status, WNOHANG)) == 0 && timeout_ms > 0) {
		nanosleep(&tick, NULL);
		timeout_ms -= TICK_MS;
	}
	if (ended == 0) {
		kill(-pid, SIGKILL);
		waitpid(pid, &status, 0);
		return err_set(ctx, ERR_TOOL, "'%.200s' does not end", command);
	}
	if (ended < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		return err_set(ctx, ERR_TOOL, "'%.200s' failed (exit code %d)", command,
			ended > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return ERR_OK;
}
