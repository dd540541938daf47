#include "devices/agent/mcu/cortex_m.h"

#include <string.h>

#include "devices/agent/mcu/protect.h"
#include "devices/agent/mcu/registers.h"
#include "devices/proto/message.h"

#define TURN_BITS 24 /* of the clock */
#define TURN_LAST ((1u << TURN_BITS) - 1)
#define TURNS_PER_BEAT 4

#define KEEP_MAGIC 0xB007B007u
struct core_kept core_kept __attribute__((section(".noinit")));

struct core_report core_report;
static volatile uint8_t in_payload;
static volatile uint32_t turns; /* of the clock in this run */
static uint32_t limit_turns;

/* Clock */

static uint64_t run_ticks(void)
{
	uint32_t value = SYST_CVR, n = turns;

	if (SCB_ICSR & 1u << 26 && value > TURN_LAST / 2)
		n++; /* turned, and the interrupt waits */
	return (uint64_t)n << TURN_BITS | (TURN_LAST - value);
}

static void clock_start(void)
{
	turns = 0;
	SYST_RVR = TURN_LAST;
	SYST_CVR = 0;
	SCB_ICSR = 1u << 25;
	SYST_CSR = 7;
	while (SYST_CVR == 0)
		; /* it is loaded one tick after it was enabled */
}

/* Ways out of the payload */

__attribute__((noreturn)) static void leave(enum wire_outcome outcome, uint8_t n_where)
{
	uint64_t t = run_ticks();

	core_report.words[CORE_TICKS] = (uint32_t)t;
	core_report.words[CORE_TICKS + 1] = (uint32_t)(t >> 32);
	core_report.outcome = (uint8_t)outcome;
	core_report.n_where = n_where;
	SYST_CSR = 0;
	SCB_ICSR = 1u << 25;
	board_edge(0);
#ifdef __ARM_FP
	FPU_FPCCR &= ~1u; /* registers that were to be saved lazily are dropped */
#endif
	in_payload = 0;
	/* Thread mode, privileged, main stack, at core_ended. */
	__asm volatile("ldr r0, =agent_stack_top - 32\n ldr r1, =core_ended\n"
		       " subs r1, #1\n mov r2, #0x01000000\n strd r1, r2, [r0, #24]\n"
		       " msr msp, r0\n movs r1, #0\n msr control, r1\n"
		       " mvn r0, #6\n bx r0\n .ltorg\n");
	__builtin_unreachable();
}

static void on_clock(void)
{
	turns++;
	watchdog_feed();
	if (turns >= limit_turns)
		leave(OUTCOME_TIMEOUT, CORE_CFSR - CORE_PC);
	if (turns % TURNS_PER_BEAT == 0) {
		SYST_CSR = 6; /* the clock stands */
		core_beat();
		SYST_CSR = 7;
	}
}

static void on_svc(uint32_t *frame)
{
	uint64_t t;

	switch (frame[0]) {
	case PAYLOAD_EDGE:
		board_edge(frame[1]);
		return;
	case PAYLOAD_TICKS:
		t = run_ticks();
		frame[0] = (uint32_t)t;
		frame[1] = (uint32_t)(t >> 32);
		return;
	default:
		core_report.words[CORE_CODE] = frame[1];
		leave(frame[1] ? OUTCOME_EXIT : OUTCOME_OK, 0);
	}
}

#define NMI 2 /* numbers of exceptions */
#define SVC 11
#define SYSTICK 15

/* Stacking failed: there is no frame to read. */
#define NO_FRAME 0x00001010u
#define FRAME_PC 6
#define FRAME_LR 5

uint32_t core_trials(void);
void core_handle(uint32_t *frame, uint32_t exc_return);
__attribute__((used)) void core_handle(uint32_t *frame, uint32_t exc_return)
{
	uint32_t exception, cfsr = SCB_CFSR, hfsr = SCB_HFSR;
	uint32_t *word = core_report.words;

	__asm volatile("mrs %0, ipsr" : "=r"(exception));
	SCB_CFSR = cfsr; /* a written 1 clears */
	SCB_HFSR = hfsr;
	if (exception == NMI)
		core_reset(CORE_RESET_WATCHDOG);
	if (!in_payload || !(exc_return & 4)) {
		/* A trial, of which the instruction and its mark are left out; or the agent's
		 * own fault: it runs without a clock. */
		if (frame[FRAME_PC] - (uint32_t)(uintptr_t)core_trials > 32)
			core_reset(CORE_RESET_FAULT | exception);
		frame[FRAME_PC] += 8;
		return;
	}
	if (exception == SVC) {
		on_svc(frame);
		return;
	}
	if (!(cfsr & NO_FRAME)) {
		word[CORE_PC] = frame[FRAME_PC];
		word[CORE_LR] = frame[FRAME_LR];
	}
	if (exception == SYSTICK) {
		on_clock();
		return;
	}
	word[CORE_CODE] = exception;
	word[CORE_CFSR] = cfsr;
	word[CORE_HFSR] = hfsr;
	word[CORE_ADDRESS] = cfsr & 0x80 ? SCB_MMFAR : SCB_BFAR;
	leave(OUTCOME_CRASH, CORE_MOST_WORDS - CORE_PC);
}

