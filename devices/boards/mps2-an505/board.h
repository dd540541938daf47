/* Arm MPS2 with the AN505 image: Cortex-M33, all of it in the secure world; QEMU's machine
 * mps2-an505. */
#ifndef HAWSER_DEVICES_BOARDS_MPS2_AN505_BOARD_H
#define HAWSER_DEVICES_BOARDS_MPS2_AN505_BOARD_H

#define BOARD_NAME "mps2-an505"
#define BOARD_CORE "cortex-m33"
#define BOARD_CODE_BASE 0x10000000u
#define BOARD_CODE_BYTES 0x00010000u
#define BOARD_WINDOW_BASE 0x38200000u /* where payloads go: SSRAM, 2 MB */
#define BOARD_WINDOW_BYTES 0x00200000u
#define BOARD_CLOCK_HZ 20000000

#define UART_BASE 0x50200000u
#define UART_IRQ 32
#define UART_DIVIDER 174 /* 115 200 baud */
#include "devices/agent/mcu/uart_cmsdk.h"

#define WATCHDOG_BASE 0x50081000u
#define WATCHDOG_HZ BOARD_CLOCK_HZ
#include "devices/agent/mcu/watchdog_cmsdk.h"

#define EDGE_BASE 0x50100000u /* GPIO 0 */
#define EDGE_PIN 2
#include "devices/agent/mcu/gpio_cmsdk.h"

static inline void board_init(void)
{
	edge_init();
}

#endif
