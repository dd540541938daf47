/* A simulated device in the test's own process: its agent's line is a loop of the test, or a
 * buffer that keeps the answers.
 */
#ifndef HAWSER_TESTS_UNIT_DEVICE_BENCH_H
#define HAWSER_TESTS_UNIT_DEVICE_BENCH_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "devices/sim/sim.h"
#include "devices/transport/transport.h"
#include "src/base/buf.h"

#define MOST 4096
#define MEMORY (1u << 20)

/* A machine around the simulator: its line is a loop, or a buffer of the test. */
struct bench {
	struct sim sim;
	struct agent agent;
	struct transport *line; /* NULL: answers go to `out` */
	struct loop_faults faults;
	struct buf out;
	uint64_t now_ms;
	uint32_t nonces;
	uint32_t n_starts; /* runs begun */
	int hold;	   /* runs do not end */
	int leased;
	struct agent_ops ops;
	uint8_t rx[FRAME_WIRE_BYTES(MOST)], tx[FRAME_WIRE_BYTES(MOST)];
	uint8_t memory[MEMORY];
};

static struct bench bench;

static void bench_send(void *self, const uint8_t *data, size_t len)
{
	struct bench *b = self;

	if (b->line)
		transport_loop_send(b->line, data, len);
	else
		buf_append(&b->out, data, len);
}

static uint64_t bench_now_ns(void *self)
{
	return ((struct bench *)self)->now_ms * 1000000;
}

static uint32_t bench_nonce(void *self)
{
	return 0x5eed0000u + ++((struct bench *)self)->nonces;
}

static int counted_start(void *self, const struct wire_run *rq)
{
	int code = sim_ops.run_start(self, rq);

	bench.n_starts += code == 0;
	return code;
}

static int held_poll(void *self, struct put *done)
{
	return bench.hold ? 0 : sim_ops.run_poll(self, done);
}

static int bench_lease(void *self)
{
	(void)self;
	return bench.leased ? WIRE_E_LEASED : 0;
}

static const char *bench_why(void *self)
{
	(void)self;
	return bench.leased ? "held by pid 42 on elsewhere" : "";
}

static void bench_start(const char *law)
{
	struct sim_host host = {&bench, bench_send, bench_now_ns, bench_nonce};
	struct agent_config c;
	char why[160];

	memset(&bench, 0, sizeof(bench));
	buf_init(&bench.out);
	assert_null(sim_init(&bench.sim, &host, law, bench.memory, MEMORY, why));
	c.max_payload = MOST;
	c.rx = bench.rx;
	c.tx = bench.tx;
	bench.ops = sim_ops;
	bench.ops.run_start = counted_start;
	bench.ops.run_poll = held_poll;
	bench.ops.lease = bench_lease;
	bench.ops.why = bench_why;
	agent_init(&bench.agent, &bench.ops, &bench.sim, &c);
}

#endif
