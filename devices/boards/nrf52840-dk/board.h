/* Nordic nRF52840-DK: Cortex-M4 with FPU, 256 KB of RAM. The line is UART0 at P0.06
 * (transmits) and P0.08, which the debugger on the board carries over USB. Written after the
 * nRF52840 Product Specification 1.7 and the kit's hardware guide, compiled, and never run.
 */
#ifndef HAWSER_DEVICES_BOARDS_NRF52840_DK_BOARD_H
#define HAWSER_DEVICES_BOARDS_NRF52840_DK_BOARD_H

#include <stdint.h>

#define BOARD_NAME "nrf52840-dk"
#define BOARD_CORE "cortex-m4"
#define BOARD_CODE_BASE 0x00000000u
#define BOARD_CODE_BYTES 0x00100000u /* and weights behind the agent */
/* Where payloads go: all RAM but the first eighth, where the agent is. */
#define BOARD_WINDOW_BASE 0x20008000u
#define BOARD_WINDOW_BYTES 0x00038000u
#define BOARD_REGION_BASE 0x20000000u
#define BOARD_REGION_BYTES 0x00040000u
#define BOARD_REGION_WITHOUT 1u
#define BOARD_CLOCK_HZ 64000000

#define UART_BASE 0x40002000u
#define UART_IRQ 2
#define UART_BAUD 0x01d7e000u /* 115 200 baud */
#define UART_TX 6
#define UART_RX 8
#include "devices/agent/mcu/uart_nrf52.h"

#include "devices/agent/mcu/watchdog_nrf52.h"

#define BOARD_REG(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define GPIO0(offset) BOARD_REG(0x50000000u + (offset))

/* P0.03, A0 of the Arduino header, is high while inferences are timed, for a meter. */
static inline void board_edge(uint32_t high)
{
	GPIO0(high ? 0x508 : 0x50c) = 1u << 3; /* OUTSET, OUTCLR */
}

/* The core runs at 64 MHz from reset on; the crystal makes that exact. */
static inline void board_init(void)
{
	BOARD_REG(0x40000100u) = 0; /* EVENTS_HFCLKSTARTED */
	BOARD_REG(0x40000000u) = 1; /* TASKS_HFCLKSTART */
	while (!BOARD_REG(0x40000100u))
		;
	BOARD_REG(0x4001e540u) = 1;	/* NVMC ICACHECNF: flash cache */
	GPIO0(0x508) = 1u << 6;		/* the line is high at rest */
	GPIO0(0x518) = 1u << 6;		/* DIRSET */
	GPIO0(0x700 + 4 * 8) = 3u << 2; /* PIN_CNF[8]: input, pulled up */
	board_edge(0);
	GPIO0(0x518) = 1u << 3;
}

#endif
