/* Arm MPS2 with the AN385 image: Cortex-M3, no FPU; QEMU's machine mps2-an385. */
#ifndef HAWSER_DEVICES_BOARDS_MPS2_AN385_BOARD_H
#define HAWSER_DEVICES_BOARDS_MPS2_AN385_BOARD_H

#define BOARD_NAME "mps2-an385"
#define BOARD_CORE "cortex-m3"
#define BOARD_WINDOW_BASE 0x21000000u /* where payloads go */
#include "devices/agent/mcu/mps2.h"

#endif
