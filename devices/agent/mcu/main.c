/* The resident agent of a microcontroller: devices/agent/agent.c with a UART for its line,
 * the window for its storage and the core's isolation for its runs. It runs one payload at
 * a time, there and then; while one runs nothing is received, so a RUN cannot be
 * cancelled: its time limit ends it. */
#include <string.h>

#include "devices/agent/agent.h"
#include "devices/agent/mcu/cortex_m.h"
#include "devices/agent/mcu/registers.h"
#include "devices/agent/mcu/store.h"
#include "devices/agent/mcu/table.h"
#include "devices/proto/crc32.h"

uint8_t main_rx[FRAME_WIRE_BYTES(MAX_PAYLOAD)], main_tx[FRAME_WIRE_BYTES(MAX_PAYLOAD)];
static struct agent agent;
static struct store_layout layout;

/* Runs */

/* The end of the window: what the payload is called with, below it its stack. */
#define CALL                                                                             \
	((struct payload_call *)(uintptr_t)(BOARD_WINDOW_BASE + BOARD_WINDOW_BYTES -     \
					    sizeof(struct payload_call)))
/* The most that the stack has held: where its paint is gone. */
#define PAINT 0xa5c35a3cu

static uint32_t *stack_bottom(void)
{
	return (uint32_t *)(uintptr_t)(layout.guard + STORE_GUARD_BYTES);
}

int main_run_start(void *self, const struct wire_run *rq)
{
	struct payload_call *c = CALL;
	int code = store_prepare(
		rq->image, rq->mode == MODE_EVAL ? rq->input : NULL, &layout);

	(void)self;
	if (code)
		return code;
	for (uint32_t *p = stack_bottom(); p < (uint32_t *)c; p++)
		*p = PAINT;
	c->mode = rq->mode;
	c->phase = rq->phase;
	c->n_warmup = rq->n_warmup;
	c->n_samples = rq->n_samples;
	c->min_sample_ns = rq->min_sample_ns;
	c->n_tokens = rq->n_tokens;
	c->clock_hz = BOARD_CLOCK_HZ;
	c->input = layout.input;
	c->input_len = layout.input_len;
	c->output = layout.output;
	c->output_cap = layout.output_cap;
	c->output_len = 0;
	uart_deafen();
	core_run(layout.entry, c, layout.guard, rq->timeout_ms);
}

void core_beat(void)
{
	agent_beat(&agent);
}

const uint8_t *main_result(void *self)
{
	(void)self;
	return (const uint8_t *)(uintptr_t)layout.output;
}

/* The records are the host's to judge. */
static void tell_run(void)
{
	uint32_t *w = core_report.words, len = CALL->output_len;
	const uint32_t *p = stack_bottom();
	uint8_t *d = agent.done;

	while (p < (const uint32_t *)CALL && *p == PAINT)
		p++;
	w[CORE_STACK] = (uint32_t)((const uint8_t *)CALL - (const uint8_t *)p);
	if (!core_report.n_where && len <= layout.output_cap) {
		w[CORE_OUTPUT_LEN] = len;
		w[CORE_OUTPUT_CRC] = store_crc(layout.output, len);
	}
	*d++ = core_report.outcome;
	*d++ = core_report.n_where;
	for (int n = CORE_WORDS + core_report.n_where; n; n--, d += 4)
		store_u32(d, *w++);
	agent.done_len = (uint32_t)(d - agent.done);
}

/* Sessions */

void main_send(void *self, const uint8_t *data, size_t len)
{
	(void)self;
	while (len--)
		uart_give(*data++);
}

/* HELLO is being answered: its frame holds a number that the host drew. */
uint32_t main_nonce(void *self)
{
	uint32_t n = crc32_update(++core_kept.count, main_rx, WIRE_HEADER_BYTES + 8);

	(void)self;
	return n ? n : 1;
}

void main_reset(void *self)
{
	(void)self;
	core_reset(CORE_RESET_ASKED);
}

#define U32(v) (v) & 255, (v) >> 8 & 255, (v) >> 16 & 255, (uint8_t)((uint32_t)(v) >> 24)

/* Bytes alone, so that nothing lies between them. The texts are the host's to say. */
static const struct {
	uint8_t numbers[41], core_len;
	char core[sizeof(BOARD_CORE) - 1];
	uint8_t name_len;
	char name[sizeof(BOARD_NAME) - 1];
} fixed = {{1, 0, /* window */
		   U32(WIRE_CAN_EVAL | WIRE_CAN_COPY | WIRE_HOST_JUDGES | WIRE_IS_BOARD),
		   U32(BOARD_WINDOW_BYTES - STORE_BEHIND), U32(BOARD_WINDOW_BYTES),
		   U32((1000000000u + BOARD_CLOCK_HZ - 1) / BOARD_CLOCK_HZ), 0, 0, 0,
		   U32(BOARD_WINDOW_BASE), U32(BOARD_WINDOW_BYTES), U32(BOARD_CODE_BASE),
		   U32(BOARD_CODE_BYTES), U32(BOARD_CLOCK_HZ)},
	sizeof(BOARD_CORE) - 1, BOARD_CORE, sizeof(BOARD_NAME) - 1, BOARD_NAME};

void main_about(void *self, struct put *p)
{
	uint8_t *b;

	(void)self;
	put_bytes(p, &fixed, sizeof(fixed));
	b = put_room(p, 24);
	if (!b)
		return;
	store_u32(b, SCB_CPUID);
	store_u32(b + 4, FPU_MVFR0);
	store_u32(b + 8, FPU_MVFR1);
	store_u32(b + 12, core_probe());
	store_u32(b + 16, core_kept.boots);
	store_u32(b + 20, core_kept.reset);
}

static uint8_t await_byte(void)
{
	watchdog_rest();
	uart_listen();
	while (!uart_has()) {
		__asm volatile("wfi");
		watchdog_woken();
	}
	watchdog_start();
	return uart_take();
}

__attribute__((noreturn)) static void serve(void)
{
	for (;;) {
		uint8_t c = await_byte();

		agent_receive(&agent, &c, 1);
	}
}

void core_start(void)
{
	board_init();
	uart_init();
	frame_decoder_init(&agent.decoder, main_rx, sizeof(main_rx));
	serve();
}

__attribute__((used)) void core_ended(void)
{
	__asm volatile("cpsid i" ::: "memory");
	tell_run();
	agent_ended(&agent);
	serve();
}
