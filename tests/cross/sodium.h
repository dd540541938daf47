/* Stands in for libsodium's header where a unit test is compiled for a machine without it:
 * what src/base/hash.h declares with; nothing of it is called.
 */
#ifndef HAWSER_TESTS_CROSS_SODIUM_H
#define HAWSER_TESTS_CROSS_SODIUM_H

typedef struct {
	int unused;
} crypto_hash_sha256_state;

#endif
