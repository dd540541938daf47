/* What a payload may reach: the window but for the guard below its stack, and the agent's
 * code, which it may read and execute. The agent itself may do everything. */
#ifndef HAWSER_DEVICES_AGENT_MCU_PROTECT_H
#define HAWSER_DEVICES_AGENT_MCU_PROTECT_H

#include <stdint.h>

/* `guard`: address of STORE_GUARD_BYTES of store.h within the window, a multiple of it. */
void protect_payload(uint32_t guard);

#endif
