#include "devices/agent/linux/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "devices/sensors/sysfs.h"

#define KEPT_OUTPUT (1u << 20)

uint64_t child_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void child_adopt_orphans(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

void child_init(struct child *c)
{
	memset(c, 0, sizeof(*c));
	c->out_fd = c->err_fd = -1;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void child_release(struct child *c)
{
	child_kill(c);
	free(c->out);
	child_init(c);
}

uint32_t child_cpu_limit_s(uint32_t timeout_ms)
{
	return timeout_ms / 1000 + 2;
}

/* In the child */

static int limit(int what, uint64_t n)
{
	rlim_t most = n < RLIM_INFINITY ? (rlim_t)n : RLIM_INFINITY; /* 32 bits: 4 GiB */
	struct rlimit r = {most, most};

	return setrlimit(what, &r);
}

static int confine(const struct child_limits *l, pid_t agent)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != agent)
		return -1;
	if (sched_setaffinity(0, sizeof(l->cpus), &l->cpus) != 0)
		return -1;
	if (l->memory_bytes && limit(RLIMIT_AS, l->memory_bytes) != 0)
		return -1;
	if (limit(RLIMIT_CPU, child_cpu_limit_s(l->timeout_ms)) != 0 ||
		limit(RLIMIT_CORE, 0) != 0 || limit(RLIMIT_FSIZE, 0) != 0 ||
		limit(RLIMIT_NOFILE, 16) != 0)
		return -1;
	/* An image is one process; root may still fork. */
	return l->may_fork ? 0 : limit(RLIMIT_NPROC, 0);
}

static void run_child(char *const argv[], int in_fd, int out_fd, int err_fd,
	int report_fd, const struct child_limits *l, pid_t agent)
{
	char *const env[] = {NULL};
	int e;

	setpgid(0, 0);
	if (dup2(in_fd, 0) == 0 && dup2(out_fd, 1) == 1 && dup2(err_fd, 2) == 2 &&
		confine(l, agent) == 0)
		execve(argv[0], argv, env);
	e = errno;
	while (write(report_fd, &e, sizeof(e)) < 0 && errno == EINTR)
		;
	_exit(127);
}

/* In the agent */

static int open_pipes(int out[2], int err[2], int report[2])
{
	out[0] = out[1] = err[0] = err[1] = report[0] = report[1] = -1;
	if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 ||
		pipe2(report, O_CLOEXEC) != 0)
		return errno;
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static void close_pair(int fd[2])
{
	close_fd(&fd[0]);
	close_fd(&fd[1]);
}

/* A child's peak of memory counts from our own at its fork: what a long output took must
 * not be held against the next image. */
static void drop_output(struct child *c)
{
	c->out_len = 0;
	if (c->out_cap <= KEPT_OUTPUT)
		return;
	free(c->out);
	c->out = NULL;
	c->out_cap = 0;
	malloc_trim(0);
}

int child_start(
	struct child *c, char *const argv[], int in_fd, const struct child_limits *l)
{
	int out[2], err[2], report[2], e, failed = 0;
	int null_fd = in_fd < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
	pid_t agent = getpid(), pid = -1;

	drop_output(c);
	e = open_pipes(out, err, report);
	if (!e) {
		pid = fork();
		e = pid < 0 ? errno : 0;
	}
	if (pid == 0)
		run_child(argv, in_fd < 0 ? null_fd : in_fd, out[1], err[1], report[1], l,
			agent);
	close_fd(&null_fd);
	close_fd(&out[1]);
	close_fd(&err[1]);
	close_fd(&report[1]);
	if (e) {
		close_pair(out);
		close_pair(err);
		close_pair(report);
		return e;
	}
	setpgid(pid, pid); /* both sides do it: whoever comes first */
	while (read(report[0], &failed, sizeof(failed)) < 0 && errno == EINTR)
		;
	close_fd(&report[0]);
	c->pid = pid;
	c->out_fd = out[0];
	c->err_fd = err[0];
	c->n_words = 0;
	c->words[0] = '\0';
	c->timed_out = c->overflowed = 0;
	c->start_ns = child_now_ns();
	c->deadline_ns = c->start_ns + (uint64_t)l->timeout_ms * 1000000;
	if (failed)
		child_kill(c);
	return failed;
}

