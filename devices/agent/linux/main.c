/* hawser-agent: the agent of a Linux machine, on standard input and output, whatever
 * carries them. Ends at the end of its input and takes everything it started along.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/agent/agent.h"
#include "devices/agent/linux/guard.h"
#include "devices/agent/linux/image_cache.h"
#include "devices/agent/linux/machine.h"
#include "devices/agent/linux/runner.h"
#include "devices/sim/sim.h"

#define MAX_PAYLOAD 32768
#define SIM_MEMORY (64u << 20)

static const char usage[] =
	"usage: hawser-agent [options]     (speaks devices/PROTOCOL.md on stdin and "
	"stdout)\n"
	"  --cache DIR      where images are kept; else $HAWSER_AGENT_CACHE,\n"
	"                   $XDG_CACHE_HOME/hawser-agent or /tmp/hawser-agent-UID\n"
	"  --cache-mib N    at most so much of them (1024)\n"
	"  --cpu WHICH      core to measure on: auto, any or a number (auto)\n"
	"  --sensor NAME    auto, none, rapl, hwmon[:RAIL] or fake:FILE (auto)\n"
	"  --sysfs ROOT     prefix of /sys and /proc\n"
	"  --for NAME       the controller; one of the same name takes the lease over\n"
	"  --idle-s N       end when nothing is asked for so long (0: never)\n"
	"  --emulator FILE  start images with this program: an emulated device\n"
	"  --sim LAW        be a simulated device (devices/sim/README.md)\n"
	"  --version\n";

struct options {
	const char *cache, *cpu, *sensor, *sysfs, *sim, *controller, *emulator;
	uint64_t cache_bytes;
	int idle_ms; /* -1: for ever */
};

struct linux_agent {
	struct machine machine;
	struct image_cache cache;
	struct runner runner;
	const char *controller;
	struct wire_welcome about;
	char why[AGENT_WHY], told[AGENT_WHY]; /* of what failed last; of what before */
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = sig;
}

/* Carrier, clock and nonce, also for the simulator. */

static void say(void *self, const uint8_t *data, size_t len)
{
	(void)self;
	while (len && !stop) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = {STDOUT_FILENO, POLLOUT, 0};

			poll(&p, 1, 100);
		} else if (n < 0 && errno != EINTR) {
			stop = SIGPIPE;
		} else if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
}

static uint64_t now_ns(void *self)
{
	(void)self;
	return child_now_ns();
}

static uint32_t nonce(void *self)
{
	uint32_t v = 0;

	(void)self;
	while (v == 0)
		if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
			v = (uint32_t)child_now_ns() ^ (uint32_t)getpid() << 16;
	return v;
}

/* agent_ops of a Linux machine */

static void op_about(void *self, struct put *p)
{
	put_about(p, &((struct linux_agent *)self)->about);
}

static const char *op_why(void *self)
{
	struct linux_agent *a = self;

	memcpy(a->told, a->why, sizeof(a->told));
	a->why[0] = '\0';
	return a->told;
}

static int op_lease(void *self)
{
	struct linux_agent *a = self;

	return image_cache_lease(&a->cache, a->controller, a->why);
}

static int op_store_open(
	void *self, const struct wire_offer *m, struct agent_stored **out)
{
	struct linux_agent *a = self;

	return image_cache_open(&a->cache, m, out, a->why);
}

static int op_store_append(void *self, const uint8_t *data, uint32_t len)
{
	struct linux_agent *a = self;

	return image_cache_append(&a->cache, data, len, a->why);
}

static int op_store_verify(void *self)
{
	struct linux_agent *a = self;

	return image_cache_verify(&a->cache, a->why);
}

static int op_run_start(void *self, const struct wire_run *rq)
{
	struct linux_agent *a = self;
	char image[CACHE_PATH], input[CACHE_PATH] = "";
	int code = image_cache_find(&a->cache, rq->image, image, a->why);

	if (!code && rq->mode == MODE_EVAL)
		code = image_cache_find(&a->cache, rq->input, input, a->why);
	if (code)
		return code;
	if (rq->mode == MODE_TIME &&
		(rq->n_samples == 0 || rq->n_samples > TIME_MAX_SAMPLES))
		return WIRE_E_REQUEST;
	runner_start(&a->runner, rq, image, input);
	return 0;
}

