#include "devices/agent/ram_store.h"

#include <string.h>

void ram_store_init(struct ram_store *s, void *mem, size_t cap)
{
	memset(s, 0, sizeof(*s));
	s->mem = mem;
	s->cap = cap;
}

static struct ram_slot *find(struct ram_store *s, const uint8_t hash[SHA256_BYTES])
{
	for (size_t i = 0; i < s->n; i++)
		if (memcmp(s->slot[i].hash, hash, SHA256_BYTES) == 0)
			return &s->slot[i];
	return NULL;
}

static size_t used(const struct ram_store *s)
{
	return s->n ? s->slot[s->n - 1].at + s->slot[s->n - 1].is.size : 0;
}

/* Takes slot i out and closes the gap, in the table and in memory. */
static void drop(struct ram_store *s, size_t i)
{
	size_t size = s->slot[i].is.size, at = s->slot[i].at, end = used(s);

	memmove(s->mem + at, s->mem + at + size, end - at - size);
	memmove(&s->slot[i], &s->slot[i + 1], (s->n - i - 1) * sizeof(s->slot[0]));
	s->n--;
	for (; i < s->n; i++)
		s->slot[i].at -= size;
	s->open = NULL;
}

int ram_store_open(
	struct ram_store *s, const struct wire_offer *m, struct agent_stored **out)
{
	struct ram_slot *slot = find(s, m->hash);

	if (m->size > s->cap)
		return WIRE_E_TOO_LARGE;
	if (slot && slot->is.size != m->size) {
		drop(s, (size_t)(slot - s->slot));
		slot = NULL;
	}
	if (!slot) {
		while (s->n == RAM_STORE_SLOTS || s->cap - used(s) < m->size)
			drop(s, 0);
		slot = &s->slot[s->n];
		memset(slot, 0, sizeof(*slot));
		memcpy(slot->hash, m->hash, SHA256_BYTES);
		slot->at = used(s);
		slot->is.size = m->size;
		s->n++;
	}
	s->open = slot;
	*out = &slot->is;
	return 0;
}

int ram_store_append(struct ram_store *s, const uint8_t *data, uint32_t len)
{
	struct ram_slot *slot = s->open;

	if (!slot || len > slot->is.size - slot->is.have)
		return WIRE_E_IO;
	memcpy(s->mem + slot->at + slot->is.have, data, len);
	return 0;
}

int ram_store_copy(struct ram_store *s, const struct wire_put *m)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct ram_slot *from = &s->slot[i];

		if (from->is.complete && wire_hash_start(from->hash) == m->held &&
			m->from <= from->is.size && m->len <= from->is.size - m->from)
			return ram_store_append(s, s->mem + from->at + m->from, m->len);
	}
	return WIRE_E_NOT_FOUND;
}

int ram_store_verify(struct ram_store *s)
{
	struct ram_slot *slot = s->open;
	uint8_t hash[SHA256_BYTES];
	struct sha256 st;

	if (!slot || slot->is.have != slot->is.size)
		return WIRE_E_NOT_FOUND;
	sha256_init(&st);
	sha256_update(&st, s->mem + slot->at, slot->is.size);
	sha256_final(&st, hash);
	if (memcmp(hash, slot->hash, SHA256_BYTES) != 0) {
		drop(s, (size_t)(slot - s->slot));
		return WIRE_E_HASH;
	}
	slot->is.complete = 1;
	return 0;
}

const uint8_t *ram_store_find(
	const struct ram_store *s, const uint8_t hash[SHA256_BYTES], size_t *size)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!s->slot[i].is.complete ||
			memcmp(s->slot[i].hash, hash, SHA256_BYTES) != 0)
			continue;
		*size = s->slot[i].is.size;
		return s->mem + s->slot[i].at;
	}
	return NULL;
}
