/* Calls of the target's compiler: flags, compiling, linking. No cache here.
 *
 * Objects do not depend on where they are made: no paths, dates or build ids.
 */
#ifndef HAWSER_CODEGEN_TOOLCHAIN_H
#define HAWSER_CODEGEN_TOOLCHAIN_H

#include <stddef.h>

#include "src/base/buf.h"
#include "src/base/err.h"

#define TOOLCHAIN_TIMEOUT_S 600
#define ARGS_MAX 256

/* A command line; words are copied into `text`. */
struct args {
	const char *argv[ARGS_MAX + 1];
	size_t n;
	struct buf text; /* for words made here: kept as offsets until args_done */
	size_t offset[ARGS_MAX];
	int too_many;
};
void args_init(struct args *a);
void args_release(struct args *a);
void args_add(struct args *a, const char *word);
/* Splits at blanks; there are no quotes. */
void args_add_words(struct args *a, const char *words);
void args_printf(struct args *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The flags that every object is compiled with, as words in one string. */
extern const char toolchain_cflags[];

/* Runs a compiler; a failure's text is its first error line. */
enum err toolchain_run(struct args *a, const char *cwd, struct err_ctx *ctx);
/* The macros that the compiler defines under these flags: "#define __AVX2__ 1" lines. */
enum err toolchain_macros(
	const char *cc, const char *cflags, struct buf *out, struct err_ctx *ctx);

#endif
