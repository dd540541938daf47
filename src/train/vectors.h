/* Files of weights: a header line and some vectors of numbers, with a checksum.
 *
 *   "HWSRVEC1" | u32 header bytes | header text | u32 bytes a number (4, 8) | u32 vectors |
 *   u64 numbers a vector | the numbers | SHA-256 of everything before
 *
 * Little endian, IEEE 754. Written atomically.
 */
#ifndef HAWSER_TRAIN_VECTORS_H
#define HAWSER_TRAIN_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/err.h"

struct vectors {
	uint32_t size;	   /* bytes a number: 4 float, 8 double */
	uint32_t n_vectors;
	uint64_t n;
};

enum err vectors_save(const char *path, const char *header, const struct vectors *shape,
	const void *const *v, struct err_ctx *ctx);
/* An open file, all of it checked; release it with buf_release(&f->bytes). */
struct vectors_file {
	struct buf bytes;
	struct vectors shape;
	const char *header; /* not NUL-terminated */
	size_t header_len;
	const uint8_t *numbers;
};
/* ERR_CORRUPT when the file is damaged or not ours, ERR_NOTFOUND when there is none. */
enum err vectors_open(struct vectors_file *f, const char *path, struct err_ctx *ctx);
/* Copies vector i (shape.n numbers of shape.size bytes). */
void vectors_get(const struct vectors_file *f, uint32_t i, void *out);

#endif
