/* The watchdog of RP2350 (datasheet 12.9), ticking in microseconds of the 12 MHz crystal. It
 * counts while the agent works or a payload runs and rests while a byte is awaited.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_WATCHDOG_RP2350_H
#define HAWSER_DEVICES_AGENT_MCU_WATCHDOG_RP2350_H

#include <stdint.h>

#define WATCHDOG_REG(offset) (*(volatile uint32_t *)(uintptr_t)(0x400d8000u + (offset)))
#define WATCHDOG_PSM_WDSEL (*(volatile uint32_t *)(uintptr_t)0x40018008u)
#define WATCHDOG_TICKS(offset) (*(volatile uint32_t *)(uintptr_t)(0x40108030u + (offset)))

static inline void watchdog_feed(void)
{
	WATCHDOG_REG(4) = 3000000; /* LOAD: 3 s */
}

static inline void watchdog_start(void)
{
	watchdog_feed();
	WATCHDOG_REG(0x2000) = 1u << 30; /* CTRL, set: ENABLE */
}

static inline void watchdog_rest(void)
{
	WATCHDOG_REG(0x3000) = 1u << 30; /* CTRL, clear */
}

static inline void watchdog_woken(void)
{
}

/* After the crystal runs: all but the oscillators is reset. */
static inline void watchdog_init(void)
{
	WATCHDOG_TICKS(4) = 12; /* CYCLES */
	WATCHDOG_TICKS(0) = 1;	/* ENABLE */
	WATCHDOG_PSM_WDSEL = 0x01fffff3;
}

static inline int watchdog_bit(void)
{
	return WATCHDOG_REG(8) & 1; /* REASON: TIMER */
}

#endif
