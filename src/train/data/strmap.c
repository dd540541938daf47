#include "src/train/data/strmap.h"

#include <stdlib.h>
#include <string.h>

void strmap_init(struct strmap *m)
{
	memset(m, 0, sizeof(*m));
}

void strmap_release(struct strmap *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		free(m->keys[i]);
	free(m->keys);
	free(m->lens);
	free(m->slots);
	strmap_init(m);
}

/* FNV-1a, mixed once more since slots are taken by the low bits. */
static uint32_t hash_of(const char *key, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)key[i]) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 32);
}

/* The slot of a key, or the free one where it belongs. */
static uint32_t slot_of(const struct strmap *m, const char *key, size_t len)
{
	uint32_t mask = m->n_slots - 1, s = hash_of(key, len) & mask;

	while (m->slots[s]) {
		uint32_t i = m->slots[s] - 1;

		if (m->lens[i] == len && !memcmp(m->keys[i], key, len))
			break;
		s = (s + 1) & mask;
	}
	return s;
}

static int grow_slots(struct strmap *m)
{
	uint32_t n_slots = m->n_slots ? 2 * m->n_slots : 64;
	uint32_t *slots = calloc(n_slots, sizeof(*slots));

	if (!slots)
		return 0;
	free(m->slots);
	m->slots = slots;
	m->n_slots = n_slots;
	for (uint32_t i = 0; i < m->n; i++)
		m->slots[slot_of(m, m->keys[i], m->lens[i])] = i + 1;
	return 1;
}

static int grow_keys(struct strmap *m)
{
	uint32_t cap = m->cap ? 2 * m->cap : 32;
	char **keys = realloc(m->keys, cap * sizeof(*keys));
	uint32_t *lens;

	if (!keys)
		return 0;
	m->keys = keys;
	lens = realloc(m->lens, cap * sizeof(*lens));
	if (!lens)
		return 0;
	m->lens = lens;
	m->cap = cap;
	return 1;
}

enum err strmap_put(struct strmap *m, const char *key, size_t len, uint32_t *index,
	struct err_ctx *ctx)
{
	uint32_t s;
	char *copy;

	if (len > UINT32_MAX / 2 || m->n > UINT32_MAX / 8)
		return err_set(ctx, ERR_INVALID, "too many different strings");
	if (2 * (m->n + 1) > m->n_slots && !grow_slots(m))
		return err_set(ctx, ERR_NOMEM, "out of memory");
	s = slot_of(m, key, len);
	if (m->slots[s]) {
		*index = m->slots[s] - 1;
		return ERR_OK;
	}
	if (m->n == m->cap && !grow_keys(m))
		return err_set(ctx, ERR_NOMEM, "out of memory");
	copy = malloc(len + 1);
	if (!copy)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	memcpy(copy, key, len);
	copy[len] = '\0';
	m->keys[m->n] = copy;
	m->lens[m->n] = (uint32_t)len;
	m->slots[s] = ++m->n;
	*index = m->n - 1;
	return ERR_OK;
}

uint32_t strmap_find(const struct strmap *m, const char *key, size_t len)
{
	uint32_t s;

	if (!m->n)
		return STRMAP_NONE;
	s = slot_of(m, key, len);
	return m->slots[s] ? m->slots[s] - 1 : STRMAP_NONE;
}
