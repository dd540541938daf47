/* A gate before a device's agent: gate NAME FOLDER AGENT ARGUMENT... runs the agent and
 * carries its line. Of each run that is asked for, FOLDER/log gets "NAME golden", "NAME time"
 * or "NAME eval"; it goes on when there is no file FOLDER/hold.MODE.NAME. So a test sees that
 * several devices are at a step before any of them may take it.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/proto/frame.h"
#include "devices/proto/message.h"
#include "tests/e2e/send_all.h"

#define MAX_PAYLOAD 65536

static const char *const modes[N_MODES] = {"golden", "time", "eval"};

static struct gate {
	const char *name, *folder;
	struct frame_decoder decoder;
	uint8_t frame[FRAME_WIRE_BYTES(MAX_PAYLOAD)];
	struct wire_header last; /* RUN: the same one may be asked for again */
} gate;

static void note(const char *mode)
{
	char path[4096], line[128];
	int fd, n = snprintf(line, sizeof(line), "%s %s\n", gate.name, mode);

	snprintf(path, sizeof(path), "%s/log", gate.folder);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		exit(1);
	close(fd);
}

/* Until it may pass, or its asker is gone. */
static int wait_for(const char *mode)
{
	struct pollfd asker = {STDIN_FILENO, POLLRDHUP, 0};
	char path[4096];

	snprintf(path, sizeof(path), "%s/hold.%s.%s", gate.folder, mode, gate.name);
	while (access(path, F_OK) == 0)
		if (poll(&asker, 1, 20) > 0)
			return 0;
	return 1;
}

static int may_pass(size_t n)
{
	struct wire_header h;
	struct wire_run run;
	struct get g;

	get_init(&g, gate.frame, n);
	if (!get_header(&g, &h) || h.type != WIRE_RUN || !get_run(&g, &run) ||
		(h.session == gate.last.session && h.request == gate.last.request))
		return 1;
	gate.last = h;
	note(modes[run.mode]);
	return wait_for(modes[run.mode]);
}

static int pass_down(int agent)
{
	uint8_t buf[4096];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	for (ssize_t at = 0; at < n;) {
		size_t len;

		at += (ssize_t)frame_decoder_take(
			&gate.decoder, buf + at, (size_t)(n - at), &len);
		if (len && !may_pass(len))
			return 0;
	}
	return n > 0 && send_all(agent, buf, n);
}

static int pass_up(int agent)
{
	uint8_t buf[4096];
	ssize_t n = read(agent, buf, sizeof(buf));

	return n > 0 && send_all(STDOUT_FILENO, buf, n);
}

int main(int argc, char **argv)
{
	int line[2];
	pid_t pid;

	if (argc < 4 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) != 0)
		return 2;
	gate.name = argv[1];
	gate.folder = argv[2];
	frame_decoder_init(&gate.decoder, gate.frame, sizeof(gate.frame));
	signal(SIGPIPE, SIG_IGN);
	pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		dup2(line[1], STDIN_FILENO);
		dup2(line[1], STDOUT_FILENO);
		execv(argv[3], argv + 3);
		_exit(127);
	}
	close(line[1]);
	for (;;) {
		struct pollfd p[2] = {{STDIN_FILENO, POLLIN, 0}, {line[0], POLLIN, 0}};

		poll(p, 2, -1);
		if ((p[0].revents && !pass_down(line[0])) ||
			(p[1].revents && !pass_up(line[0])))
			break;
	}
	close(line[0]);
	waitpid(pid, NULL, 0);
	return 0;
}
