/* The independent watchdog of STM32 (RM0090 chapter 21, RM0432 chapter 40), for board headers
 * that define WATCHDOG_CSR, the RCC register that tells why it was reset. Nothing stops it
 * once it runs, so while a byte is awaited SysTick ends the sleep every now and then. Where
 * it does not answer (QEMU has none) all this is left out.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_WATCHDOG_STM32_H
#define HAWSER_DEVICES_AGENT_MCU_WATCHDOG_STM32_H

#include <stdint.h>

#define WATCHDOG_REG(offset) (*(volatile uint32_t *)(uintptr_t)(0x40003000u + (offset)))
#define WATCHDOG_TICK_CSR (*(volatile uint32_t *)(uintptr_t)0xE000E010u)
#define WATCHDOG_TICK_RVR (*(volatile uint32_t *)(uintptr_t)0xE000E014u)
#define WATCHDOG_TICK_CVR (*(volatile uint32_t *)(uintptr_t)0xE000E018u)
#define WATCHDOG_ICSR (*(volatile uint32_t *)(uintptr_t)0xE000ED04u)

static inline void watchdog_feed(void)
{
	WATCHDOG_REG(0) = 0xaaaa;
}

static inline void watchdog_start(void)
{
	WATCHDOG_TICK_CSR = 0;
	WATCHDOG_ICSR = 1u << 25;
	if (WATCHDOG_REG(8) == 1500) {
		watchdog_feed();
		return;
	}
	WATCHDOG_REG(0) = 0xcccc;
	WATCHDOG_REG(0) = 0x5555;
	WATCHDOG_REG(4) = 4;	/* PR: 32 kHz / 64 */
	WATCHDOG_REG(8) = 1500; /* RLR: 3 s */
}

static inline void watchdog_rest(void)
{
	if (WATCHDOG_REG(8) != 1500)
		return;
	WATCHDOG_TICK_RVR = 0xffffff; /* 0.1 s at 168 MHz, 0.14 at 120 */
	WATCHDOG_TICK_CVR = 0;
	WATCHDOG_TICK_CSR = 7;
}

/* Whatever ended the sleep. */
static inline void watchdog_woken(void)
{
	WATCHDOG_ICSR = 1u << 25;
	watchdog_feed();
}

/* Asked once: the answer is cleared. */
static inline int watchdog_bit(void)
{
	uint32_t why = *(volatile uint32_t *)(uintptr_t)WATCHDOG_CSR;

	*(volatile uint32_t *)(uintptr_t)WATCHDOG_CSR = why | WATCHDOG_CSR_CLEAR;
	return (why >> 29 & 1) != 0;
}

#endif
