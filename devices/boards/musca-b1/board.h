/* Arm Musca-B1: Cortex-M33 with FPU, 512 KB of RAM, all of it in the secure world; QEMU's
 * machine musca-b1. The clock is what reset leaves.
 */
#ifndef HAWSER_DEVICES_BOARDS_MUSCA_B1_BOARD_H
#define HAWSER_DEVICES_BOARDS_MUSCA_B1_BOARD_H

#define BOARD_NAME "musca-b1"
#define BOARD_CORE "cortex-m33"
#define BOARD_CODE_BASE 0x10000000u
#define BOARD_CODE_BYTES 0x00010000u
#define BOARD_WINDOW_BASE 0x30004000u /* where payloads go: RAM but for the agent's 16 KB */
#define BOARD_WINDOW_BYTES 0x0007c000u
#define BOARD_CLOCK_HZ 40000000

#define UART_BASE 0x50105000u
#define UART_IRQ 44
#define UART_INTEGER 21 /* 115 200 baud */
#define UART_FRACTION 45
#include "devices/agent/mcu/uart_pl011.h"

#define WATCHDOG_BASE 0x50081000u
#define WATCHDOG_HZ BOARD_CLOCK_HZ
#include "devices/agent/mcu/watchdog_cmsdk.h"

#define EDGE_BASE 0x51000000u /* GPIO */
#define EDGE_PIN 2
#include "devices/agent/mcu/gpio_cmsdk.h"

static inline void board_init(void)
{
	edge_init();
}

#endif
