/* The resident agent of a microcontroller: devices/agent/agent.c with a UART for its line,
 * the window for its storage and the core's isolation for its runs. It runs one payload at
 * a time, there and then; while one runs nothing is received, so a RUN cannot be
 * cancelled: its time limit ends it. */
#include <string.h>

#include "devices/agent/agent.h"
#include "devices/agent/mcu/cortex_m.h"
#include "devices/agent/mcu/store.h"
#include "devices/proto/crc32.h"

#define MAX_PAYLOAD 1024

static uint8_t rx[FRAME_WIRE_BYTES(MAX_PAYLOAD)], tx[FRAME_WIRE_BYTES(MAX_PAYLOAD)];
static char description[256];
static struct agent agent;
static struct store_layout layout;
static struct wire_run request;
static struct payload_call *call;
int main(void);

/* Text */

#define TEXT_OF_TOKENS(x) #x
#define TEXT_OF(x) TEXT_OF_TOKENS(x)

static char *add(char *at, const char *text)
{
	size_t n = strlen(text);

	memcpy(at, text, n + 1);
	return at + n;
}

static char *add_hex(char *at, const char *text, uint32_t v)
{
	at = add(at, text);
	for (int shift = 28; shift >= 0; shift -= 4)
		*at++ = "0123456789abcdef"[v >> shift & 15];
	*at = '\0';
	return at;
}

/* Runs */

/* To 1e-6, where dividing 64 bits is a page of code: what counts is timed by the payload,
 * to the tick. */
static uint64_t to_ns(uint64_t ticks)
{
	const uint32_t per_tick = (uint32_t)((1000000000ull << 16) / BOARD_CLOCK_HZ);

	return (ticks >> 16) * per_tick + ((ticks & 0xffff) * per_tick >> 16);
}

static uint64_t now_ns(void *self)
{
	(void)self;
	return to_ns(core_ticks());
}

static void beat(void)
{
	agent_beat(&agent);
}

static int run_start(void *self, const struct wire_run *rq, char *why)
{
	(void)self;
	(void)why;
	request = *rq;
	return store_prepare(
		rq->image, rq->mode == MODE_EVAL ? rq->input : NULL, &layout);
}

static void fill_call(void)
{
	call = (struct payload_call *)(uintptr_t)(layout.stack_top - sizeof(*call));
	memset(call, 0, sizeof(*call));
	call->mode = request.mode;
	call->phase = request.phase;
	call->n_warmup = request.n_warmup;
	call->n_samples = request.n_samples;
	call->min_sample_ns = request.min_sample_ns;
	call->n_tokens = request.n_tokens;
	call->clock_hz = BOARD_CLOCK_HZ;
	call->input = layout.input;
	call->input_len = layout.input_len;
	call->output = layout.output;
	call->output_cap = layout.output_cap;
}

static void tell_fault(struct wire_done *d, const struct run_report *r)
{
	char *at = add_hex(d->detail, "pc ", r->pc);

	at = add_hex(at, " lr ", r->lr);
	if (r->end == RUN_TIMEOUT)
		return;
	at = add_hex(at, " cfsr ", r->cfsr);
	at = add_hex(at, " hfsr ", r->hfsr);
	add_hex(at, " address ", r->address);
}

/* The records are the host's to judge. */
static void tell_exit(struct wire_done *d, const struct run_report *r)
{
	d->outcome = r->code ? OUTCOME_EXIT : OUTCOME_OK;
	if (call->output_len <= layout.output_cap)
		d->output_len = call->output_len;
	d->output_crc =
		crc32_update(0, (const void *)(uintptr_t)layout.output, d->output_len);
}

static void fill_done(struct wire_done *d, const struct run_report *r)
{
	d->temp_before_mc = d->temp_after_mc = WIRE_TEMP_UNKNOWN;
	d->code = r->code;
	d->wall_ns = d->cpu_ns = to_ns(r->ticks);
	if (r->end == RUN_EXIT) {
		tell_exit(d, r);
		return;
	}
	d->outcome = r->end == RUN_FAULT ? OUTCOME_CRASH : OUTCOME_TIMEOUT;
	tell_fault(d, r);
}

/* The most that the stack has held: where its paint is gone. */
#define PAINT 0xa5c35a3cu

static uint32_t *stack_bottom(void)
{
	return (uint32_t *)(uintptr_t)(layout.guard + STORE_GUARD_BYTES);
}

