/* Raspberry Pi Pico 2: RP2350, one of its two Cortex-M33 with FPU, 520 KB of RAM. The line is
 * UART0 at GPIO 0 (transmits) and 1, for a debug probe or an adapter. All of it is in the
 * secure world, where the boot ROM leaves it. Written after the RP2350 datasheet, compiled,
 * and never run.
 */
#ifndef HAWSER_DEVICES_BOARDS_PICO2_BOARD_H
#define HAWSER_DEVICES_BOARDS_PICO2_BOARD_H

#include <stdint.h>

#define BOARD_NAME "pico2"
#define BOARD_CORE "cortex-m33"
#define BOARD_CODE_BASE 0x10000000u
#define BOARD_CODE_BYTES 0x00400000u /* and weights behind the agent */
#define BOARD_WINDOW_BASE                                                                \
	0x20004000u /* where payloads go: RAM but for the agent's 16 KB */
#define BOARD_WINDOW_BYTES 0x0007c000u
#define BOARD_CLOCK_HZ 150000000

#define UART_BASE 0x40070000u
#define UART_IRQ 33
#define UART_INTEGER 81 /* 115 200 baud */
#define UART_FRACTION 24
#include "devices/agent/mcu/uart_pl011.h"

#include "devices/agent/mcu/watchdog_rp2350.h"

/* What the boot ROM looks for in the first 4 KB: an Arm program for the secure world, entered
 * by the vector table at its start (datasheet 5.9.5). */
#define BOARD_BOOT_BLOCK                                                                 \
	{                                                                                \
		0xffffded3u, 0x10210142u, 0x000001ffu, 0, 0xab123579u                    \
	}

#define BOARD_REG(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define BOARD_PLL(offset) BOARD_REG(0x40050000u + (offset))
#define BOARD_CLOCKS(offset) BOARD_REG(0x40010000u + (offset))
#define BOARD_PAD(n) BOARD_REG(0x40038004u + 4 * (n))
#define BOARD_FUNCTION(n) BOARD_REG(0x40028004u + 8 * (n))
#define SIO(offset) BOARD_REG(0xd0000000u + (offset))

/* GPIO 2 is high while inferences are timed, for a meter. */
static inline void board_edge(uint32_t high)
{
	SIO(high ? 0x18 : 0x20) = 1u << 2; /* GPIO_OUT_SET, _CLR */
}

static inline void board_release(uint32_t blocks)
{
	BOARD_REG(0x40023000u) = blocks; /* RESETS, clear */
	while (~BOARD_REG(0x40020008u) & blocks)
		;
}

/* 150 MHz of the 12 MHz crystal: VCO at 1500 MHz, / 5 / 2. */
static inline void board_clock(void)
{
	BOARD_REG(0x4004800cu) = 47;			/* XOSC STARTUP: 1 ms */
	BOARD_REG(0x40048000u) = 0xfabu << 12 | 0xaa0u; /* CTRL: on, 1 to 15 MHz */
	while (!(BOARD_REG(0x40048004u) & 1u << 31))
		;
	BOARD_CLOCKS(0x30) = 2; /* clk_ref: crystal */
	while (!(BOARD_CLOCKS(0x38) & 1u << 2))
		;
	BOARD_REG(0x4001303cu) = 1; /* clk_sys, clear: of clk_ref */
	while (!(BOARD_CLOCKS(0x44) & 1u))
		;
	board_release(1u << 14); /* PLL_SYS */
	BOARD_PLL(0x00) = 1;
	BOARD_PLL(0x08) = 125;
	BOARD_REG(0x40053004u) = 1u | 1u << 5; /* PWR, clear: PD, VCOPD */
	while (!(BOARD_PLL(0x00) & 1u << 31))
		;
	BOARD_PLL(0x0c) = 5u << 16 | 2u << 12;
	BOARD_REG(0x40053004u) = 1u << 3; /* PWR, clear: POSTDIVPD */
	BOARD_CLOCKS(0x3c) = 0;		  /* clk_sys: its other source is the PLL */
	BOARD_CLOCKS(0x3c) = 1;
	while (!(BOARD_CLOCKS(0x44) & 2u))
		;
	BOARD_CLOCKS(0x48) = 1u << 11; /* clk_peri: on, as clk_sys */
}

static inline void board_init(void)
{
	board_clock();
	watchdog_init();
	board_release(1u << 6 | 1u << 9 | 1u << 26); /* IO and pads of bank 0, UART0 */
	BOARD_FUNCTION(0) = BOARD_FUNCTION(1) = 2;   /* UART */
	BOARD_FUNCTION(2) = 5;			     /* SIO */
	BOARD_PAD(0) = BOARD_PAD(2) = 0x56; /* no isolation, 4 mA, input on, Schmitt */
	BOARD_PAD(1) = 0x5a;		    /* and pulled up */
	board_edge(0);
	SIO(0x38) = 1u << 2; /* GPIO_OE_SET */
}

#endif
