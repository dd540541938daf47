/* Arm MPS3 with the AN547 image: Cortex-M55 with MVE; QEMU's machine mps3-an547. */
#ifndef HAWSER_DEVICES_BOARDS_MPS3_AN547_BOARD_H
#define HAWSER_DEVICES_BOARDS_MPS3_AN547_BOARD_H

#define BOARD_NAME "mps3-an547"
#define BOARD_CORE "cortex-m55"
#define BOARD_CODE_BASE 0x00000000u
#define BOARD_CODE_BYTES 0x00010000u
#define BOARD_WINDOW_BASE 0x31200000u /* where payloads go: SRAM, 2 MB */
#define BOARD_WINDOW_BYTES 0x00200000u
#define BOARD_CLOCK_HZ 32000000

#define UART_BASE 0x59303000u
#define UART_IRQ 33
#define UART_DIVIDER 278 /* 115 200 baud */
#include "devices/agent/mcu/uart_cmsdk.h"

#define WATCHDOG_BASE 0x5802e000u
#define WATCHDOG_HZ 32768
#include "devices/agent/mcu/watchdog_cmsdk.h"

#define EDGE_BASE 0x51100000u /* GPIO 0 */
#define EDGE_PIN 2
#include "devices/agent/mcu/gpio_cmsdk.h"

static inline void board_init(void)
{
	edge_init();
}

#endif
