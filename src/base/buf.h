/* A growable byte buffer that is always NUL-terminated.
 *
 * Failure to allocate is sticky: later appends do nothing and `buf_err` tells, so a
 * writer checks once at the end. The caller owns the struct; `data` is ours.
 */
#ifndef HAWSER_BASE_BUF_H
#define HAWSER_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/err.h"

struct buf {
	char *data; /* NULL until the first append */
	size_t len;
	size_t cap;
	int failed;
};

void buf_init(struct buf *b);
void buf_release(struct buf *b);
void buf_reset(struct buf *b); /* keeps the memory */
void buf_append(struct buf *b, const void *data, size_t len);
void buf_putc(struct buf *b, char c);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The text so far; never NULL. */
const char *buf_str(const struct buf *b);
enum err buf_err(const struct buf *b, struct err_ctx *ctx);

#endif
