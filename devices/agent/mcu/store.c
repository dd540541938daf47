#include "devices/agent/mcu/store.h"

#include <string.h>

#include "devices/proto/crc32.h"

#define WINDOW_END (BOARD_WINDOW_BASE + BOARD_WINDOW_BYTES)
/* What takes long shows the watchdog that it goes on, each time that so many bytes are done;
 * none of it is longer than the window. */
#define STEP_BYTES 0x10000u

struct slot {
	struct agent_stored is;
	uint32_t at, crc; /* as it was offered */
	uint8_t hash[SHA256_BYTES];
};

static struct slot image, other;
static uint32_t image_memory_end;

static uint8_t *memory(uint32_t address)
{
	return (uint8_t *)(uintptr_t)address;
}

static int has(const struct slot *s, const uint8_t hash[SHA256_BYTES])
{
	return memcmp(s->hash, hash, SHA256_BYTES) == 0;
}

static const struct payload_head *head_of(const struct slot *s)
{
	return (const struct payload_head *)(uintptr_t)s->at;
}

static int is_payload(const struct slot *s)
{
	const struct payload_head *h = head_of(s);

	return s->is.size >= sizeof(*h) && h->magic == PAYLOAD_MAGIC &&
	       h->image_end == BOARD_WINDOW_BASE + s->is.size &&
	       h->memory_end >= h->image_end &&
	       h->entry - BOARD_WINDOW_BASE < s->is.size && h->stack_bytes >= 256 &&
	       h->stack_bytes < BOARD_WINDOW_BYTES &&
	       h->memory_end <= WINDOW_END - h->stack_bytes &&
	       WINDOW_END - h->stack_bytes - h->memory_end >= 2 * STORE_GUARD_BYTES;
}

/* Behind the payload and what it clears. */
static uint32_t free_from(void)
{
	return image.is.complete ? (image_memory_end + 7) & ~7u : BOARD_WINDOW_BASE;
}

int store_open(void *self, const struct wire_offer *m, struct agent_stored **out)
{
	uint32_t at;

	(void)self;
	if (m->size > BOARD_WINDOW_BYTES - STORE_BEHIND)
		return WIRE_E_TOO_LARGE;
	*out = &image.is;
	if (image.is.complete && has(&image, m->hash))
		return 0;
	*out = &other.is;
	if (!has(&other, m->hash) || other.is.size != m->size) {
		at = free_from();
		if (m->size > WINDOW_END - at) {
			image.is.complete = 0;
			at = BOARD_WINDOW_BASE;
		}
		memset(&other, 0, sizeof(other));
		memcpy(other.hash, m->hash, SHA256_BYTES);
		other.at = at;
		other.is.size = m->size;
	}
	other.crc = m->crc;
	return 0;
}

/* From the lowest byte on: right where nothing overlaps, and to lower addresses. What a host
 * makes otherwise by a COPY does not have its CRC. */
static void move(uint32_t to, const uint8_t *from, uint32_t len)
{
	for (uint8_t *t = memory(to); len; len--) {
		if (len % STEP_BYTES == 0)
			watchdog_feed();
		*t++ = *from++;
	}
}

uint32_t store_crc(uint32_t at, uint32_t len)
{
	uint32_t crc = 0;

	for (uint32_t n; len; at += n, len -= n) {
		n = len < STEP_BYTES ? len : STEP_BYTES;
		watchdog_feed();
		crc = crc32_update(crc, memory(at), n);
	}
	return crc;
}

int store_append(void *self, const uint8_t *data, uint32_t len)
{
	(void)self;
	move(other.at + other.is.have, data, len);
	return 0;
}

int store_copy(void *self, const struct wire_put *m)
{
	uint32_t from = m->from, end = BOARD_WINDOW_BYTES;

	if (m->held) {
		if (!image.is.complete || wire_hash_start(image.hash) != m->held)
			return WIRE_E_NOT_FOUND;
		end = image.is.size;
	} else {
		from -= BOARD_WINDOW_BASE;
	}
	if (from > end || m->len > end - from)
		return WIRE_E_NOT_FOUND;
	return store_append(self, memory(BOARD_WINDOW_BASE + from), m->len);
}

/* Still what it was. */
static int is_sound(struct slot *s)
{
	if (store_crc(s->at, s->is.size) == s->crc)
		return 1;
	memset(s, 0, sizeof(*s));
	return 0;
}

int store_verify(void *self)
{
	(void)self;
	if (!is_sound(&other))
		return WIRE_E_HASH;
	other.is.complete = 1;
	if (is_payload(&other)) {
		move(BOARD_WINDOW_BASE, memory(other.at), other.is.size);
		memcpy(&image, &other, sizeof(image)); /* smaller than '=' */
		image.at = BOARD_WINDOW_BASE;
		image_memory_end = head_of(&image)->memory_end;
	}
	return 0;
}

static int holds(struct slot *s, const uint8_t hash[SHA256_BYTES])
{
	return s->is.complete && has(s, hash) && is_sound(s);
}

int store_prepare(
	const uint8_t hash[SHA256_BYTES], const uint8_t *input, struct store_layout *out)
{
	const struct payload_head *h = head_of(&image);

	if (!holds(&image, hash) || (input && !holds(&other, input)))
		return WIRE_E_NOT_FOUND;
	out->entry = h->entry;
	out->guard = (WINDOW_END - h->stack_bytes - STORE_GUARD_BYTES) &
		     ~(STORE_GUARD_BYTES - 1);
	if (!input) /* the output goes there */
		memset(&other, 0, sizeof(other));
	out->input = other.at;
	out->input_len = other.is.size;
	out->output = input ? (other.at + other.is.size + 7) & ~7u : free_from();
	if (out->output >= out->guard)
		return WIRE_E_NO_SPACE;
	out->output_cap = out->guard - out->output;
	return 0;
}
