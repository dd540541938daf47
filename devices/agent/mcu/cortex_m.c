#include "devices/agent/mcu/cortex_m.h"

#include <string.h>

#include "devices/agent/mcu/payload.h"
#include "devices/agent/mcu/protect.h"
#include "devices/agent/mcu/registers.h"

#define TICKS_PER_TURN 0x1000000u
#define TURNS_PER_BEAT 4

#define KEEP_MAGIC 0xB007B007u
static struct {
	uint32_t magic, boots, reason, count;
} keep __attribute__((section(".noinit")));

static uint32_t reason; /* of the last reset */
static struct run_report report;
static volatile int in_payload, trying;
static volatile uint32_t turns; /* of the clock in this run */
static uint64_t past_ticks;	/* of the runs before */
static uint64_t limit;
static void (*on_beat)(void);
extern uint32_t core_saved_msp;
__attribute__((used)) uint32_t core_saved_msp; /* of the assembly below */

/* Clock */

static uint64_t run_ticks(void)
{
	uint32_t value = SYST_CVR, n = turns;

	if (SCB_ICSR & 1u << 26 && value > TICKS_PER_TURN / 2)
		n++; /* turned, and the interrupt waits */
	return (uint64_t)n * TICKS_PER_TURN + (TICKS_PER_TURN - 1 - value);
}

static void clock_start(void)
{
	turns = 0;
	SYST_RVR = TICKS_PER_TURN - 1;
	SYST_CVR = 0;
	SCB_ICSR = 1u << 25;
	SYST_CSR = 7;
	while (SYST_CVR == 0)
		; /* it is loaded one tick after it was enabled */
}

static uint64_t clock_stop(void)
{
	uint64_t t = run_ticks();

	SYST_CSR = 0;
	SCB_ICSR = 1u << 25;
	past_ticks += t;
	return t;
}

uint64_t core_ticks(void)
{
	return past_ticks + (in_payload ? run_ticks() : 0);
}

/* Ways out of the payload */

/* Handler mode: thread mode, privileged, main stack, at core_after_payload. */
__attribute__((naked, noreturn)) static void back_to_agent(void)
{
	__asm volatile("ldr r0, =core_saved_msp\n ldr r0, [r0]\n subs r0, #32\n"
		       " msr msp, r0\n movs r1, #0\n"
		       " str r1, [r0, #0]\n str r1, [r0, #4]\n str r1, [r0, #8]\n"
		       " str r1, [r0, #12]\n str r1, [r0, #16]\n str r1, [r0, #20]\n"
		       " ldr r1, =core_after_payload\n bic r1, r1, #1\n"
		       " str r1, [r0, #24]\n ldr r1, =0x01000000\n str r1, [r0, #28]\n"
		       " movs r1, #0\n msr control, r1\n isb\n"
		       " ldr r0, =0xFFFFFFF9\n bx r0\n .ltorg\n");
}

/* Where the core has no FPU, payloads are built without it too. */
#ifdef __ARM_FP
#define SAVE_FLOATS " vpush {d8-d15}\n"
#define RESTORE_FLOATS " vpop {d8-d15}\n"
#else
#define SAVE_FLOATS
#define RESTORE_FLOATS
#endif

__attribute__((naked, noinline)) static void enter_payload(
	uint32_t entry, uint32_t argument, uint32_t stack_top)
{
	(void)entry, (void)argument, (void)stack_top; /* r0, r1, r2 */
	__asm volatile(
		"push {r3-r11, lr}\n" SAVE_FLOATS
		" ldr r3, =core_saved_msp\n mov r12, sp\n str r12, [r3]\n"
		" msr psp, r2\n mov r2, r0\n mov r0, r1\n"
		" movs r3, #3\n msr control, r3\n isb\n blx r2\n"
		" mov r1, r0\n movs r0, #0\n svc #0\n b .\n"
		" .thumb_func\n .global core_after_payload\ncore_after_payload:\n" RESTORE_FLOATS
		" pop {r3-r11, pc}\n .ltorg\n");
}

__attribute__((noreturn)) static void leave(enum run_end end)
{
	report.ticks = clock_stop();
	report.end = end;
	board_edge(0);
#ifdef __ARM_FP
	FPU_FPCCR &= ~1u; /* registers that were to be saved lazily are dropped */
#endif
	in_payload = 0;
	back_to_agent();
}

static void on_clock(const uint32_t *frame)
{
	turns++;
	watchdog_feed();
	if ((uint64_t)turns * TICKS_PER_TURN >= limit) {
		report.pc = frame[6];
		report.lr = frame[5];
		leave(RUN_TIMEOUT);
	}
	if (turns % TURNS_PER_BEAT == 0) {
		SYST_CSR = 6; /* the clock stands */
		on_beat();
		SYST_CSR = 7;
	}
}

static void on_svc(uint32_t *frame)
{
	if (frame[0] == PAYLOAD_EDGE) {
		board_edge(frame[1]);
		return;
	}
	if (frame[0] == PAYLOAD_TICKS) {
		uint64_t t = run_ticks();

		frame[0] = (uint32_t)t;
		frame[1] = (uint32_t)(t >> 32);
		return;
	}
	report.code = (int32_t)frame[1];
	leave(RUN_EXIT);
}

#define NMI 2 /* numbers of exceptions */
#define SVC 11
#define SYSTICK 15

/* Stacking failed: there is no frame to read. */
#define NO_FRAME 0x00001010u

