/* Which kernels an ISA has of its own. The one table: a kernel that a set does not name
 * is taken from src/infer/ref. Adding a kernel is a file in src/infer/opt/<isa>/ and its
 * name here; tests/unit/test_codegen_build.c holds the table against the folders.
 */
#ifndef HAWSER_CODEGEN_KERNEL_SETS_H
#define HAWSER_CODEGEN_KERNEL_SETS_H

#include <stddef.h>

#include "src/base/err.h"

struct kernel_set {
	const char *isa;    /* folder below src/infer/opt; "" for the portable set */
	const char *cflags; /* that its files need, besides the target's own */
	const char *const *kernels; /* NULL-terminated */
};

/* ERR_INVALID lists the known sets. "" is the portable set. */
enum err kernel_set_find(
	const char *isa, const struct kernel_set **out, struct err_ctx *ctx);
const struct kernel_set *kernel_set_at(size_t i); /* NULL past the end */
int kernel_set_has(const struct kernel_set *set, const char *kernel);
/* "src/infer/opt/x86-avx2/linear_i8.c" or "src/infer/ref/norm_ln.c". */
enum err kernel_source(const struct kernel_set *set, const char *kernel, char *out,
	size_t cap, struct err_ctx *ctx);

#endif
