/* Arm's CMSDK APB watchdog, for board headers that define WATCHDOG_BASE and WATCHDOG_HZ. It
 * counts while the agent works or a payload runs and rests while a byte is awaited, so that
 * a sleeping board stays asleep. It raises NMI, which nothing masks, and whose handler
 * resets and says why. Its own reset at a second expiry is left off: QEMU's model counts on
 * at rest, and would reset as soon as that is allowed.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_WATCHDOG_CMSDK_H
#define HAWSER_DEVICES_AGENT_MCU_WATCHDOG_CMSDK_H

#include <stdint.h>

#define WATCHDOG_REG(offset) (*(volatile uint32_t *)(uintptr_t)(WATCHDOG_BASE + (offset)))

/* Until it bites: longer than two turns of the core's clock, which feed it. */
#define WATCHDOG_S 3

static inline void watchdog_start(void)
{
	WATCHDOG_REG(0xc00) = 0x1acce551; /* LOCK: writes are heard */
	WATCHDOG_REG(0) = WATCHDOG_S * WATCHDOG_HZ;
	WATCHDOG_REG(12) = 1; /* INTCLR: what came while it rested, in emulation */
	WATCHDOG_REG(8) = 1;  /* CTRL: interrupt */
}

static inline void watchdog_feed(void)
{
	WATCHDOG_REG(12) = 1;
}

static inline void watchdog_rest(void)
{
	WATCHDOG_REG(8) = 0;
}

/* Whatever ended the sleep. */
static inline void watchdog_woken(void)
{
}

static inline int watchdog_bit(void)
{
	return 0; /* NMI has told */
}

#endif
