/* Arm's PL011 (DDI 0183), polled, with its FIFOs; the agent sleeps until a byte is there. For
 * board headers that define UART_BASE, UART_IRQ, UART_INTEGER and UART_FRACTION (64ths) of
 * clock / 16 / baud. Interrupts are masked: a pending one only ends WFI, no handler runs.
 * Clock and pins are board_init's.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_UART_PL011_H
#define HAWSER_DEVICES_AGENT_MCU_UART_PL011_H

#include <stdint.h>

#define UART_REG(offset) (*(volatile uint32_t *)(uintptr_t)(UART_BASE + (offset)))
#define UART_DR UART_REG(0x00)
#define UART_FR UART_REG(0x18)
#define NVIC_WORD(base) (*(volatile uint32_t *)(uintptr_t)((base) + UART_IRQ / 32 * 4))
#define UART_BIT (1u << UART_IRQ % 32)

static inline void uart_init(void)
{
	UART_REG(0x30) = 0; /* CR: off */
	UART_REG(0x24) = UART_INTEGER;
	UART_REG(0x28) = UART_FRACTION;
	UART_REG(0x2c) = 3u << 5 | 1u << 4; /* LCR_H: 8N1, FIFOs; takes the divider too */
	UART_REG(0x34) = 0;		    /* IFLS: from 1/8 on */
	UART_REG(0x38) = 1u << 6 | 1u << 4; /* IMSC: received, and a pause after it */
	UART_REG(0x30) = 1u << 9 | 1u << 8 | 1u;
}

/* From here on a byte ends WFI. */
static inline void uart_listen(void)
{
	NVIC_WORD(0xE000E100u) = UART_BIT;
}

static inline int uart_has(void)
{
	return !(UART_FR & 1u << 4);
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
	while (UART_FR & 1u << 5)
		;
	UART_DR = c;
}

#endif