static void paint_stack(void)
{
	for (uint32_t *p = stack_bottom(); p < (uint32_t *)call; p++)
		*p = PAINT;
}

static uint32_t stack_depth(void)
{
	const uint32_t *p = stack_bottom();

	while (p < (uint32_t *)call && *p == PAINT)
		p++;
	return (uint32_t)((uint8_t *)call - (const uint8_t *)p);
}

static int run_poll(void *self, struct wire_done *done)
{
	struct run_report r;

	(void)self;
	fill_call();
	paint_stack();
	uart_deafen();
	core_run(layout.entry, (uint32_t)(uintptr_t)call, (uint32_t)(uintptr_t)call & ~7u,
		layout.guard, (uint64_t)request.timeout_ms * (BOARD_CLOCK_HZ / 1000),
		beat, &r);
	fill_done(done, &r);
	done->stack_bytes = stack_depth();
	return 1;
}

static void run_cancel(void *self)
{
	(void)self; /* nothing runs while requests are heard */
}

static void result_read(void *self, uint32_t offset, uint8_t *out, size_t len)
{
	(void)self;
	memcpy(out, (const void *)(uintptr_t)(layout.output + offset), len);
}

/* Sessions */

static void send(void *self, const uint8_t *data, size_t len)
{
	(void)self;
	while (len--)
		uart_give(*data++);
}

/* HELLO is being answered: its frame holds a number that the host drew. */
static uint32_t nonce(void *self)
{
	uint32_t count = core_counter();
	uint32_t n = crc32_update(count, rx, WIRE_HEADER_BYTES + 8);

	(void)self;
	return n ? n : 1;
}

static int lease(void *self, char *why)
{
	(void)self;
	(void)why;
	return 0; /* the line itself is held by one controller */
}

static void reset(void *self)
{
	(void)self;
	core_reset(CORE_RESET_ASKED);
}

static void describe(void)
{
	uint32_t has = core_features();
	char *at = add(description, "arch: " BOARD_CORE "\nboard: " BOARD_NAME "\n");

	at = add_hex(at, "cpuid: ", core_cpuid());
	at = add(at, "\nfeatures:");
	at = add(at, has & CORE_FPU ? " fpu" : "");
	at = add(at, has & CORE_DOUBLE ? " double" : "");
	at = add(at, has & CORE_DSP ? " dsp" : "");
	at = add(at, has & CORE_MVE ? " mve" : has & CORE_DSP ? "" : " none");
	at = add_hex(at, "\nwindow: ", BOARD_WINDOW_BASE);
	at = add_hex(at, " ", BOARD_WINDOW_BYTES);
	at = add_hex(at, "\nreadable: ", BOARD_CODE_BASE);
	at = add_hex(at, " ", BOARD_CODE_BYTES);
	at = add(at, "\nclock_hz: " TEXT_OF(BOARD_CLOCK_HZ) "\nticks: systick");
	at = add(at, has & CORE_CYCLES ? ", dwt" : "");
	at = add_hex(at, "\nboots: ", core_boots());
	at = add_hex(at, "\nreset: ", core_reset_reason());
	add(at, "\n");
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

int main(void)
{
	static const struct agent_ops ops = {
		.send = send,
		.now_ns = now_ns,
		.nonce = nonce,
		.lease = lease,
		.store_open = store_open,
		.store_append = store_append,
		.store_copy = store_copy,
		.store_verify = store_verify,
		.run_start = run_start,
		.run_poll = run_poll,
		.run_cancel = run_cancel,
		.result_read = result_read,
		.reset = reset,
	};
	static const struct agent_config config = {
		.max_payload = MAX_PAYLOAD,
		.window = 1,
		.flags = WIRE_CAN_EVAL | WIRE_CAN_COPY | WIRE_HOST_JUDGES,
		.storage_bytes = BOARD_WINDOW_BYTES - STORE_BEHIND,
		.output_bytes = BOARD_WINDOW_BYTES,
		.clock_resolution_ns =
			(1000000000u + BOARD_CLOCK_HZ - 1) / BOARD_CLOCK_HZ,
		.description = description,
		.version = "hawser-agent-mcu",
		.sensor = "",
		.sensor_note = "this board has none",
		.rx = rx,
		.tx = tx,
	};

	core_init();
	board_init();
	uart_init();
	describe();
	agent_init(&agent, &ops, NULL, &config);
	for (;;) {
		uint8_t c = await_byte();

		agent_receive(&agent, &c, 1);
	}
}
