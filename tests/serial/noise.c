/* line-noise OPTIONS PROGRAM WORD...: a bad line between a controller and a board. It has the
 * line as its standard input and output, starts PROGRAM with one of its own, and damages what
 * passes. Put before the command of an emulator in a device profile.
 *
 * OPTIONS: KEY=NUMBER, joined by commas. corrupt, drop, double: probabilities per byte;
 * seed; garbage: so many random bytes to either side before anything else; cut: bytes from the
 * controller until the program is killed; late: share of the program's frames, which end with a
 * zero, that come half a second late, after what it says next; rate: bytes per second in each direction.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/rng.h"

#define LATE_NS 500000000u
#define PIECE 4096

static struct {
	const char *key;
	double value;
} options[] = {{"corrupt", 0}, {"drop", 0}, {"double", 0}, {"seed", 1}, {"garbage", 0},
	{"cut", 0}, {"late", 0}, {"rate", 0}};
enum option { CORRUPT, DROP, DOUBLE, SEED, GARBAGE, CUT, LATE, RATE, N_OPTIONS };

struct lane {
	int in, out;
	struct rng rng;
	uint64_t carried;
	uint8_t frame[PIECE], kept[PIECE]; /* what has not ended; what comes late */
	size_t n_frame, n_kept;
	uint64_t due_ns;
};

static int read_options(char *text)
{
	char *rest;

	for (char *w = strtok_r(text, ",", &rest); w; w = strtok_r(NULL, ",", &rest)) {
		char *equals = strchr(w, '='), *end = NULL;
		int known = 0;

		for (int i = 0; i < N_OPTIONS && equals; i++)
			if (strncmp(w, options[i].key, (size_t)(equals - w)) == 0 &&
				!options[i].key[equals - w]) {
				options[i].value = strtod(equals + 1, &end);
				known = end != equals + 1 && !*end;
			}
		if (!known) {
			fprintf(stderr, "line-noise: unknown option '%s'\n", w);
			return 0;
		}
	}
	return 1;
}

static int chance(struct lane *l, enum option o)
{
	return options[o].value > 0 && rng_unit(&l->rng) < options[o].value;
}

static void write_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return; /* the reader of this end finds out */
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
}

static size_t damage(struct lane *l, const uint8_t *data, size_t len, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t b = data[i];

		if (chance(l, DROP))
			continue;
		if (chance(l, CORRUPT))
			b = (uint8_t)(b ^ (1 + rng_below(&l->rng, 255)));
		out[n++] = b;
		if (chance(l, DOUBLE))
			out[n++] = b;
	}
	return n;
}

static void wait_ns(uint64_t ns)
{
	const struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

	nanosleep(&t, NULL);
}

static void release_late(struct lane *l)
{
	write_all(l->out, l->kept, l->n_kept);
	l->n_kept = 0;
}

static void end_frame(struct lane *l)
{
	if (!l->n_kept && chance(l, LATE)) {
		memcpy(l->kept, l->frame, l->n_frame);
		l->n_kept = l->n_frame;
		l->due_ns = clock_mono_ns() + LATE_NS;
	} else {
		write_all(l->out, l->frame, l->n_frame);
	}
	l->n_frame = 0;
}

static void carry_frames(struct lane *l, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		l->frame[l->n_frame++] = data[i];
		if (data[i] == 0 || l->n_frame == PIECE)
			end_frame(l);
	}
}

/* 0 when the end is reached. */
static int carry(struct lane *l, int to_controller)
{
	uint8_t in[PIECE / 2], out[PIECE];
	size_t most = options[RATE].value > 0 ? 64 : sizeof(in), len;
	ssize_t n = read(l->in, in, most);

	if (n <= 0)
		return n < 0 && errno == EINTR;
	l->carried += (uint64_t)n;
	if (options[RATE].value > 0)
		wait_ns((uint64_t)((double)n / options[RATE].value * 1e9));
	len = damage(l, in, (size_t)n, out);
	if (to_controller && options[LATE].value > 0)
		carry_frames(l, out, len);
	else
		write_all(l->out, out, len);
	return 1;
}

static pid_t start(char **argv, int fd)
{
	pid_t self = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == self && dup2(fd, 0) == 0 && dup2(fd, 1) == 1)
		execvp(argv[0], argv);
	fprintf(stderr, "%s: cannot be started: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void relay(struct lane *up, struct lane *down)
{
	const uint64_t cut = (uint64_t)options[CUT].value;

	for (;;) {
		struct pollfd q[2] = {{up->in, POLLIN, 0}, {down->in, POLLIN, 0}};

		poll(q, 2, down->n_kept ? 20 : -1);
		if (down->n_kept && clock_mono_ns() >= down->due_ns)
			release_late(down);
		if ((q[0].revents && !carry(up, 0)) || (q[1].revents && !carry(down, 1)))
			return;
		if (cut && up->carried >= cut)
			return;
	}
}

static void make_garbage(struct lane *l)
{
	for (uint64_t n = (uint64_t)options[GARBAGE].value; n > 0; n--) {
		uint8_t b = (uint8_t)rng_below(&l->rng, 256);

		write_all(l->out, &b, 1);
	}
}

int main(int argc, char **argv)
{
	struct lane up = {.in = 0}, down = {.out = 1};
	struct rng root;
	int fd[2];
	pid_t pid;

	if (argc < 3 || !read_options(argv[1])) {
		fputs("usage: line-noise KEY=NUMBER,... PROGRAM WORD...\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
		return 1;
	pid = start(argv + 2, fd[1]);
	close(fd[1]);
	if (pid < 0)
		return 1;
	rng_init(&root, (uint64_t)options[SEED].value);
	rng_split(&root, "up", 0, &up.rng);
	rng_split(&root, "down", 0, &down.rng);
	up.out = down.in = fd[0];
	make_garbage(&up);
	make_garbage(&down);
	relay(&up, &down);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}
