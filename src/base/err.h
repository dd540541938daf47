/* Error codes and the one place where an error's text is kept.
 *
 * Functions that can fail return `enum err`; 0 is success. Results go out by pointer
 * and are untouched on failure. The text is written once, into the caller's
 * `struct err_ctx`, where the fault is known: lower case, fault first, the subject in
 * 'quotes', a hint last. A NULL context is allowed everywhere and drops the text.
 */
#ifndef HAWSER_BASE_ERR_H
#define HAWSER_BASE_ERR_H

enum err {
	ERR_OK = 0,
	ERR_NOMEM = -1,	       /* out of memory */
	ERR_USAGE = -2,	       /* the user asked for something that is not offered */
	ERR_IO = -3,	       /* reading or writing failed */
	ERR_NOTFOUND = -4,     /* no such file, record or name */
	ERR_EXISTS = -5,       /* it is there already */
	ERR_PARSE = -6,	       /* malformed text or bytes */
	ERR_INVALID = -7,      /* well formed, but not allowed */
	ERR_CORRUPT = -8,      /* a file of ours is damaged, or not ours */
	ERR_BUSY = -9,	       /* somebody else holds it */
	ERR_FULL = -10,	       /* no space left */
	ERR_TOOL = -11,	       /* an external program is missing or failed */
	ERR_DEVICE = -12,      /* the device is unavailable */
	ERR_LINK = -13,	       /* the link to the device failed */
	ERR_TIMEOUT = -14,     /* it took too long */
	ERR_CANCELLED = -15,   /* the user or a stop rule ended it */
	ERR_UNSUPPORTED = -16, /* valid, but this build or device cannot do it */
	ERR_REFUSED = -17,     /* the device is unavailable, and waiting does not mend it */
	ERR_NO_FIT = -18       /* it is larger than the device's memories */
};

struct err_ctx {
	char msg[768];
};

/* Writes the text and returns `code`, so that callers can `return err_set(...)`. */
enum err err_set(struct err_ctx *ctx, enum err code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "text: " before what the context already says; returns `code`. */
enum err err_prefix(struct err_ctx *ctx, enum err code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A short stable word for a code ("notfound"), used in logs and in the store. */
const char *err_name(enum err code);

/* Exit code of the program: 0 ok, 1 failure, 2 usage or bad input, 3 device. */
int err_exit_code(enum err code);

#endif
