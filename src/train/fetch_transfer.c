#include "src/train/fetch_transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "src/base/file.h"

#define CONNECT_TIMEOUT_S 30L
#define STALL_S 60L /* without a byte */

/* The note beside a part: URL and version mark, a line each. */
static enum err write_mark(struct transfer *t, struct err_ctx *ctx)
{
	/* A weak ETag does not promise the same bytes (RFC 9110, 13.1.5). */
	const char *mark =
		t->etag[0] && strncmp(t->etag, "W/", 2) ? t->etag : t->modified;
	struct buf text;
	enum err e;

	buf_init(&text);
	buf_printf(&text, "%s\n%s\n", t->url, mark);
	e = buf_err(&text, ctx);
	if (!e)
		e = file_write_atomic(t->from, buf_str(&text), text.len, 0644, ctx);
	buf_release(&text);
	return e;
}

/* ---- what curl calls */

static void keep_value(const char *line, size_t len, size_t name, char *out)
{
	size_t n;

	while (name < len && (line[name] == ' ' || line[name] == '\t'))
		name++;
	n = len - name;
	while (n && (line[name + n - 1] == '\r' || line[name + n - 1] == '\n'))
		n--;
	if (n < MARK_BYTES) {
		memcpy(out, line + name, n);
		out[n] = '\0';
	}
}

static size_t on_header(char *line, size_t size, size_t n, void *user)
{
	struct transfer *t = user;
	size_t len = size * n;
	char range[MARK_BYTES] = "";

	if (len > 5 && !strncasecmp(line, "HTTP/", 5)) {
		/* A new answer, after a redirect say. */
		t->etag[0] = t->modified[0] = '\0';
		t->has_range = 0;
	} else if (len > 5 && !strncasecmp(line, "etag:", 5)) {
		keep_value(line, len, 5, t->etag);
	} else if (len > 14 && !strncasecmp(line, "last-modified:", 14)) {
		keep_value(line, len, 14, t->modified);
	} else if (len > 14 && !strncasecmp(line, "content-range:", 14)) {
		keep_value(line, len, 14, range);
		if (!strncasecmp(range, "bytes ", 6)) {
			t->range_from = strtoull(range + 6, NULL, 10);
			t->has_range = 1;
		}
	}
	return len;
}

/* Before the first byte: is this the rest of the file, or the whole of it? */
static enum err begin_body(struct transfer *t, struct err_ctx *ctx)
{
	curl_off_t length = -1;
	long status = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (status == 206 && (!t->offset || !t->has_range || t->range_from != t->offset))
		return err_set(ctx, ERR_IO,
			"'%s': the server sent another range than asked for", t->url);
	if (status != 206 && t->have) {
		progress_say(t->o->progress, "the server sends the whole file again");
		if (ftruncate(t->fd, 0) || lseek(t->fd, 0, SEEK_SET) < 0)
			return err_set(ctx, ERR_IO, "cannot empty '%s': %s", t->part,
				strerror(errno));
		t->have = 0;
	}
	if (length > 0 && (uint64_t)length + t->have > t->max_bytes)
		return err_set(ctx, ERR_INVALID, "'%s' has %llu bytes, %llu are allowed",
			t->url, (unsigned long long)((uint64_t)length + t->have),
			(unsigned long long)t->max_bytes);
	progress_begin(
		t->o->progress, "fetch", length > 0 ? (uint64_t)length + t->have : 0);
	t->started = 1;
	return status == 206 ? ERR_OK : write_mark(t, ctx);
}

struct callback {
	struct transfer *t;
	struct err_ctx *ctx;
};

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct callback *cb = user;
	struct transfer *t = cb->t;
	size_t len = size * n, done = 0;

	if (!t->started)
		t->err = begin_body(t, cb->ctx);
	if (!t->err && t->have + len > t->max_bytes)
		t->err = err_set(cb->ctx, ERR_INVALID,
			"'%s' has more than the %llu bytes that are allowed", t->url,
			(unsigned long long)t->max_bytes);
	while (!t->err && done < len) {
		ssize_t w = write(t->fd, data + done, len - done);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0) {
			t->write_errno = errno;
			t->err = err_set(cb->ctx,
				errno == ENOSPC || errno == EDQUOT || errno == EFBIG
					? ERR_FULL
					: ERR_IO,
				"cannot write '%s': %s", t->part, strerror(errno));
			break;
		}
		done += (size_t)w;
		t->have += (uint64_t)w;
	}
	if (t->err)
		return 0;
	progress_update(t->o->progress, t->have, "%.1f MB", (double)t->have / 1e6);
	return len;
}

