/* What the images of Arm's MPS2 board have in common that are made like AN386 (Arm DAI 0386):
 * memories, UART, watchdog, pins, 25 MHz. A board header gives names and the window's base
 * first.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_MPS2_H
#define HAWSER_DEVICES_AGENT_MCU_MPS2_H

#define BOARD_CODE_BASE 0x00000000u
#define BOARD_CODE_BYTES 0x00010000u
#define BOARD_WINDOW_BYTES 0x01000000u /* PSRAM, 16 MB */
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
