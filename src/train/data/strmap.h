/* A set of byte strings that gives each a number: 0, 1, 2 ... in the order they came.
 *
 * Keys are copied and owned by the map. Used for label names, words, duplicates. Not a
 * general dictionary: nothing is ever removed.
 */
#ifndef HAWSER_TRAIN_DATA_STRMAP_H
#define HAWSER_TRAIN_DATA_STRMAP_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/err.h"

#define STRMAP_NONE UINT32_MAX

struct strmap {
	char **keys;	/* [n] NUL-terminated copies */
	uint32_t *lens; /* [n] without the NUL */
	uint32_t n, cap;
	uint32_t *slots; /* [n_slots] index + 1, 0: free */
	uint32_t n_slots;
};

void strmap_init(struct strmap *m);
void strmap_release(struct strmap *m);
/* The number of a key, added when new. */
enum err strmap_put(struct strmap *m, const char *key, size_t len, uint32_t *index,
	struct err_ctx *ctx);
/* STRMAP_NONE when absent. */
uint32_t strmap_find(const struct strmap *m, const char *key, size_t len);

#endif
