/* Netduino Plus 2: STM32F405RG, Cortex-M4 with FPU, 128 KB of RAM; QEMU's machine
 * netduinoplus2. The line is USART1 at PB6 (transmits) and PB7, the pins SCL and SDA.
 * The clock is set after RM0090; that part has never run on the real board, and QEMU, which
 * has no RCC, ignores it.
 */
#ifndef HAWSER_DEVICES_BOARDS_NETDUINOPLUS2_BOARD_H
#define HAWSER_DEVICES_BOARDS_NETDUINOPLUS2_BOARD_H

#include <stdint.h>

#define BOARD_NAME "netduinoplus2"
#define BOARD_CORE "cortex-m4"
#define BOARD_CODE_BASE 0x08000000u
#define BOARD_CODE_BYTES 0x00100000u /* and weights behind the agent */
/* Where payloads go: all RAM but the agent's 16 KB, the first eighth. */
#define BOARD_WINDOW_BASE 0x20004000u
#define BOARD_WINDOW_BYTES 0x0001c000u
#define BOARD_REGION_BASE 0x20000000u
#define BOARD_REGION_BYTES 0x00020000u
#define BOARD_REGION_WITHOUT 1u
#define BOARD_CLOCK_HZ 168000000

#define UART_BASE 0x40011000u
#define UART_IRQ 37
#define UART_DIVIDER 729 /* 84 MHz: 115 226 baud */
#include "devices/agent/mcu/uart_stm32f4.h"

#define WATCHDOG_CSR 0x40023874u
#define WATCHDOG_CSR_CLEAR (1u << 24)
#include "devices/agent/mcu/watchdog_stm32.h"

#define BOARD_REG(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define RCC(offset) BOARD_REG(0x40023800u + (offset))
#define GPIOA(offset) BOARD_REG(0x40020000u + (offset))
#define GPIOB(offset) BOARD_REG(0x40020400u + (offset))
#define BOARD_PATIENCE 100000 /* tries, for what may never come */

static inline void board_await(volatile uint32_t *reg, uint32_t mask, uint32_t want)
{
	for (int i = 0; i < BOARD_PATIENCE && (*reg & mask) != want; i++)
		;
}

/* PA10, the LED, is high while inferences are timed, for a meter beside the board. */
static inline void board_edge(uint32_t high)
{
	GPIOA(0x18) = 1u << (high ? 10 : 26); /* BSRR */
}

/* 168 MHz of the 25 MHz crystal, APB1 at 42 and APB2 at 84 MHz; then USART1's pins. */
static inline void board_init(void)
{
	RCC(0x40) |= 1u << 28;		    /* APB1ENR: power control, */
	BOARD_REG(0x40007000u) |= 1u << 14; /* full voltage */
	RCC(0x00) |= 1u << 16;		    /* CR: HSE */
	board_await(&RCC(0x00), 1u << 17, 1u << 17);
	RCC(0x04) =
		25u | 336u << 6 | 1u << 22 | 7u << 24; /* PLLCFGR: M, N, P 2, HSE, Q */
	RCC(0x00) |= 1u << 24;			       /* CR: PLL */
	board_await(&RCC(0x00), 1u << 25, 1u << 25);
	BOARD_REG(0x40023c00u) = 0x705; /* FLASH_ACR: caches, prefetch, 5 wait states */
	RCC(0x08) = 5u << 10 | 4u << 13 | 2u; /* CFGR: APB1 / 4, APB2 / 2, of the PLL */
	board_await(&RCC(0x08), 3u << 2, 2u << 2);
	RCC(0x30) |= 3u;	 /* AHB1ENR: GPIOA, GPIOB */
	RCC(0x44) |= 1u << 4;	 /* APB2ENR: USART1 */
	GPIOB(0x0c) |= 1u << 14; /* PUPDR: PB7 up */
	GPIOB(0x20) = (GPIOB(0x20) & 0x00ffffffu) | 0x77000000u; /* AFRL: AF7 */
	GPIOB(0x00) = (GPIOB(0x00) & ~(15u << 12)) | 10u << 12;	 /* MODER: alternate */
	board_edge(0);
	GPIOA(0x00) = (GPIOA(0x00) & ~(3u << 20)) | 1u << 20; /* MODER: PA10 drives */
}

#endif