__attribute__((naked)) static void any_exception(void)
{
	__asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n"
		       " mov r1, lr\n b core_handle\n");
}

/* Runs */

void core_run(uint32_t entry, const struct payload_call *call, uint32_t guard,
	uint32_t limit_ms)
{
	uint64_t limit = (uint64_t)limit_ms * (BOARD_CLOCK_HZ / 1000);

	memset(&core_report, 0, sizeof(core_report));
	limit_turns = (uint32_t)((limit + TURN_LAST) >> TURN_BITS);
	protect_payload(guard);
	in_payload = 1;
	clock_start();
	{
		register uint32_t r0 __asm("r0") = (uint32_t)(uintptr_t)call;
		register uint32_t r1 __asm("r1") = entry;
		register uint32_t r2 __asm("r2") = (uint32_t)(uintptr_t)call & ~7u;

		__asm volatile("msr psp, r2\n cpsie i\n movs r3, #3\n msr control, r3\n"
			       " isb\n blx r1\n mov r1, r0\n movs r0, #0\n svc #0\n"
			       :
			       : "r"(r0), "r"(r1), "r"(r2)
			       : "r3", "memory");
	}
	__builtin_unreachable();
}

/* Trials: instructions of four bytes that the core may lack, each with one behind it that
 * marks that it was executed: vmov.f32 s0, s0; smlad r1, r1, r2, r3; vadd.i8 q0, q0, q0. */
__attribute__((naked, noinline)) uint32_t core_trials(void)
{
	__asm volatile("movs r0, #0\n"
		       " .inst.w 0xEEB00A40\n orr.w r0, r0, #1\n"
		       " .inst.w 0xFB213102\n orr.w r0, r0, #2\n"
		       " .inst.w 0xEF000840\n orr.w r0, r0, #4\n"
		       " bx lr\n");
}

uint32_t core_probe(void)
{
	uint32_t ran = core_trials();

	SCB_DEMCR |= 1u << 24;
	DWT_CTRL |= 1;
	return DWT_CYCCNT != DWT_CYCCNT ? ran | WIRE_CYCLES : ran;
}

/* Start */

void core_reset(uint32_t why)
{
	board_edge(0);
	core_kept.why = why;
	__asm volatile("dsb" ::: "memory");
	SCB_AIRCR = 0x05FA0004u;
	for (;;)
		;
}

/* Counts boots in memory that a reset leaves alone. */
static void count_boot(void)
{
	struct core_kept *k = &core_kept;

	if (k->magic != KEEP_MAGIC) {
		k->magic = KEEP_MAGIC;
		k->boots = k->why = 0;
	}
	k->boots++;
	k->reset = watchdog_bit() && k->why ? CORE_RESET_WATCHDOG : k->why;
	k->why = CORE_RESET_UNKNOWN; /* unless it is told before */
}

extern uint32_t agent_stack_top[], agent_bss_start[], agent_bss_end[];
void agent_reset(void);

void agent_reset(void)
{
	__asm volatile("cpsid i" ::: "memory");
	SCB_VTOR = BOARD_CODE_BASE;
	SCB_CPACR |= 15u << 20; /* FPU and MVE, where there are such */
	__asm volatile("dsb\n isb" ::: "memory");
	for (uint32_t *to = agent_bss_start; to < agent_bss_end; to++)
		*to = 0;
	count_boot();
	core_start();
}

typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
	(vector)(uintptr_t)agent_stack_top, agent_reset, any_exception, any_exception,
	any_exception, any_exception, any_exception, any_exception, 0, 0, 0,
	any_exception, any_exception, 0, any_exception, any_exception};

#ifdef BOARD_BOOT_BLOCK
__attribute__((section(".boot"), used)) static const uint32_t boot_block[] =
	BOARD_BOOT_BLOCK;
#endif
