/* The build cache on disk.
 *
 *   <cache>/objects/<hash>.o     core and harness objects, by source, compiler and flags
 *   <cache>/builds/<hash>/       image, build.txt, card.txt and the generated C
 *   <cache>/tmp/                 work in progress; what a killed build left is swept
 *
 * Everything is made in tmp and renamed into place, so any number of threads and
 * processes may share a cache, and a build that dies leaves nothing half-written. An
 * entry is believed only when its image has the recorded size and hash; a damaged one is
 * made anew.
 */
#ifndef HAWSER_CODEGEN_CACHE_H
#define HAWSER_CODEGEN_CACHE_H

#include <stddef.h>

#include "src/base/err.h"
#include "src/base/hash.h"
#include "src/model/artefact.h"

#define CACHE_PATH_MAX 4096

/* Makes the folders and an empty one below tmp. */
enum err cache_work_dir(const char *cache, char *out, size_t cap, struct err_ctx *ctx);
enum err cache_object_path(const char *cache, const struct hash *key, char *out,
	size_t cap, struct err_ctx *ctx);
/* ERR_NOTFOUND when there is no sound entry. */
enum err cache_find(const char *cache, const struct hash *build, struct artefact *out,
	struct err_ctx *ctx);
/* Hashes `work`/image, writes build.txt and renames `work` into place; when another
 * process was faster its entry is taken. Completes `a` (path, image, image_bytes). */
enum err cache_publish(
	const char *cache, const char *work, struct artefact *a, struct err_ctx *ctx);

#endif
