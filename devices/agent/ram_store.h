/* Uploaded content kept in one block of memory, first in, first out: for simulated
 * devices, tests and machines without files. Freestanding; the block is the caller's.
 */
#ifndef HAWSER_DEVICES_AGENT_RAM_STORE_H
#define HAWSER_DEVICES_AGENT_RAM_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "devices/agent/agent.h"

#define RAM_STORE_SLOTS 128

struct ram_slot {
	uint8_t hash[SHA256_BYTES];
	size_t at;
	struct agent_stored is;
};

struct ram_store {
	uint8_t *mem; /* borrowed */
	size_t cap;
	size_t n; /* slots, in order of age and of address */
	struct ram_slot slot[RAM_STORE_SLOTS];
	struct ram_slot *open;
};

void ram_store_init(struct ram_store *s, void *mem, size_t cap);
/* As agent_ops.store_open and the others: 0 or a wire_code. */
int ram_store_open(
	struct ram_store *s, const struct wire_offer *m, struct agent_stored **out);
int ram_store_append(struct ram_store *s, const uint8_t *data, uint32_t len);
/* From another, verified content; memory by address is not to be had. */
int ram_store_copy(struct ram_store *s, const struct wire_put *m);
int ram_store_verify(struct ram_store *s);
/* Verified content, or NULL. Valid until the next open. */
const uint8_t *ram_store_find(
	const struct ram_store *s, const uint8_t hash[SHA256_BYTES], size_t *size);

#endif
