/* weights.bin: the tensors of a layout as the kernels of src/infer/kernels.h read them.
 *
 * Tensors follow each other in the layout's order; a quantised one is its integers, then
 * its bf16 scales. Small tensors start on 4 bytes, from PACK_LARGE bytes and in panels
 * (src/codegen/kernel_sets.h) on 64. What is fp32 elsewhere is fixed in a program without
 * floating point (src/infer/integer/integer.h).
 * Written tensor by tensor, so that one tensor's floats are all that is in memory.
 */
#ifndef HAWSER_CODEGEN_PACK_H
#define HAWSER_CODEGEN_PACK_H

#include <stdint.h>
#include <stdio.h>

#include "src/base/err.h"
#include "src/base/hash.h"
#include "src/codegen/program.h"
#include "src/model/reference.h"

#define PACK_LARGE 4096

struct packed_tensor {
	uint64_t data, scales; /* byte offsets; scales 0 for fp32 */
};

/* Where everything lies; `at` has an entry a tensor. Returns the size of weights.bin. */
uint64_t pack_layout(const struct program *p, struct packed_tensor *at);
/* Writes the file, and hashes it as it goes when `hash` is wanted. ERR_INVALID names a tensor with a NaN or an
 * infinity; ERR_FULL when the disk is full. A failed call may leave a partial file. */
enum err pack_write(const struct program *p, const struct tensor_source *source,
	const char *path, struct hash *hash, struct err_ctx *ctx);
/* The same to an open stream, of which messages say `path`; it is not closed. */
enum err pack_stream(const struct program *p, const struct tensor_source *source,
	FILE *file, const char *path, struct hash *hash, struct err_ctx *ctx);

#endif
