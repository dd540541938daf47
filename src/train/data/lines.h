/* A text file, read whole, checked, and handed out line by line.
 *
 * Opening refuses NUL bytes and malformed UTF-8 with the file and line of the first one,
 * and files above DATA_MAX_FILE. A byte order mark and the '\r' of "\r\n" are dropped.
 */
#ifndef HAWSER_TRAIN_DATA_LINES_H
#define HAWSER_TRAIN_DATA_LINES_H

#include <stddef.h>

#include "src/base/buf.h"
#include "src/base/err.h"

#define DATA_MAX_FILE ((size_t)512 << 20)
#define DATA_PATH_MAX 1024

struct lines {
	char path[DATA_PATH_MAX]; /* what errors call it */
	struct buf text;
	size_t at;
	size_t number; /* of the line handed out last, from 1 */
};

/* On failure nothing is held. */
enum err lines_open(struct lines *l, const char *path, struct err_ctx *ctx);
void lines_close(struct lines *l);
/* The next line, NUL-terminated, in place; NULL at the end. */
char *lines_next(struct lines *l);

/* Rewrites the buffer as if every byte was Latin-1. */
enum err latin1_to_utf8(struct buf *text, struct err_ctx *ctx);

#endif
