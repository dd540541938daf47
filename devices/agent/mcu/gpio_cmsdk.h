/* A pin of Arm's CMSDK AHB GPIO that is high while inferences are timed, for a meter beside
 * the board. For board headers that define EDGE_BASE and EDGE_PIN.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_GPIO_CMSDK_H
#define HAWSER_DEVICES_AGENT_MCU_GPIO_CMSDK_H

#include <stdint.h>

#define EDGE_REG(offset) (*(volatile uint32_t *)(uintptr_t)(EDGE_BASE + (offset)))

static inline void board_edge(uint32_t high)
{
	EDGE_REG(4) = high ? 1u << EDGE_PIN : 0; /* DATAOUT; no other pin is driven */
}

static inline void edge_init(void)
{
	board_edge(0);
	EDGE_REG(0x10) = 1u << EDGE_PIN; /* OUTENSET */
}

#endif
