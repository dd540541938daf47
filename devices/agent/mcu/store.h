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

#include <stddef.h>
#include <stdint.h>

#include "devices/agent/mcu/payload.h"
#include "devices/proto/message.h"

#define STORE_GUARD_BYTES 1024u /* a power of two, and aligned to it */
#define STORE_BEHIND 4096u	/* the least that stack, guard and output take */

int store_open(void *self, const uint8_t hash[SHA256_BYTES], uint64_t size,
	uint64_t *have, int *complete, char *why);
int store_append(void *self, const uint8_t *data, size_t len, char *why);
int store_copy(void *self, const struct wire_put *m, char *why);
int store_verify(void *self, uint32_t crc, char *why);

/* Where everything of a run lies; addresses. */
struct store_layout {
	uint32_t entry, input, input_len, output, output_cap, guard, stack_top;
};
/* 0, or a wire_code; `input` NULL: there is none. */
int store_prepare(const uint8_t image[SHA256_BYTES], const uint8_t *input,
	struct store_layout *out);

#endif
