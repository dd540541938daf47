/* Arm MPS2 with the AN386 image: Cortex-M4 with FPU; QEMU's machine mps2-an386. */
#ifndef HAWSER_DEVICES_BOARDS_MPS2_AN386_BOARD_H
#define HAWSER_DEVICES_BOARDS_MPS2_AN386_BOARD_H

#define BOARD_NAME "mps2-an386"
#define BOARD_CORE "cortex-m4"
#define BOARD_WINDOW_BASE 0x21000000u /* where payloads go */
#include "devices/agent/mcu/mps2.h"

#endif
