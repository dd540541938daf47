#include "tests/serial/uart.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "devices/sim/sim.h"
#include "src/base/buf.h"
#include "src/base/clock.h"

#define MEMORY (1u << 20)
#define FRAME 1024 /* as devices/agent/mcu */
#define TICK_NS 300000

/* One direction: bytes that may pass by now. */
struct lane {
	double bytes_per_s, allowed;
	uint64_t last_ns;
};

struct uart_board {
	int master, slave; /* the slave stays open: without one the master has no line */
	pthread_t thread;
	volatile int ended;
	struct lane up, down;
	struct buf out; /* of the agent, not sent yet */
	size_t out_at;
	struct sim sim;
	struct agent agent;
	uint32_t nonces;
	char path[64];
	uint8_t rx[FRAME_WIRE_BYTES(FRAME)], tx[FRAME_WIRE_BYTES(FRAME)];
	uint8_t memory[MEMORY];
};

static void board_send(void *self, const uint8_t *data, size_t len)
{
	buf_append(&((struct uart_board *)self)->out, data, len);
}

static uint64_t board_now_ns(void *self)
{
	(void)self;
	return clock_mono_ns();
}

static uint32_t board_nonce(void *self)
{
	return (uint32_t)clock_mono_ns() | 1u |
	       ++((struct uart_board *)self)->nonces << 16;
}

static size_t pass(struct lane *l, size_t most)
{
	uint64_t now = clock_mono_ns();

	l->allowed += (double)(now - l->last_ns) * 1e-9 * l->bytes_per_s;
	l->last_ns = now;
	if (!most && l->allowed > 1) /* an idle line makes up for nothing */
		l->allowed = 1;
	return l->allowed < (double)most ? (size_t)l->allowed : most;
}

static void receive(struct uart_board *b)
{
	struct pollfd q = {b->master, POLLIN, 0};
	int waiting = poll(&q, 1, 0) > 0 && q.revents & POLLIN;
	uint8_t bytes[256];
	size_t most = pass(&b->up, waiting ? sizeof(bytes) : 0);
	ssize_t n = most ? read(b->master, bytes, most) : 0;

	if (n <= 0)
		return;
	b->up.allowed -= (double)n;
	agent_receive(&b->agent, bytes, (size_t)n);
}

static void send_on(struct uart_board *b)
{
	size_t most = pass(&b->down, b->out.len - b->out_at);
	ssize_t n = most ? write(b->master, b->out.data + b->out_at, most) : 0;

	if (n <= 0)
		return;
	b->down.allowed -= (double)n;
	b->out_at += (size_t)n;
	if (b->out_at == b->out.len) {
		buf_reset(&b->out);
		b->out_at = 0;
	}
}

static void *live(void *self)
{
	const struct timespec tick = {0, TICK_NS};
	const struct sched_param first = {.sched_priority = 1};
	struct uart_board *b = self;

	/* A board does not wait for this host's other work, where that may be had. */
	pthread_setschedparam(pthread_self(), SCHED_RR, &first);
	while (!b->ended) {
		receive(b);
		agent_poll(&b->agent);
		send_on(b);
		nanosleep(&tick, NULL);
	}
	return NULL;
}

static int open_line(struct uart_board *b)
{
	const char *name;
	struct termios t;

	b->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (b->master < 0 || grantpt(b->master) || unlockpt(b->master) ||
		!(name = ptsname(b->master)) || strlen(name) >= sizeof(b->path))
		return 0;
	strcpy(b->path, name);
	b->slave = open(b->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (b->slave < 0 || tcgetattr(b->slave, &t) != 0)
		return 0;
	cfmakeraw(&t);
	return tcsetattr(b->slave, TCSANOW, &t) == 0;
}

static void start_agent(struct uart_board *b)
{
	struct sim_host host = {b, board_send, board_now_ns, board_nonce};
	struct agent_config c;
	char why[160];

	sim_init(&b->sim, &host, "seed=1", b->memory, MEMORY, why);
	c.max_payload = FRAME;
	b->sim.about.window = 1;
	c.rx = b->rx;
	c.tx = b->tx;
	agent_init(&b->agent, &sim_ops, &b->sim, &c);
}

struct uart_board *uart_board_start(double bytes_per_s, const char **path)
{
	struct uart_board *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->slave = -1;
	b->up = b->down = (struct lane){bytes_per_s, 0, clock_mono_ns()};
	buf_init(&b->out);
	if (open_line(b)) {
		start_agent(b);
		if (pthread_create(&b->thread, NULL, live, b) == 0) {
			*path = b->path;
			return b;
		}
	}
	if (b->slave >= 0)
		close(b->slave);
	if (b->master >= 0)
		close(b->master);
	free(b);
	return NULL;
}

void uart_board_end(struct uart_board *b)
{
	if (!b)
		return;
	b->ended = 1;
	pthread_join(b->thread, NULL);
	close(b->slave);
	close(b->master);
	buf_release(&b->out);
	free(b);
}
