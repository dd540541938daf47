/* The USART of STM32F2 and F4 (RM0090, chapter 30), polled; the agent sleeps until a byte is
 * there. For board headers that define UART_BASE, UART_IRQ and UART_DIVIDER (of the
 * peripheral's clock, oversampling by 16: clock / baud). Interrupts are masked: a pending
 * one only ends WFI, no handler runs. Clock and pins are board_init's.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_UART_STM32F4_H
#define HAWSER_DEVICES_AGENT_MCU_UART_STM32F4_H

#include <stdint.h>

#define UART_REG(offset) (*(volatile uint32_t *)(uintptr_t)(UART_BASE + (offset)))
#define UART_SR UART_REG(0)
#define UART_DR UART_REG(4)
#define UART_BRR UART_REG(8)
#define UART_CR1 UART_REG(12)
#define NVIC_WORD(base) (*(volatile uint32_t *)(uintptr_t)((base) + UART_IRQ / 32 * 4))
#define UART_BIT (1u << UART_IRQ % 32)

static inline void uart_init(void)
{
	UART_BRR = UART_DIVIDER;
	UART_CR1 = 1u << 13 | 1u << 5 | 1u << 3 |
		   1u << 2; /* on; receive interrupt, TE, RE */
	(void)UART_DR;
}

/* From here on a byte ends WFI. */
static inline void uart_listen(void)
{
	NVIC_WORD(0xE000E100u) = UART_BIT;
}

/* An overrun is pending as well; reading SR, then DR, clears it. */
static inline int uart_has(void)
{
	return (UART_SR & (1u << 5 | 1u << 3)) != 0;
}

static inline uint8_t uart_take(void)
{
	uint8_t c = (uint8_t)UART_DR;

	NVIC_WORD(0xE000E280u) = UART_BIT;
	return c;
}

/* The payload is not to be disturbed. */
static inline void uart_deafen(void)
{
	NVIC_WORD(0xE000E180u) = UART_BIT;
}

static inline void uart_give(uint8_t c)
{
	while (!(UART_SR & 1u << 7))
		;
	UART_DR = c;
}

#endif
