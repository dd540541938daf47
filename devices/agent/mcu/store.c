#include "devices/agent/mcu/store.h"

#include <string.h>

#include "devices/proto/crc32.h"

#define WINDOW_END (BOARD_WINDOW_BASE + BOARD_WINDOW_BYTES)

struct slot {
	uint8_t hash[SHA256_BYTES];
	uint32_t at, size, have;
	uint32_t crc; /* as it was offered */
	uint8_t verified;
};

static struct slot image, other;
static struct slot *open_slot;

static uint8_t *memory(uint32_t address)
{
	return (uint8_t *)(uintptr_t)address;
}

static int is_payload(const struct slot *s)
{
	struct payload_head h;

	if (s->size < sizeof(h))
		return 0;
	memcpy(&h, memory(s->at), sizeof(h));
	return h.magic == PAYLOAD_MAGIC && h.image_end == BOARD_WINDOW_BASE + s->size &&
	       h.memory_end >= h.image_end && h.entry - BOARD_WINDOW_BASE < s->size &&
	       h.stack_bytes >= 256 && h.stack_bytes < BOARD_WINDOW_BYTES &&
	       h.memory_end <= WINDOW_END - h.stack_bytes &&
	       WINDOW_END - h.stack_bytes - h.memory_end >= 2 * STORE_GUARD_BYTES;
}

/* Behind the payload and what it clears. */
static uint32_t free_from(void)
{
	struct payload_head h;

	if (!image.verified)
		return BOARD_WINDOW_BASE;
	memcpy(&h, memory(image.at), sizeof(h));
	if (!is_payload(&image)) { /* it wrote over its own head */
		image.verified = 0;
		return BOARD_WINDOW_BASE;
	}
	return (h.memory_end + 7) & ~7u;
}

int store_open(void *self, const uint8_t hash[SHA256_BYTES], uint64_t size,
	uint64_t *have, int *complete, char *why)
{
	uint32_t at;

	(void)self;
	(void)why;
	open_slot = &other;
	if (image.verified && memcmp(image.hash, hash, SHA256_BYTES) == 0)
		open_slot = &image;
	if (memcmp(open_slot->hash, hash, SHA256_BYTES) != 0 || open_slot->size != size) {
		at = free_from();
		if (size > WINDOW_END - at) {
			image.verified = 0;
			at = BOARD_WINDOW_BASE;
		}
		memset(&other, 0, sizeof(other));
		memcpy(other.hash, hash, SHA256_BYTES);
		other.at = at;
		other.size = (uint32_t)size;
		open_slot = &other;
	}
	*have = open_slot->have;
	*complete = open_slot->verified;
	return 0;
}

int store_append(void *self, const uint8_t *data, size_t len, char *why)
{
	(void)self;
	(void)why;
	/* A run may have taken the room meanwhile. */
	if (!open_slot || len > open_slot->size - open_slot->have)
		return WIRE_E_NOT_FOUND;
	memmove(memory(open_slot->at + open_slot->have), data, len);
	open_slot->have += (uint32_t)len;
	return 0;
}

int store_copy(void *self, const struct wire_put *m, char *why)
{
	uint64_t from = m->from, end = WINDOW_END - BOARD_WINDOW_BASE;

	if (m->held) {
		if (!image.verified || wire_hash_start(image.hash) != m->held)
			return WIRE_E_NOT_FOUND;
		end = image.size;
	} else {
		from -= BOARD_WINDOW_BASE;
	}
	if (from > end || m->len > end - from)
		return WIRE_E_NOT_FOUND;
	return store_append(
		self, memory(BOARD_WINDOW_BASE + (uint32_t)from), m->len, why);
}

static int is_sound(const struct slot *s)
{
	return crc32_update(0, memory(s->at), s->size) == s->crc;
}

int store_verify(void *self, uint32_t crc, char *why)
{
	(void)self;
	(void)why;
	if (!open_slot || !open_slot->size)
		return WIRE_E_NOT_FOUND;
	open_slot->crc = crc;
	if (!is_sound(open_slot)) {
		memset(open_slot, 0, sizeof(*open_slot));
		return WIRE_E_HASH;
	}
	open_slot->verified = 1;
	if (open_slot == &other && is_payload(&other)) {
		memmove(memory(BOARD_WINDOW_BASE), memory(other.at), other.size);
		image = other;
		image.at = BOARD_WINDOW_BASE;
		memset(&other, 0, sizeof(other));
		open_slot = &image;
	}
	return 0;
}

/* Of this hash, verified, and still what it was. */
static int holds(struct slot *s, const uint8_t hash[SHA256_BYTES])
{
	if (!s->verified || memcmp(s->hash, hash, SHA256_BYTES) != 0)
		return 0;
	if (is_sound(s))
		return 1;
	memset(s, 0, sizeof(*s));
	return 0;
}

int store_prepare(
	const uint8_t hash[SHA256_BYTES], const uint8_t *input, struct store_layout *out)
{
	struct payload_head h;

	memset(out, 0, sizeof(*out));
	if (!holds(&image, hash) || (input && !holds(&other, input)))
		return WIRE_E_NOT_FOUND;
	memcpy(&h, memory(image.at), sizeof(h));
	out->entry = h.entry;
	out->stack_top = WINDOW_END;
	out->guard = (WINDOW_END - h.stack_bytes - STORE_GUARD_BYTES) &
		     ~(STORE_GUARD_BYTES - 1);
	out->output = free_from();
	if (input) {
		out->input = other.at;
		out->input_len = other.size;
		out->output = (other.at + other.size + 7) & ~7u;
	} else {
		memset(&other, 0, sizeof(other)); /* the output goes there */
	}
	if (out->output >= out->guard)
		return WIRE_E_NO_SPACE;
	out->output_cap = out->guard - out->output;
	return 0;
}
