/* Arm's CMSDK APB UART, polled; the agent sleeps until a byte is there. For board headers
 * that define UART_BASE, UART_DIVIDER and UART_IRQ, the lower of its two interrupts (of
 * which one transmits, and stays off). Interrupts are masked: a pending one only ends WFI,
 * no handler runs.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_UART_CMSDK_H
#define HAWSER_DEVICES_AGENT_MCU_UART_CMSDK_H

#include <stdint.h>

#define UART_REG(offset) (*(volatile uint32_t *)(uintptr_t)(UART_BASE + (offset)))
#define UART_DATA UART_REG(0)
#define UART_STATE UART_REG(4)
#define UART_CTRL UART_REG(8)
#define UART_INT UART_REG(12)
#define UART_BAUDDIV UART_REG(16)
#define NVIC_WORD(base) (*(volatile uint32_t *)(uintptr_t)((base) + UART_IRQ / 32 * 4))
#define UART_BITS (3u << UART_IRQ % 32)

static inline void uart_init(void)
{
	UART_BAUDDIV = UART_DIVIDER;
	UART_CTRL = 1 | 2 | 8; /* send, receive, interrupt on receive */
	/* Bytes that came before now block some lines for good until one is taken. */
	(void)UART_DATA;
}

/* From here on a byte ends WFI. */
static inline void uart_listen(void)
{
	NVIC_WORD(0xE000E100u) = UART_BITS;
}

static inline int uart_has(void)
{
	return (UART_STATE & 2) != 0;
}

static inline uint8_t uart_take(void)
{
	uint8_t c = (uint8_t)UART_DATA;

	UART_INT = 2;
	NVIC_WORD(0xE000E280u) = UART_BITS;
	return c;
}

/* The payload is not to be disturbed. */
static inline void uart_deafen(void)
{
	NVIC_WORD(0xE000E180u) = UART_BITS;
}

static inline void uart_give(uint8_t c)
{
	while (UART_STATE & 1)
		;
	UART_DATA = c;
}

#endif
