/* The core of an Arm Cortex-M, v7-M: clock, memory protection, and running a payload from
 * which every way out leads back here.
 *
 * The payload runs in thread mode, unprivileged, on the process stack. It may read, write
 * and execute in the window except for the guard below its stack, and execute the agent's
 * code; it cannot reach anything else, nor mask interrupts. SVC, faults and the clock's
 * interrupt are taken in handler mode on the main stack; to end the payload that stack is
 * cleared and a frame is made there that returns to the agent, into core_ended.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_CORTEX_M_H
#define HAWSER_DEVICES_AGENT_MCU_CORTEX_M_H

#include <stdint.h>

#include "devices/agent/mcu/payload.h"

/* What DONE tells of a run, in its order: so many words, and those of where it failed. */
enum core_word {
	CORE_CODE,
	CORE_OUTPUT_LEN, /* for core_ended to fill */
	CORE_OUTPUT_CRC,
	CORE_TICKS, /* two, low first; at BOARD_CLOCK_HZ */
	CORE_STACK = CORE_TICKS + 2,
	CORE_WORDS,
	CORE_PC = CORE_WORDS, /* it and LR 0: no frame could be read */
	CORE_LR,
	CORE_CFSR,
	CORE_HFSR,
	CORE_ADDRESS,
	CORE_MOST_WORDS
};
struct core_report {
	uint8_t outcome; /* enum wire_outcome */
	uint8_t n_where; /* words of where it failed: 0, 2 or all */
	uint32_t words[CORE_MOST_WORDS];
};

/* As devices/PROTOCOL.md tells them. */
#define CORE_RESET_POWER 0u
#define CORE_RESET_ASKED 1u
#define CORE_RESET_WATCHDOG 2u
#define CORE_RESET_UNKNOWN 3u	/* the reset pin, or what this board does not tell */
#define CORE_RESET_FAULT 0x100u /* and the number of the exception: of the agent itself */
#define CORE_RESET_RETURNED 0x200u

/* In memory that a reset leaves alone. */
struct core_kept {
	uint32_t magic, boots, why, count;
	uint32_t reset; /* why the last one came */
};
extern struct core_kept core_kept;

void core_reset(uint32_t why) __attribute__((noreturn, noinline));
/* WIRE_RAN_FPU and so on: what does not fault when it is executed, and whether the cycle
 * counter was seen to move. */
uint32_t core_probe(void);

/* Runs a payload, its stack below `call`, with the main stack given up; core_ended goes on with a fresh one. Now and
 * then core_beat is called while it runs; the clock stands meanwhile. */
void core_run(uint32_t entry, const struct payload_call *call, uint32_t guard,
	uint32_t limit_ms) __attribute__((noreturn));
/* The agent's. */
void core_start(void) __attribute__((noreturn));
void core_ended(void) __attribute__((noreturn));
void core_beat(void);
extern struct core_report core_report;

#endif
