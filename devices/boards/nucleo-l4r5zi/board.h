/* ST Nucleo-L4R5ZI: STM32L4R5ZI, Cortex-M4 with FPU, 640 KB of RAM; the reference board of
 * MLPerf Tiny. The line is LPUART1 at PG7 and PG8, which the ST-LINK on the board carries
 * over USB. Written after RM0432 (registers) and UM2179 (pins), compiled, and never run.
 */
#ifndef HAWSER_DEVICES_BOARDS_NUCLEO_L4R5ZI_BOARD_H
#define HAWSER_DEVICES_BOARDS_NUCLEO_L4R5ZI_BOARD_H

#include <stdint.h>

#define BOARD_NAME "nucleo-l4r5zi"
#define BOARD_CORE "cortex-m4"
#define BOARD_CODE_BASE 0x08000000u
#define BOARD_CODE_BYTES 0x00200000u /* and weights behind the agent */
#define BOARD_WINDOW_BASE 0x20040000u /* where payloads go: most of SRAM3 */
#define BOARD_WINDOW_BYTES 0x00040000u
#define BOARD_CLOCK_HZ 120000000

#define UART_BASE 0x40008000u
#define UART_IRQ 70
#define UART_DIVIDER 266667 /* 115 200 baud */
#include "devices/agent/mcu/uart_stm32l4.h"

#define WATCHDOG_CSR 0x40021094u
#define WATCHDOG_CSR_CLEAR (1u << 23)
#include "devices/agent/mcu/watchdog_stm32.h"

#define BOARD_REG(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define RCC(offset) BOARD_REG(0x40021000u + (offset))
#define PWR(offset) BOARD_REG(0x40007000u + (offset))
#define GPIOF(offset) BOARD_REG(0x48001400u + (offset))
#define GPIOG(offset) BOARD_REG(0x48001800u + (offset))

/* PF13, D7 of the Arduino header, is high while inferences are timed, for a meter. */
static inline void board_edge(uint32_t high)
{
	GPIOF(0x18) = 1u << (high ? 13 : 29); /* BSRR */
}

/* 120 MHz of the 4 MHz MSI, which reset selects: range 1 in boost mode, 5 wait states, and
 * half of it for a moment, as the manual asks for. */
static inline void board_clock(void)
{
	RCC(0x58) |= 1u << 28;				/* APB1ENR1: PWR */
	PWR(0x00) = (PWR(0x00) & ~(3u << 9)) | 1u << 9; /* CR1: range 1 */
	while (PWR(0x14) & 1u << 10)
		;		 /* SR2: VOSF */
	PWR(0x80) &= ~(1u << 8); /* CR5: boost */
	/* PLLCFGR: MSI, M 1, N 60, R 2 and on */
	RCC(0x0c) = 1u | 60u << 8 | 1u << 24;
	RCC(0x00) |= 1u << 24; /* CR: PLL */
	while (!(RCC(0x00) & 1u << 25))
		;
	BOARD_REG(0x40022000u) = 7u << 8 | 5; /* FLASH_ACR: prefetch, caches, 5 */
	RCC(0x08) = 8u << 4 | 3;	      /* CFGR: AHB / 2, of the PLL */
	while ((RCC(0x08) & 3u << 2) != 3u << 2)
		;
	for (volatile int i = 0; i < 100; i++)
		; /* more than a microsecond */
	RCC(0x08) = 3;
}

static inline void board_init(void)
{
	board_clock();
	PWR(0x04) |= 1u << 9;		/* CR2: IOSV, port G has a supply of its own */
	RCC(0x4c) |= 1u << 5 | 1u << 6; /* AHB2ENR: GPIOF, GPIOG */
	RCC(0x5c) |= 1u;		/* APB1ENR2: LPUART1, clocked by APB1 */
	(void)RCC(0x5c);
	GPIOG(0x20) = (GPIOG(0x20) & 0x0fffffffu) | 8u << 28;	/* AFRL: PG7 AF8 */
	GPIOG(0x24) = (GPIOG(0x24) & ~15u) | 8;			/* AFRH: PG8 AF8 */
	GPIOG(0x00) = (GPIOG(0x00) & ~(15u << 14)) | 10u << 14; /* MODER: alternate */
	board_edge(0);
	GPIOF(0x00) = (GPIOF(0x00) & ~(3u << 26)) | 1u << 26; /* MODER: PF13 drives */
}

#endif
