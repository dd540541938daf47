/* The harness of a microcontroller's payload: golden check, evaluation, what is timed and
 * records are those of devices/boards/linux; here are its start, its streams and its clock.
 */
#ifndef HAWSER_DEVICES_BOARDS_MCU_BOARD_H
#define HAWSER_DEVICES_BOARDS_MCU_BOARD_H

#include <stdint.h>

#include "devices/agent/mcu/payload.h"

extern struct payload_call *payload; /* of this run */

uint64_t payload_ticks(void);
/* The level of the board's pin for a meter. */
void payload_edge(uint32_t high);

#endif
