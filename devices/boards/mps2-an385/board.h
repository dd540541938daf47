/* Arm MPS2 with the AN385 image: Cortex-M3, no FPU; QEMU's machine mps2-an385. */
#ifndef HAWSER_DEVICES_BOARDS_MPS2_AN385_BOARD_H
#define HAWSER_DEVICES_BOARDS_MPS2_AN385_BOARD_H

#define BOARD_NAME "mps2-an385"
#define BOARD_CORE "cortex-m3"
#define BOARD_CODE_BASE 0x00000000u
#define BOARD_CODE_BYTES 0x00010000u
#define BOARD_WINDOW_BASE 0x21000000u /* where payloads go: PSRAM, 16 MB */
#define BOARD_WINDOW_BYTES 0x01000000u
#define BOARD_CLOCK_HZ 25000000

#define UART_BASE 0x40004000u
#define UART_IRQ 0
#define UART_DIVIDER 217 /* 115 200 baud */
#include "devices/agent/mcu/uart_cmsdk.h"

#define WATCHDOG_BASE 0x40008000u
#define WATCHDOG_HZ BOARD_CLOCK_HZ
#include "devices/agent/mcu/watchdog_cmsdk.h"

#define EDGE_BASE 0x40010000u /* GPIO 0 */
#define EDGE_PIN 2
#include "devices/agent/mcu/gpio_cmsdk.h"

static inline void board_init(void)
{
	edge_init();
}

#endif
