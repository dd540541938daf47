/* What an image has in common with the one that a device holds: the parts that need not be sent
 * again. Two candidates share the core's code and most weights, at other places.
 *
 * Source: the rsync algorithm (Tridgell 1999), with both contents at hand: blocks of the old one
 * are found by their hash and grown to the longest match.
 */
#ifndef HAWSER_DEVICES_DELTA_H
#define HAWSER_DEVICES_DELTA_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/err.h"

/* Shorter matches cost more frames than they save. */
#define DELTA_MIN_BYTES 128
/* Longer contents are not searched: delta_plan finds nothing. */
#define DELTA_MAX_BYTES (16u << 20)

/* `len` bytes at `at` in the new content lie at `from` in the old one. */
struct delta_copy {
	uint32_t at, from, len;
};

struct delta {
	struct delta_copy *copies; /* in order, without overlaps */
	size_t n;
};

/* *d is the caller's to release; empty on failure (ERR_NOMEM). */
enum err delta_plan(struct delta *d, const uint8_t *old, size_t old_len,
	const uint8_t *data, size_t len, struct err_ctx *ctx);
void delta_release(struct delta *d);

#endif
