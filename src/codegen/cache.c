#include "src/codegen/cache.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/file.h"
#include "src/codegen/flat.h"

#define STALE_S 7200 /* longer than any build: its owner is dead */

static enum err join(char *out, size_t cap, const char *dir, const char *sub,
	const char *name, struct err_ctx *ctx)
{
	int n = snprintf(out, cap, "%s/%s/%s", dir, sub, name);

	if (n < 0 || (size_t)n >= cap)
		return err_set(ctx, ERR_INVALID, "path '%s/%s' is too long", dir, sub);
	return ERR_OK;
}

static void sweep(const char *cache)
{
	char dir[CACHE_PATH_MAX], path[CACHE_PATH_MAX];
	struct dirent *d;
	DIR *list;

	if (file_join(dir, sizeof(dir), cache, "tmp", NULL) || !(list = opendir(dir)))
		return;
	while ((d = readdir(list))) {
		struct stat st;

		if (d->d_name[0] == '.' ||
			file_join(path, sizeof(path), dir, d->d_name, NULL) ||
			lstat(path, &st))
			continue;
		if (clock_unix_s() - (int64_t)st.st_mtime > STALE_S)
			file_remove_tree(path, NULL);
	}
	closedir(list);
}

enum err cache_work_dir(const char *cache, char *out, size_t cap, struct err_ctx *ctx)
{
	static const char *const folders[] = {"objects", "builds", "tmp"};
	char path[CACHE_PATH_MAX];
	enum err e;

	for (size_t i = 0; i < 3; i++) {
		if ((e = file_join(path, sizeof(path), cache, folders[i], ctx)) ||
			(e = file_mkdirs(path, ctx)))
			return err_prefix(ctx, e, "build cache");
	}
	sweep(cache);
	if ((e = join(path, sizeof(path), cache, "tmp", "XXXXXX", ctx)))
		return e;
	if (strlen(path) >= cap)
		return err_set(ctx, ERR_INVALID, "path '%s' is too long", path);
	if (!mkdtemp(path) || chmod(path, 0755))
		return err_set(ctx, errno == ENOSPC ? ERR_FULL : ERR_IO,
			"build cache: cannot make a folder in '%s/tmp': %s", cache,
			strerror(errno));
	memcpy(out, path, strlen(path) + 1);
	return ERR_OK;
}

enum err cache_object_path(const char *cache, const struct hash *key, char *out,
	size_t cap, struct err_ctx *ctx)
{
	char name[HASH_HEX + 3];

	hash_to_hex(key, name);
	memcpy(name + HASH_HEX, ".o", 3);
	return join(out, cap, cache, "objects", name, ctx);
}

static enum err hash_file(
	const char *path, struct hash *out, uint64_t *bytes, struct err_ctx *ctx)
{
	static const size_t chunk = 1u << 16;
	FILE *f = fopen(path, "rbe");
	uint8_t *data = malloc(chunk);
	struct hash_state st;
	enum err e = ERR_OK;
	size_t n;

	if (!f || !data) {
		e = err_set(ctx, !data ? ERR_NOMEM : ERR_NOTFOUND, "cannot read '%s': %s",
			path, strerror(errno));
	} else {
		hash_init(&st);
		*bytes = 0;
		while ((n = fread(data, 1, chunk, f)) > 0) {
			hash_update(&st, data, n);
			*bytes += n;
		}
		if (ferror(f))
			e = err_set(ctx, ERR_IO, "cannot read '%s'", path);
		hash_final(&st, out);
	}
	if (f)
		fclose(f);
	free(data);
	return e;
}

/* ---- build.txt: what an artefact says, a line a field */

struct field {
	const char *key;
	size_t at;
};
#define FIELD(name)                                                                      \
	{                                                                                \
#name, offsetof(struct artefact, name)                                   \
	}