static void drain_words(struct child *c)
{
	char buf[512];
	ssize_t n;

	while (c->err_fd >= 0 && (n = read(c->err_fd, buf, sizeof(buf))) != 0) {
		size_t room = sizeof(c->words) - 1 - c->n_words;

		if (n < 0)
			return; /* empty for now, or broken: the end will tell */
		if (room > (size_t)n)
			room = (size_t)n;
		memcpy(c->words + c->n_words, buf, room);
		c->n_words += room;
		c->words[c->n_words] = '\0';
	}
	close_fd(&c->err_fd);
}

static int grow(struct child *c)
{
	size_t cap = c->out_cap ? 2 * c->out_cap : 65536;
	uint8_t *p;

	if (c->out_cap >= CHILD_MAX_OUTPUT)
		return 0;
	p = realloc(c->out, cap);
	if (!p)
		return 0;
	c->out = p;
	c->out_cap = cap;
	return 1;
}

static void drain_output(struct child *c)
{
	while (c->out_fd >= 0) {
		ssize_t n;

		if (c->out_len == c->out_cap && !grow(c)) {
			c->overflowed = 1;
			close_fd(&c->out_fd);
			return;
		}
		n = read(c->out_fd, c->out + c->out_len, c->out_cap - c->out_len);
		if (n < 0)
			return;
		if (n == 0)
			close_fd(&c->out_fd);
		else
			c->out_len += (size_t)n;
	}
}

/* Descendants that left the process group come to us when their parents die. */
static int is_ours(const char *name)
{
	char path[64], text[512], *p;
	pid_t pid = (pid_t)atoi(name);

	if (pid <= 1 || pid == getpid())
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (sysfs_text("", path, text, sizeof(text)) < 0)
		return 0;
	p = strrchr(text, ')'); /* "pid (name) state parent" */
	return p && p[1] == ' ' && p[2] && (pid_t)atoi(p + 4) == getpid();
}

static int kill_adopted(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	int n = 0;

	while (dir && (e = readdir(dir)))
		if (is_ours(e->d_name) && kill((pid_t)atoi(e->d_name), SIGKILL) == 0)
			n++;
	if (dir)
		closedir(dir);
	return n;
}

static void kill_orphans(void)
{
	for (int round = 0; round < 1000; round++) {
		pid_t pid;

		do
			pid = waitpid(-1, NULL, WNOHANG);
		while (pid > 0);
		if (pid < 0 && errno == ECHILD)
			return; /* no child of any kind */
		if (kill_adopted() == 0)
			continue;
		while (waitpid(-1, NULL, 0) < 0 && errno == EINTR)
			;
	}
}

/* The leader is dead but not yet reaped, so its group's number cannot be anyone else's.
 */
static void finish(struct child *c)
{
	kill(-c->pid, SIGKILL);
	while (wait4(c->pid, &c->status, 0, &c->usage) < 0 && errno == EINTR)
		;
	c->pid = 0;
	drain_output(c);
	drain_words(c);
	kill_orphans();
	close_fd(&c->out_fd);
	close_fd(&c->err_fd);
}

int child_poll(struct child *c)
{
	siginfo_t si = {0};

	drain_output(c);
	drain_words(c);
	if (waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		si.si_pid == c->pid) {
		c->end_ns = child_now_ns();
		finish(c);
		return 1;
	}
	if (c->overflowed || child_now_ns() >= c->deadline_ns) {
		c->timed_out = !c->overflowed;
		child_kill(c);
		return 1;
	}
	return 0;
}

void child_kill(struct child *c)
{
	if (c->pid <= 0)
		return;
	c->end_ns = child_now_ns();
	kill(-c->pid, SIGKILL);
	kill(c->pid, SIGKILL); /* should it have left its group */
	finish(c);
}
