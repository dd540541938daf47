#include "src/train/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/hash.h"
#include "src/train/fetch_transfer.h"

/* The version a part comes from; a part of another URL is not used. */
static void read_mark(struct transfer *t)
{
	struct buf text;
	size_t n = strlen(t->url);
	const char *mark;

	t->mark[0] = '\0';
	buf_init(&text);
	if (!file_read(t->from, 64 * 1024, &text, NULL)) {
		mark = buf_str(&text);
		if (!strncmp(mark, t->url, n) && mark[n] == '\n')
			snprintf(t->mark, sizeof(t->mark), "%.*s",
				(int)strcspn(mark + n + 1, "\n"), mark + n + 1);
		else
			t->have = 0; /* the part of another URL */
	} else {
		t->have = 0;
	}
	buf_release(&text);
}

static void remove_part(const struct transfer *t)
{
	unlink(t->part);
	unlink(t->from);
}

static enum err hash_file(const char *path, struct hash *out, struct err_ctx *ctx)
{
	static const size_t chunk = 1 << 16;
	FILE *f = fopen(path, "rb");
	char *data = malloc(chunk);
	struct hash_state st;
	size_t n;
	enum err e = ERR_OK;

	hash_init(&st);
	if (!data)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	else if (!f)
		e = err_set(ctx, ERR_IO, "cannot read '%s': %s", path, strerror(errno));
	while (!e && (n = fread(data, 1, chunk, f)) > 0)
		hash_update(&st, data, n);
	if (!e && ferror(f))
		e = err_set(ctx, ERR_IO, "cannot read '%s'", path);
	if (f)
		fclose(f);
	free(data);
	if (!e)
		hash_final(&st, out);
	return e;
}

static enum err check_hash(const struct transfer *t, struct err_ctx *ctx)
{
	struct hash want, got;
	char hex[HASH_HEX + 1];
	enum err e;

	if (!t->o->sha256)
		return ERR_OK;
	e = hash_file(t->part, &got, ctx);
	if (e)
		return e;
	hash_from_hex(&want, t->o->sha256);
	if (hash_equal(&want, &got))
		return ERR_OK;
	hash_to_hex(&got, hex);
	remove_part(t);
	return err_set(ctx, ERR_CORRUPT, "'%s' has the SHA-256 %s, expected %s", t->url,
		hex, t->o->sha256);
}

/* The file exists already: fine when it is the right one. */
static enum err check_present(const struct transfer *t, struct err_ctx *ctx)
{
	struct hash want, got;
	enum err e;

	if (!t->o->sha256)
		return err_set(ctx, ERR_EXISTS,
			"'%s' exists; remove it, or give its SHA-256 to have it checked",
			t->path);
	e = hash_file(t->path, &got, ctx);
	if (e)
		return e;
	hash_from_hex(&want, t->o->sha256);
	if (!hash_equal(&want, &got))
		return err_set(ctx, ERR_EXISTS,
			"'%s' exists with another SHA-256; remove it first", t->path);
	return ERR_OK;
}

static enum err open_part(struct transfer *t, struct err_ctx *ctx)
{
	off_t end;

	t->fd = open(t->part, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (t->fd < 0)
		return err_set(ctx, errno == ENOSPC ? ERR_FULL : ERR_IO,
			"cannot write '%s': %s", t->part, strerror(errno));
	if (flock(t->fd, LOCK_EX | LOCK_NB))
		return err_set(ctx, ERR_BUSY, "'%s' is being fetched by another process",
			t->path);
	end = lseek(t->fd, 0, SEEK_END);
	t->have = end > 0 ? (uint64_t)end : 0;
	if (t->have)
		read_mark(t);
	/* A part of unknown version is of use only when the whole is checked. */
	if ((!t->mark[0] && !t->o->sha256) || t->have > t->max_bytes ||
		!strncasecmp(t->url, "file:", 5))
		t->have = 0;
	if (!t->have && end > 0 && (ftruncate(t->fd, 0) || lseek(t->fd, 0, SEEK_SET) < 0))
		return err_set(
			ctx, ERR_IO, "cannot empty '%s': %s", t->part, strerror(errno));
	return ERR_OK;
}

static enum err finish(struct transfer *t, struct err_ctx *ctx)
{
	enum err e = check_hash(t, ctx);

	if (e)
		return e;
	if (fsync(t->fd) || rename(t->part, t->path))
		return err_set(ctx, errno == ENOSPC ? ERR_FULL : ERR_IO,
			"cannot write '%s': %s", t->path, strerror(errno));
	unlink(t->from);
	progress_end(t->o->progress, "%llu bytes%s", (unsigned long long)t->have,
		t->o->sha256 ? ", SHA-256 as expected" : "");
	return ERR_OK;
}

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static enum err run(struct transfer *t, struct err_ctx *ctx)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	enum err e;

	pthread_once(&once, init_curl);
	t->curl = curl_easy_init();
	if (!t->curl)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	e = open_part(t, ctx);
	if (!e)
		e = transfer_run(t, ctx);
	if (!e)
		e = finish(t, ctx);
	else if (t->started)
		progress_end(t->o->progress, "stopped");
	/* Nothing worth keeping, or nothing that may be kept. */
	if (t->fd >= 0 && e && e != ERR_BUSY && (!t->have || e == ERR_INVALID))
		remove_part(t);
	if (t->fd >= 0)
		close(t->fd);
	curl_easy_cleanup(t->curl);
	return e;
}

enum err fetch(const char *url, const char *path, const struct fetch_options *o,
	struct err_ctx *ctx)
{
	struct transfer t = {.url = url, .path = path, .o = o, .fd = -1};
	struct hash h;

	if (o->sha256 && !hash_from_hex(&h, o->sha256))
		return err_set(ctx, ERR_USAGE,
			"'%s' is no SHA-256 (64 hexadecimal digits)", o->sha256);
	if (strpbrk(url, "\r\n") || strlen(url) > 8192)
		return err_set(ctx, ERR_INVALID, "the URL has a line end or is too long");
	t.max_bytes = o->max_bytes ? o->max_bytes : FETCH_MAX_BYTES;
	if (file_is_dir(path))
		return err_set(
			ctx, ERR_EXISTS, "'%s' is a folder; name a file in it", path);
	if (file_exists(path))
		return check_present(&t, ctx);
	if (snprintf(t.part, sizeof(t.part), "%s.part", path) >= (int)sizeof(t.part) ||
		snprintf(t.from, sizeof(t.from), "%s.part.from", path) >=
			(int)sizeof(t.from))
		return err_set(ctx, ERR_INVALID, "path too long: '%.80s...'", path);
	return run(&t, ctx);
}