static void on_fault(const uint32_t *frame, uint32_t exception)
{
	report.code = (int32_t)exception;
	report.cfsr = SCB_CFSR;
	report.hfsr = SCB_HFSR;
	report.address = report.cfsr & 0x80 ? SCB_MMFAR : SCB_BFAR;
	if (!(report.cfsr & NO_FRAME)) {
		report.pc = frame[6];
		report.lr = frame[5];
	}
	SCB_CFSR = report.cfsr; /* a written 1 clears */
	SCB_HFSR = report.hfsr;
	leave(RUN_FAULT);
}

void handle(uint32_t *frame, uint32_t exc_return, uint32_t exception);
__attribute__((used)) void handle(
	uint32_t *frame, uint32_t exc_return, uint32_t exception)
{
	int of_payload = in_payload && exc_return & 4;

	if (exception == NMI)
		core_reset(CORE_RESET_WATCHDOG);
	if (trying) { /* what failed is one instruction of four bytes */
		trying = 0;
		frame[6] += 4;
		SCB_CFSR = SCB_CFSR;
		SCB_HFSR = SCB_HFSR;
		return;
	}
	if (!of_payload) /* the agent's own fault; it runs without a clock */
		core_reset(CORE_RESET_FAULT | exception);
	if (exception == SYSTICK)
		on_clock(frame);
	else if (exception == SVC)
		on_svc(frame);
	else
		on_fault(frame, exception);
}

__attribute__((naked)) static void any_exception(void)
{
	__asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n"
		       " mov r1, lr\n mrs r2, ipsr\n push {r3, lr}\n bl handle\n"
		       " pop {r3, pc}\n");
}

/* Runs */

void core_run(uint32_t entry, uint32_t argument, uint32_t stack_top, uint32_t guard,
	uint64_t limit_ticks, void (*beat)(void), struct run_report *out)
{
	memset(&report, 0, sizeof(report));
	limit = limit_ticks;
	on_beat = beat;
	protect_payload(guard);
	in_payload = 1;
	clock_start();
	__asm volatile("cpsie i" ::: "memory");
	enter_payload(entry, argument, stack_top);
	__asm volatile("cpsid i" ::: "memory");
	*out = report;
}

/* Trials: an instruction of four bytes that the core may lack. */

#define TRY(name, code)                                                                  \
	static int try_##name(void)                                                      \
	{                                                                                \
		trying = 1;                                                              \
		__asm volatile(".inst.w " code "\n dsb\n isb" ::: "r0", "memory");       \
		return trying;                                                           \
	}
TRY(fpu, "0xEEB00A40") /* vmov.f32 s0, s0 */
TRY(dsp, "0xFB213002") /* smlad r0, r1, r2, r3 */
TRY(mve, "0xEF000840") /* vadd.i8 q0, q0, q0 */

static int cycles_count(void)
{
	uint32_t before;

	SCB_DEMCR |= 1u << 24;
	DWT_CTRL |= 1;
	before = DWT_CYCCNT;
	for (volatile int i = 0; i < 100; i++)
		;
	return DWT_CYCCNT != before;
}

#define PART(cpuid) ((cpuid) >> 4 & 0xfff)
#define PART_CORTEX_M3 0xc23

uint32_t core_features(void)
{
	uint32_t found = 0;

	if (FPU_MVFR0 && try_fpu())
		found |= CORE_FPU | (FPU_MVFR0 >> 8 & 15 ? CORE_DOUBLE : 0);
	/* An emulated M3 executes these, and ID_ISAR3 of an emulated M4 denies them. */
	if (PART(SCB_CPUID) != PART_CORTEX_M3 && try_dsp())
		found |= CORE_DSP;
	if (FPU_MVFR1 >> 8 & 15 && try_mve())
		found |= CORE_MVE;
	trying = 0;
	return cycles_count() ? found | CORE_CYCLES : found;
}

/* Start */

void core_reset(uint32_t why)
{
	board_edge(0);
	keep.reason = why;
	__asm volatile("dsb" ::: "memory");
	SCB_AIRCR = 0x05FA0004u;
	for (;;)
		;
}

uint32_t core_boots(void)
{
	return keep.boots;
}

uint32_t core_reset_reason(void)
{
	return reason;
}

uint32_t core_counter(void)
{
	return ++keep.count;
}

uint32_t core_cpuid(void)
{
	return SCB_CPUID;
}

void core_init(void)
{
	if (keep.magic != KEEP_MAGIC) {
		keep.magic = KEEP_MAGIC;
		keep.boots = keep.reason = 0;
	}
	keep.boots++;
	reason = watchdog_bit() && keep.reason ? CORE_RESET_WATCHDOG : keep.reason;
	keep.reason = CORE_RESET_UNKNOWN; /* unless it is told before */
	__asm volatile("cpsid i" ::: "memory");
}

extern uint32_t agent_stack_top[], agent_data_load[], agent_data_start[],
	agent_data_end[], agent_bss_start[], agent_bss_end[];
extern int main(void);
void agent_reset(void);

void agent_reset(void)
{
	const uint32_t *from = agent_data_load;

	SCB_VTOR = BOARD_CODE_BASE;
	SCB_CPACR |= 15u << 20; /* FPU and MVE, where there are such */
	__asm volatile("dsb\n isb" ::: "memory");
	for (uint32_t *to = agent_data_start; to < agent_data_end; to++)
		*to = *from++;
	for (uint32_t *to = agent_bss_start; to < agent_bss_end; to++)
		*to = 0;
	main();
	core_reset(CORE_RESET_RETURNED);
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
