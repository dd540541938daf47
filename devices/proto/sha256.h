/* SHA-256 (FIPS 180-4), small and freestanding, for agents: the host has libsodium's. */
#ifndef HAWSER_DEVICES_PROTO_SHA256_H
#define HAWSER_DEVICES_PROTO_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32

struct sha256 {
	uint32_t h[8];
	uint64_t n_bytes;
	uint8_t block[64];
	int portable; /* 0: by the processor's own instructions */
};

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t len);
void sha256_final(struct sha256 *s, uint8_t out[SHA256_BYTES]);

#endif
