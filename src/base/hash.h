/* SHA-256, from libsodium. A hash is a thing's identity everywhere in Hawser. */
#ifndef HAWSER_BASE_HASH_H
#define HAWSER_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#define HASH_BYTES 32
#define HASH_HEX 64   /* characters, without the NUL */
#define HASH_SHORT 12 /* characters shown to people */

struct hash {
	uint8_t b[HASH_BYTES];
};

struct hash_state {
	crypto_hash_sha256_state s;
};

void hash_init(struct hash_state *st);
void hash_update(struct hash_state *st, const void *data, size_t len);
/* Length first, then the bytes: two fields never run into each other. */
void hash_field(struct hash_state *st, const void *data, size_t len);
void hash_field_str(struct hash_state *st, const char *s);
void hash_final(struct hash_state *st, struct hash *out);

void hash_bytes(struct hash *out, const void *data, size_t len);
void hash_to_hex(const struct hash *h, char out[HASH_HEX + 1]);
/* 0 when `hex` is not 64 hexadecimal digits. */
int hash_from_hex(struct hash *out, const char *hex);
int hash_equal(const struct hash *a, const struct hash *b);
/* The first eight bytes as a number: a seed or a bucket, not an identity. */
uint64_t hash_u64(const struct hash *h);

#endif