static int on_tick(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct transfer *t = user;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return t->o->cancel && *t->o->cancel;
}

/* ---- one request */

static void set_protocols(CURL *curl)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS,
		CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE);
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

static void set_options(struct transfer *t, struct callback *cb)
{
	CURL *c = t->curl;

	set_protocols(c);
	curl_easy_setopt(c, CURLOPT_URL, t->url);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "hawser");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, STALL_S);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->curl_text);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, cb);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_tick);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
}

static enum err explain(struct transfer *t, CURLcode code, struct err_ctx *ctx)
{
	const char *text = t->curl_text[0] ? t->curl_text : curl_easy_strerror(code);
	long status = 0;

	if (t->err)
		return t->err;
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	switch (code) {
	case CURLE_HTTP_RETURNED_ERROR:
		return err_set(ctx,
			status == 404 || status == 410 ? ERR_NOTFOUND : ERR_IO,
			"'%s': the server answered %ld", t->url, status);
	case CURLE_FILE_COULDNT_READ_FILE:
		return err_set(ctx, ERR_NOTFOUND, "cannot read '%s'", t->url);
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
		return err_set(ctx, ERR_INVALID,
			"'%s' is not a URL that can be fetched; http, https and file are",
			t->url);
	case CURLE_ABORTED_BY_CALLBACK:
		return err_set(ctx, ERR_CANCELLED,
			"cancelled after %llu bytes; run it again to go on",
			(unsigned long long)t->have);
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(ctx, ERR_TIMEOUT, "'%s': %s", t->url, text);
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		return err_set(ctx, ERR_IO, "'%s': %s", t->url, text);
	default:
		return err_set(ctx, ERR_IO,
			"'%s': interrupted after %llu bytes (%s); run it again to go on",
			t->url, (unsigned long long)t->have, text);
	}
}

/* *again is set when the server refuses the range: the part is not a beginning of it. */
static enum err request(struct transfer *t, int *again, struct err_ctx *ctx)
{
	struct callback cb = {t, ctx};
	struct curl_slist *headers = NULL;
	char range[32], condition[MARK_BYTES + 16];
	CURLcode code;
	long status = 0;
	enum err e = ERR_OK;

	*again = 0;
	t->offset = t->have;
	curl_easy_reset(t->curl);
	set_options(t, &cb);
	if (t->offset) {
		snprintf(range, sizeof(range), "%llu-", (unsigned long long)t->offset);
		curl_easy_setopt(t->curl, CURLOPT_RANGE, range);
		if (t->mark[0]) {
			snprintf(condition, sizeof(condition), "If-Range: %s", t->mark);
			headers = curl_slist_append(NULL, condition);
			curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, headers);
		}
	}
	code = curl_easy_perform(t->curl);
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_HTTP_RETURNED_ERROR && status == 416 && t->offset)
		*again = 1;
	else if (code != CURLE_OK || t->err)
		e = explain(t, code, ctx);
	else if (!t->started)
		e = begin_body(t, ctx); /* an empty file */
	curl_slist_free_all(headers);
	return e;
}

enum err transfer_run(struct transfer *t, struct err_ctx *ctx)
{
	int again;
	enum err e = request(t, &again, ctx);

	if (e || !again)
		return e;
	progress_say(t->o->progress, "the server refuses to resume; starting over");
	if (ftruncate(t->fd, 0) || lseek(t->fd, 0, SEEK_SET) < 0)
		return err_set(
			ctx, ERR_IO, "cannot empty '%s': %s", t->part, strerror(errno));
	t->have = 0;
	e = request(t, &again, ctx);
	return again ? err_set(ctx, ERR_IO, "'%s': the server answered 416", t->url) : e;
}
