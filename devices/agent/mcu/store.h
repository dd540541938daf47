/* The window as a store of content by hash: one payload, at the window's start where it is
 * linked, and one other content behind its memory. The hash is a name here; what is
 * checked is the CRC-32.
 *
 * What is uploaded goes behind the payload when there is room, else over it. Once verified,
 * a payload moves to the start. A payload can write anywhere in the window, so both are
 * checked again before each run. Until then it serves as the source of what the next one has in
 * common with it; what a debug probe writes anywhere in the window is copied likewise.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_STORE_H
#define HAWSER_DEVICES_AGENT_MCU_STORE_H

#include <stdint.h>

#include "devices/agent/agent.h"
#include "devices/agent/mcu/payload.h"

#define STORE_GUARD_BYTES 1024u /* a power of two, and aligned to it */
#define STORE_BEHIND 4096u	/* the least that stack, guard and output take */

/* As agent_ops want them. */
int store_open(void *self, const struct wire_offer *m, struct agent_stored **out);
int store_append(void *self, const uint8_t *data, uint32_t len);
int store_copy(void *self, const struct wire_put *m);
int store_verify(void *self);

/* CRC-32 of what lies at an address. */
uint32_t store_crc(uint32_t at, uint32_t len) __attribute__((noinline));

/* Where everything of a run lies; addresses. The stack ends with the window. */
struct store_layout {
	uint32_t entry, guard;
	uint32_t input, input_len, output, output_cap;
};
/* 0, or a wire_code; `input` NULL: there is none. */
int store_prepare(const uint8_t image[SHA256_BYTES], const uint8_t *input,
	struct store_layout *out);

#endif