static int op_run_poll(void *self, struct put *done)
{
	struct wire_done d;

	if (!runner_poll(&((struct linux_agent *)self)->runner, &d))
		return 0;
	put_done(done, &d);
	return 1;
}

static void op_run_cancel(void *self)
{
	runner_cancel(&((struct linux_agent *)self)->runner);
}

static const uint8_t *op_result(void *self)
{
	return (const uint8_t *)((struct linux_agent *)self)->runner.child.out;
}

static const struct agent_ops linux_ops = {
	.send = say,
	.now_ns = now_ns,
	.nonce = nonce,
	.about = op_about,
	.why = op_why,
	.lease = op_lease,
	.store_open = op_store_open,
	.store_append = op_store_append,
	.store_verify = op_store_verify,
	.run_start = op_run_start,
	.run_poll = op_run_poll,
	.run_cancel = op_run_cancel,
	.result = op_result,
};

/* The loop: input, the child's pipes, and the time until the next thing is due. */

static void serve(struct agent *a, struct runner *r, const struct sim *sim, int idle_ms)
{
	static uint8_t buf[65536];

	while (!stop && !(sim && sim->lost)) {
		struct pollfd p[3] = {
			{STDIN_FILENO, POLLIN, 0}, {-1, POLLIN, 0}, {-1, POLLIN, 0}};
		int wait_ms = idle_ms, n_ready;
		ssize_t n;

		if (r && r->state == RUNNER_CHILD) {
			p[1].fd = r->child.out_fd;
			p[2].fd = r->child.err_fd;
		}
		if (agent_running(a))
			wait_ms = r ? runner_wait_ms(r) : 1;
		n_ready = poll(p, 3, wait_ms);
		if ((n_ready < 0 && errno != EINTR) ||
			(n_ready == 0 && !agent_running(a)))
			break;
		agent_poll(a);
		if (!(p[0].revents & (POLLIN | POLLHUP | POLLERR)))
			continue;
		n = read(STDIN_FILENO, buf, sizeof(buf));
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			break;
		if (n > 0)
			agent_receive(a, buf, (size_t)n);
	}
	if (!(sim && sim->lost))
		agent_hangup(a);
}

static void give_buffers(struct agent_config *c)
{
	static uint8_t rx[FRAME_WIRE_BYTES(MAX_PAYLOAD)],
		tx[FRAME_WIRE_BYTES(MAX_PAYLOAD)];

	c->max_payload = MAX_PAYLOAD;
	c->rx = rx;
	c->tx = tx;
}

static int run_sim(const struct options *o)
{
	static struct sim sim;
	struct sim_host host = {NULL, say, now_ns, nonce};
	struct agent_config c;
	struct agent agent;
	char why[160];
	void *mem = malloc(SIM_MEMORY); /* touched only as far as it is used */

	if (!mem || sim_init(&sim, &host, o->sim, mem, SIM_MEMORY, why)) {
		fprintf(stderr, "hawser-agent: %s\n", mem ? why : "out of memory");
		free(mem);
		return 2;
	}
	give_buffers(&c);
	agent_init(&agent, &sim_ops, &sim, &c);
	serve(&agent, NULL, &sim, o->idle_ms);
	free(mem);
	return 0;
}

static void default_cache(char *out, size_t cap)
{
	const char *own = getenv("HAWSER_AGENT_CACHE"), *xdg = getenv("XDG_CACHE_HOME");

	if (own && own[0])
		snprintf(out, cap, "%s", own);
	else if (xdg && xdg[0] == '/')
		snprintf(out, cap, "%s/hawser-agent", xdg);
	else
		snprintf(out, cap, "/tmp/hawser-agent-%u", (unsigned)geteuid());
}

