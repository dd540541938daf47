/* The core of an Arm Cortex-M, v7-M: clock, memory protection, and running a payload from
 * which every way out leads back here.
 *
 * The payload runs in thread mode, unprivileged, on the process stack. It may read, write
 * and execute in the window except for the guard below its stack, and execute the agent's
 * code; it cannot reach anything else, nor mask interrupts. SVC, faults and the clock's
 * interrupt are taken in handler mode on the main stack; to end the payload a frame is
 * made there that returns to the agent.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_CORTEX_M_H
#define HAWSER_DEVICES_AGENT_MCU_CORTEX_M_H

#include <stdint.h>

enum run_end { RUN_EXIT, RUN_FAULT, RUN_TIMEOUT };

struct run_report {
	enum run_end end;
	int32_t code;	 /* RUN_EXIT: exit code; RUN_FAULT: number of the exception */
	uint32_t pc, lr; /* 0: no frame could be read */
	uint32_t cfsr, hfsr, address;
	uint64_t ticks;
};

/* After a reset: FPU on, protection on, faults enabled. Counts boots in memory that a
 * reset leaves alone. */
void core_init(void);
uint32_t core_boots(void);

/* As devices/PROTOCOL.md tells them. */
#define CORE_RESET_POWER 0u
#define CORE_RESET_ASKED 1u
#define CORE_RESET_WATCHDOG 2u
#define CORE_RESET_UNKNOWN 3u	/* the reset pin, or what this board does not tell */
#define CORE_RESET_FAULT 0x100u /* and the number of the exception: of the agent itself */
#define CORE_RESET_RETURNED 0x200u
uint32_t core_reset_reason(void); /* of the last reset */
void core_reset(uint32_t why) __attribute__((noreturn));
uint32_t core_counter(void); /* never the same since power was switched on */
uint32_t core_cpuid(void);

/* Probed: what the identification registers tell of and what does not fault when it is
 * executed; the cycle counter was seen to move. */
#define CORE_FPU 1u
#define CORE_DOUBLE 2u /* of the FPU */
#define CORE_DSP 4u
#define CORE_MVE 8u
#define CORE_CYCLES 16u
uint32_t core_features(void);

uint64_t core_ticks(void); /* of the runs, at BOARD_CLOCK_HZ */
/* `beat` is called now and then while the payload runs; the clock stands meanwhile. */
void core_run(uint32_t entry, uint32_t argument, uint32_t stack_top, uint32_t guard,
	uint64_t limit_ticks, void (*beat)(void), struct run_report *out);

#endif
