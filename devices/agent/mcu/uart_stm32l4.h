/* USART and LPUART of STM32L4+ and later (RM0432, chapters 57 and 58), polled; the agent sleeps
 * until a byte is there. For board headers that define UART_BASE, UART_IRQ and UART_DIVIDER
 * (LPUART: 256 * clock / baud). Interrupts are masked: a pending one only ends WFI, no
 * handler runs. Clock and pins are board_init's.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_UART_STM32L4_H
#define HAWSER_DEVICES_AGENT_MCU_UART_STM32L4_H

#include <stdint.h>

#define UART_REG(offset) (*(volatile uint32_t *)(uintptr_t)(UART_BASE + (offset)))
#define UART_CR1 UART_REG(0x00)
#define UART_BRR UART_REG(0x0c)
#define UART_ISR UART_REG(0x1c)
#define UART_ICR UART_REG(0x20)
#define UART_RDR UART_REG(0x24)
#define UART_TDR UART_REG(0x28)
#define NVIC_WORD(base) (*(volatile uint32_t *)(uintptr_t)((base) + UART_IRQ / 32 * 4))
#define UART_BIT (1u << UART_IRQ % 32)
#define UART_OVERRUN (1u << 3)

static inline void uart_init(void)
{
	UART_CR1 = 0;
	UART_BRR = UART_DIVIDER;
	UART_CR1 = 1u << 5 | 1u << 3 | 1u << 2 | 1u; /* receive interrupt, TE, RE, UE */
}

/* From here on a byte ends WFI. */
static inline void uart_listen(void)
{
	NVIC_WORD(0xE000E100u) = UART_BIT;
}

static inline int uart_has(void)
{
	UART_ICR = UART_OVERRUN; /* else it stays pending; the frame's CRC tells */
	return (UART_ISR & 1u << 5) != 0;
}

static inline uint8_t uart_take(void)
{
	uint8_t c = (uint8_t)UART_RDR;

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
	while (!(UART_ISR & 1u << 7))
		;
	UART_TDR = c;
}

#endif