static void describe(struct linux_agent *a, const struct options *o)
{
	const struct sensor *sensor = &a->runner.sensor;
	uint64_t step_ns = machine_clock_resolution_ns();
	struct wire_welcome *w = &a->about;

	w->window = 8;
	w->flags = WIRE_CAN_EVAL;
	w->storage_bytes =
		o->cache_bytes < UINT32_MAX ? (uint32_t)o->cache_bytes : UINT32_MAX;
	w->output_bytes = CHILD_MAX_OUTPUT;
	w->clock_resolution_ns = step_ns < UINT32_MAX ? (uint32_t)step_ns : UINT32_MAX;
	snprintf(w->agent, sizeof(w->agent), "hawser-agent 1 (linux)");
	snprintf(w->sensor, sizeof(w->sensor), "%s", sensor->name);
	snprintf(w->sensor_note, sizeof(w->sensor_note), "%s", sensor->note);
	machine_describe(&a->machine, w->description, sizeof(w->description));
	w->description_len = (uint32_t)strlen(w->description);
}

static int run_linux(const struct options *o)
{
	static struct linux_agent la;
	static char emulator[CACHE_PATH];
	char dir[CACHE_PATH], why[AGENT_WHY];
	struct agent_config c;
	struct agent agent;

	default_cache(dir, sizeof(dir));
	snprintf(emulator, sizeof(emulator), "%s", o->emulator ? o->emulator : "");
	if (machine_init(&la.machine, o->sysfs, o->cpu, why) != 0 ||
		image_cache_init(
			&la.cache, o->cache ? o->cache : dir, o->cache_bytes, why) != 0) {
		fprintf(stderr, "hawser-agent: %s\n", why);
		return 2;
	}
	if (emulator[0] && access(emulator, X_OK) != 0) {
		fprintf(stderr, "hawser-agent: emulator '%s': %s\n", emulator,
			strerror(errno));
		return 2;
	}
	la.controller = o->controller;
	la.machine.emulated |= emulator[0] != '\0';
	child_adopt_orphans();
	machine_step_aside(&la.machine);
	runner_init(&la.runner, &la.machine, o->sensor, emulator[0] ? emulator : NULL);
	describe(&la, o);
	give_buffers(&c);
	agent_init(&agent, &linux_ops, &la, &c);
	serve(&agent, &la.runner, NULL, o->idle_ms);
	runner_release(&la.runner);
	image_cache_release(&la.cache);
	return 0;
}

static int parse(struct options *o, int argc, char **argv)
{
	const char *mib = "1024", *idle = "0";
	uint64_t idle_s;
	const struct {
		const char *name;
		const char **value;
	} table[] = {{"--cache", &o->cache}, {"--cache-mib", &mib}, {"--cpu", &o->cpu},
		{"--sensor", &o->sensor}, {"--sysfs", &o->sysfs}, {"--sim", &o->sim},
		{"--for", &o->controller}, {"--idle-s", &idle},
		{"--emulator", &o->emulator}};
	char *end;
	size_t k;

	for (int i = 1; i < argc; i += 2) {
		for (k = 0; k < sizeof(table) / sizeof(table[0]); k++)
			if (strcmp(argv[i], table[k].name) == 0)
				break;
		if (k == sizeof(table) / sizeof(table[0]) || i + 1 == argc)
			return -1;
		*table[k].value = argv[i + 1];
	}
	o->cache_bytes = strtoull(mib, &end, 10) << 20;
	if (*end || o->cache_bytes == 0)
		return -1;
	idle_s = strtoull(idle, &end, 10);
	o->idle_ms = idle_s ? (int)(idle_s * 1000) : -1;
	return *end || idle_s > 1000000 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct options o = {
		.cpu = "auto", .sensor = "auto", .sysfs = "", .controller = ""};
	struct sigaction ending = {.sa_handler = on_signal};

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("hawser-agent 1, protocol %d\n", WIRE_VERSION);
		return 0;
	}
	if (argc > 3 && strcmp(argv[1], "--guard") == 0)
		return guard(argv[2], argv + 3);
	if (parse(&o, argc, argv) != 0) {
		fputs(usage, stderr);
		return 2;
	}
	/* What a careless parent left open is none of ours. */
	syscall(SYS_close_range, 3, ~0u, 0);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &ending, NULL);
	sigaction(SIGHUP, &ending, NULL);
	return o.sim ? run_sim(&o) : run_linux(&o);
}
