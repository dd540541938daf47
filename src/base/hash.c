#include "src/base/hash.h"

#include <string.h>

void hash_init(struct hash_state *st)
{
	crypto_hash_sha256_init(&st->s);
}

void hash_update(struct hash_state *st, const void *data, size_t len)
{
	if (len)
		crypto_hash_sha256_update(&st->s, data, len);
}

void hash_field(struct hash_state *st, const void *data, size_t len)
{
	uint8_t n[8];

	for (int i = 0; i < 8; i++)
		n[i] = (uint8_t)((uint64_t)len >> (8 * i));
	hash_update(st, n, sizeof(n));
	hash_update(st, data, len);
}

void hash_field_str(struct hash_state *st, const char *s)
{
	hash_field(st, s, strlen(s));
}

void hash_final(struct hash_state *st, struct hash *out)
{
	crypto_hash_sha256_final(&st->s, out->b);
}

void hash_bytes(struct hash *out, const void *data, size_t len)
{
	struct hash_state st;

	hash_init(&st);
	hash_update(&st, data, len);
	hash_final(&st, out);
}

void hash_to_hex(const struct hash *h, char out[HASH_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < HASH_BYTES; i++) {
		out[2 * i] = digits[h->b[i] >> 4];
		out[2 * i + 1] = digits[h->b[i] & 15];
	}
	out[HASH_HEX] = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int hash_from_hex(struct hash *out, const char *hex)
{
	struct hash h;

	if (strlen(hex) != HASH_HEX)
		return 0;
	for (int i = 0; i < HASH_BYTES; i++) {
		int hi = nibble(hex[2 * i]), lo = nibble(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return 0;
		h.b[i] = (uint8_t)(hi * 16 + lo);
	}
	*out = h;
	return 1;
}

int hash_equal(const struct hash *a, const struct hash *b)
{
	return memcmp(a->b, b->b, HASH_BYTES) == 0;
}

uint64_t hash_u64(const struct hash *h)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | h->b[i];
	return v;
}
