/* Downloads one file by http, https or file URL, so that it is there whole or not at all.
 *
 * Bytes go to "<path>.part"; beside it "<path>.part.from" holds the URL and the server's
 * version mark (ETag or Last-Modified). A later call goes on where the last one ended:
 * with If-Range when the version is known, without when a SHA-256 will check the whole;
 * otherwise, or when the server answers with the whole file or another version, it starts
 * over. At the end size and SHA-256 are checked and the file takes its name by rename.
 *
 * Errors: ERR_NOTFOUND (404, 410, no such file), ERR_INVALID (larger than allowed, or a
 * URL of another kind), ERR_CORRUPT (wrong SHA-256; the part is removed), ERR_FULL,
 * ERR_BUSY (another process fetches it), ERR_EXISTS (the file is there and is not known
 * to be the same), ERR_TIMEOUT, ERR_CANCELLED, ERR_IO (interrupted; the part is kept).
 */
#ifndef HAWSER_TRAIN_FETCH_H
#define HAWSER_TRAIN_FETCH_H

#include <stdint.h>

#include "src/base/err.h"
#include "src/base/progress.h"

#define FETCH_MAX_BYTES ((uint64_t)2 << 30) /* when no limit is given */

struct fetch_options {
	const char *sha256;	    /* 64 hexadecimal digits; NULL: not checked */
	uint64_t max_bytes;	    /* 0: FETCH_MAX_BYTES */
	struct progress *progress;  /* NULL: silent */
	volatile const int *cancel; /* non-zero ends with ERR_CANCELLED; NULL: never */
};

/* A file that is there with the right SHA-256 is left alone: success without a transfer.
 */
enum err fetch(const char *url, const char *path, const struct fetch_options *o,
	struct err_ctx *ctx);

#endif
