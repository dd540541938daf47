/* Whole files and folders. Paths are UTF-8, '/'-separated. Errors name the path. */
#ifndef HAWSER_BASE_FILE_H
#define HAWSER_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/err.h"

/* Appends the file's bytes to `out` (initialised by the caller). Fails with ERR_INVALID
 * when the file is larger than `limit` bytes (0: no limit). */
enum err file_read(const char *path, size_t limit, struct buf *out, struct err_ctx *ctx);
/* Temporary name in the same folder, write, fsync, rename: the path never holds half a
 * file. ERR_FULL when the disk is full. `mode` as in chmod (0644, 0755). */
enum err file_write_atomic(
	const char *path, const void *data, size_t len, int mode, struct err_ctx *ctx);
int file_exists(const char *path);
int file_is_dir(const char *path);
/* mkdir -p */
enum err file_mkdirs(const char *path, struct err_ctx *ctx);
/* rm -r; a missing path is not an error. Does not follow links. */
enum err file_remove_tree(const char *path, struct err_ctx *ctx);
/* "dir/name" into a caller's buffer; ERR_INVALID when it does not fit. */
enum err file_join(
	char *out, size_t cap, const char *dir, const char *name, struct err_ctx *ctx);
/* Hawser's own folder (spaces, jobs, profiles, core sources): $HAWSER_HOME, or found
 * upwards from the executable. */
enum err file_home(char *out, size_t cap, struct err_ctx *ctx);

#endif
