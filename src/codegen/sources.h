/* The sources that every build of a kind shares: kernels, tokeniser, harness. Each is
 * compiled once for a compiler and its flags, and kept in the cache.
 */
#ifndef HAWSER_CODEGEN_SOURCES_H
#define HAWSER_CODEGEN_SOURCES_H

#include "src/codegen/cache.h"
#include "src/codegen/codegen.h"
#include "src/codegen/kernel_sets.h"
#include "src/codegen/program.h"

#define SOURCES_MAX 96

enum source_part { PART_CORE, PART_HARNESS };

struct source {
	char path[CACHE_PATH_MAX]; /* from home, or absolute */
	uint8_t part;		   /* enum source_part */
	char flags[1024];
	struct hash key;
	char object[CACHE_PATH_MAX];
};

struct sources {
	char home[CACHE_PATH_MAX];
	char compiler[256]; /* first line of its --version */
	const struct kernel_set *set;
	size_t n;
	struct source s[SOURCES_MAX];
};

/* Finds and hashes everything that `p` needs on `target`. Large: keep it on the heap. */
enum err sources_collect(struct sources *all, const struct codegen_input *in,
	const struct program *p, const struct target *target, struct err_ctx *ctx);
/* The same for the program that tunes a set's products (target->harness is not read). */
enum err sources_collect_tuner(struct sources *all, const struct target *target,
	enum opt_level opt, struct err_ctx *ctx);
/* Makes the objects that the cache does not have; fills `object`. `work` is scratch. */
enum err sources_compile(struct sources *all, const struct target *target,
	const char *cache, const char *work, struct err_ctx *ctx);

#endif
