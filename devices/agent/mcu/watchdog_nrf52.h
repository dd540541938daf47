/* The watchdog of nRF52 (nRF52840 Product Specification, 6.36). Nothing stops it once it runs,
 * but it pauses while the core sleeps, as it does while a byte is awaited.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_WATCHDOG_NRF52_H
#define HAWSER_DEVICES_AGENT_MCU_WATCHDOG_NRF52_H

#include <stdint.h>

#define WATCHDOG_REG(offset) (*(volatile uint32_t *)(uintptr_t)(0x40010000u + (offset)))
#define WATCHDOG_RESETREAS (*(volatile uint32_t *)(uintptr_t)0x40000400u)

static inline void watchdog_feed(void)
{
	WATCHDOG_REG(0x600) = 0x6e524635; /* RR[0] */
}

static inline void watchdog_start(void)
{
	if (WATCHDOG_REG(0x400) & 1) { /* RUNSTATUS */
		watchdog_feed();
		return;
	}
	WATCHDOG_REG(0x50c) = 0;	 /* CONFIG: pause asleep and halted */
	WATCHDOG_REG(0x504) = 3 * 32768; /* CRV: 3 s */
	WATCHDOG_REG(0x508) = 1;	 /* RREN: RR[0] */
	WATCHDOG_REG(0x000) = 1;
}

static inline void watchdog_rest(void)
{
}

static inline void watchdog_woken(void)
{
}

/* Asked once: the answer is cleared. */
static inline int watchdog_bit(void)
{
	uint32_t why = WATCHDOG_RESETREAS;

	WATCHDOG_RESETREAS = why;
	return (why & 2) != 0;
}

#endif
