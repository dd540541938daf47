#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "devices/agent/linux/guard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 200

static pid_t start(char *const argv[])
{
	pid_t self = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == self)
		execvp(argv[0], argv);
	fprintf(stderr,
		"%s: cannot be started: %s: install it, or change 'emulator' in the "
		"device profile\n",
		argv[0], strerror(errno));
	_exit(127);
}

/* The line is the program's to read: only its end is looked for. */
static int line_ended(void)
{
	struct pollfd line = {STDIN_FILENO, POLLRDHUP, 0};

	return poll(&line, 1, LOOK_MS) > 0 &&
	       line.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL);
}

static int watch(char *const argv[])
{
	pid_t pid = start(argv);
	int status;

	if (pid < 0) {
		fprintf(stderr, "%s: cannot be started: %s\n", argv[0], strerror(errno));
		return 1;
	}
	while (!line_ended())
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return 0;
}

int guard(const char *socket, char *const argv[])
{
	int code = watch(argv);
	const char *slash = strrchr(socket, '/');
	char folder[200];

	if (slash && (size_t)snprintf(folder, sizeof(folder), "%.*s",
			     (int)(slash - socket), socket) < sizeof(folder)) {
		unlink(socket);
		rmdir(folder);
	}
	return code;
}
