/* The UART (without EasyDMA) of nRF52 (nRF52840 Product Specification, 6.33), polled; the
 * agent sleeps until a byte is there. For board headers that define UART_BASE, UART_IRQ,
 * UART_BAUD (the register's value) and UART_TX, UART_RX (pins of port 0). Interrupts are
 * masked: a pending one only ends WFI, no handler runs.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_UART_NRF52_H
#define HAWSER_DEVICES_AGENT_MCU_UART_NRF52_H

#include <stdint.h>

#define UART_REG(offset) (*(volatile uint32_t *)(uintptr_t)(UART_BASE + (offset)))
#define UART_RXDRDY UART_REG(0x108)
#define UART_TXDRDY UART_REG(0x11c)
#define NVIC_WORD(base) (*(volatile uint32_t *)(uintptr_t)((base) + UART_IRQ / 32 * 4))
#define UART_BIT (1u << UART_IRQ % 32)

static inline void uart_init(void)
{
	UART_REG(0x508) = UART_REG(0x510) = 0xffffffffu; /* PSEL.RTS, .CTS: none */
	UART_REG(0x50c) = UART_TX;
	UART_REG(0x514) = UART_RX;
	UART_REG(0x524) = UART_BAUD;
	UART_REG(0x56c) = 0;	   /* CONFIG: 8N1 */
	UART_REG(0x500) = 4;	   /* ENABLE */
	UART_REG(0x304) = 1u << 2; /* INTENSET: RXDRDY */
	UART_REG(0x000) = 1;	   /* STARTRX */
	UART_REG(0x008) = 1;	   /* STARTTX */
}

/* From here on a byte ends WFI. */
static inline void uart_listen(void)
{
	NVIC_WORD(0xE000E100u) = UART_BIT;
}

static inline int uart_has(void)
{
	return UART_RXDRDY != 0;
}

/* The event is cleared first: reading RXD moves the FIFO, which may raise it again. */
static inline uint8_t uart_take(void)
{
	uint8_t c;

	UART_RXDRDY = 0;
	(void)UART_RXDRDY; /* written through, before the interrupt is cleared */
	c = (uint8_t)UART_REG(0x518);
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
	UART_TXDRDY = 0;
	UART_REG(0x51c) = c;
	while (!UART_TXDRDY)
		;
}

#endif
