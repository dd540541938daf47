#include "src/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	enum err code;
	const char *name;
	int exit_code;
} codes[] = {
	{ERR_OK, "ok", 0},
	{ERR_NOMEM, "nomem", 1},
	{ERR_USAGE, "usage", 2},
	{ERR_IO, "io", 1},
	{ERR_NOTFOUND, "notfound", 2},
	{ERR_EXISTS, "exists", 1},
	{ERR_PARSE, "parse", 2},
	{ERR_INVALID, "invalid", 2},
	{ERR_CORRUPT, "corrupt", 1},
	{ERR_BUSY, "busy", 1},
	{ERR_FULL, "full", 1},
	{ERR_TOOL, "tool", 1},
	{ERR_DEVICE, "device", 3},
	{ERR_LINK, "link", 3},
	{ERR_TIMEOUT, "timeout", 1},
	{ERR_CANCELLED, "cancelled", 1},
	{ERR_UNSUPPORTED, "unsupported", 2},
	{ERR_REFUSED, "refused", 3},
	{ERR_NO_FIT, "no-fit", 2},
};

enum err err_set(struct err_ctx *ctx, enum err code, const char *fmt, ...)
{
	va_list ap;

	if (!ctx)
		return code;
	va_start(ap, fmt);
	vsnprintf(ctx->msg, sizeof(ctx->msg), fmt, ap);
	va_end(ap);
	return code;
}

enum err err_prefix(struct err_ctx *ctx, enum err code, const char *fmt, ...)
{
	struct err_ctx old;
	va_list ap;
	size_t len;

	if (!ctx)
		return code;
	old = *ctx;
	va_start(ap, fmt);
	vsnprintf(ctx->msg, sizeof(ctx->msg), fmt, ap);
	va_end(ap);
	len = strlen(ctx->msg);
	snprintf(ctx->msg + len, sizeof(ctx->msg) - len, ": %s", old.msg);
	return code;
}

const char *err_name(enum err code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return codes[i].name;
	return "unknown";
}

int err_exit_code(enum err code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return codes[i].exit_code;
	return 1;
}