static const struct field fields[] = {
	FIELD(image_bytes),
	FIELD(placed_bytes),
	FIELD(text_bytes),
	FIELD(weight_bytes),
	FIELD(vocab_bytes),
	FIELD(data_bytes),
	FIELD(bss_bytes),
	FIELD(stack_bytes),
	FIELD(arena_bytes),
	FIELD(state_bytes),
	FIELD(flash_bytes),
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static void write_record(const struct artefact *a, struct buf *out)
{
	char hex[HASH_HEX + 1];

	hash_to_hex(&a->image, hex);
	buf_printf(out, "image: %s\n", hex);
	for (size_t i = 0; i < N_FIELDS; i++) {
		uint64_t v;

		memcpy(&v, (const char *)a + fields[i].at, sizeof(v));
		buf_printf(out, "%s: %" PRIu64 "\n", fields[i].key, v);
	}
	buf_printf(out, "compiler: %s\n", a->compiler);
}

/* The text after "key: " at the cursor, up to the line's end; moves on. */
static int next_line(const char **at, const char *key, char *value, size_t cap)
{
	size_t k = strlen(key), n;

	if (strncmp(*at, key, k) || strncmp(*at + k, ": ", 2))
		return 0;
	*at += k + 2;
	n = strcspn(*at, "\n");
	if (n >= cap || (*at)[n] != '\n')
		return 0;
	memcpy(value, *at, n);
	value[n] = 0;
	*at += n + 1;
	return 1;
}

static int read_record(const char *text, struct artefact *a)
{
	char value[sizeof(a->compiler)], *end;

	if (!next_line(&text, "image", value, sizeof(value)) ||
		!hash_from_hex(&a->image, value))
		return 0;
	for (size_t i = 0; i < N_FIELDS; i++) {
		uint64_t v;

		if (!next_line(&text, fields[i].key, value, sizeof(value)))
			return 0;
		v = strtoull(value, &end, 10);
		if (*end || end == value)
			return 0;
		memcpy((char *)a + fields[i].at, &v, sizeof(v));
	}
	return next_line(&text, "compiler", a->compiler, sizeof(a->compiler)) && !*text;
}

static enum err entry_path(const char *cache, const struct hash *build, char *out,
	size_t cap, struct err_ctx *ctx)
{
	char hex[HASH_HEX + 1];

	hash_to_hex(build, hex);
	return join(out, cap, cache, "builds", hex, ctx);
}

static int is_sound(const char *dir, struct artefact *a)
{
	char path[CACHE_PATH_MAX];
	struct hash image;
	uint64_t bytes;
	struct buf text;
	int ok;

	buf_init(&text);
	ok = !file_join(path, sizeof(path), dir, "build.txt", NULL) &&
	     !file_read(path, 8192, &text, NULL) && read_record(buf_str(&text), a) &&
	     !file_join(a->path, sizeof(a->path), dir, "image", NULL) &&
	     !hash_file(a->path, &image, &bytes, NULL) && bytes == a->image_bytes &&
	     hash_equal(&image, &a->image) && flat_is_sound(dir, a->placed_bytes);
	buf_release(&text);
	return ok;
}

enum err cache_find(const char *cache, const struct hash *build, struct artefact *out,
	struct err_ctx *ctx)
{
	char dir[CACHE_PATH_MAX];
	struct artefact a;
	enum err e = entry_path(cache, build, dir, sizeof(dir), ctx);

	if (e)
		return e;
	memset(&a, 0, sizeof(a));
	if (!is_sound(dir, &a))
		return err_set(ctx, ERR_NOTFOUND, "no such build in '%s'", cache);
	a.build = *build;
	*out = a;
	return ERR_OK;
}

static enum err move_in(
	const char *work, const char *dir, struct artefact *a, struct err_ctx *ctx)
{
	struct artefact theirs = *a;

	for (int attempt = 0; attempt < 3; attempt++) {
		if (rename(work, dir) == 0)
			return file_join(a->path, sizeof(a->path), dir, "image", ctx);
		if (errno != ENOTEMPTY && errno != EEXIST)
			break;
		if (is_sound(dir, &theirs)) {
			*a = theirs;
			return file_remove_tree(work, ctx);
		}
		file_remove_tree(dir, NULL); /* damaged */
	}
	return err_set(ctx, errno == ENOSPC ? ERR_FULL : ERR_IO,
		"build cache: cannot move a build to '%s': %s", dir, strerror(errno));
}

enum err cache_publish(
	const char *cache, const char *work, struct artefact *a, struct err_ctx *ctx)
{
	char path[CACHE_PATH_MAX], dir[CACHE_PATH_MAX];
	struct buf text;
	enum err e;

	if ((e = file_join(path, sizeof(path), work, "image", ctx)) ||
		(e = hash_file(path, &a->image, &a->image_bytes, ctx)) ||
		(e = file_join(path, sizeof(path), work, "build.txt", ctx)) ||
		(e = entry_path(cache, &a->build, dir, sizeof(dir), ctx)))
		return e;
	buf_init(&text);
	write_record(a, &text);
	e = buf_err(&text, ctx);
	if (!e)
		e = file_write_atomic(path, buf_str(&text), text.len, 0644, ctx);
	buf_release(&text);
	return e ? e : move_in(work, dir, a, ctx);
}
