/* Arm MPS2 with the AN500 image: Cortex-M7 with FPU; QEMU's machine mps2-an500. */
#ifndef HAWSER_DEVICES_BOARDS_MPS2_AN500_BOARD_H
#define HAWSER_DEVICES_BOARDS_MPS2_AN500_BOARD_H

#define BOARD_NAME "mps2-an500"
#define BOARD_CORE "cortex-m7"
#define BOARD_WINDOW_BASE 0x60000000u /* where payloads go */
#include "devices/agent/mcu/mps2.h"

#endif
