#include "src/train/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/train/vectors.h"

#define HEADER_CAP 160

static void checkpoint_header(char out[HEADER_CAP], const struct hash *key)
{
	char hex[HASH_HEX + 1];

	hash_to_hex(key, hex);
	snprintf(out, HEADER_CAP, "supernet checkpoint 1 %s step ", hex);
}

static void finished_header(char out[HEADER_CAP], const struct hash *key)
{
	char hex[HASH_HEX + 1];

	hash_to_hex(key, hex);
	snprintf(out, HEADER_CAP, "supernet 1 %s", hex);
}

enum err checkpoint_save(const char *path, const struct hash *key, const real *w,
	const struct optimiser *opt, struct err_ctx *ctx)
{
	struct vectors shape = {sizeof(real), 3, opt->n};
	const void *v[3] = {w, opt->m, opt->v};
	char header[HEADER_CAP];
	size_t n;

	checkpoint_header(header, key);
	n = strlen(header);
	snprintf(header + n, sizeof(header) - n, "%llu", (unsigned long long)opt->step);
	return vectors_save(path, header, &shape, v, ctx);
}

/* The file's header must begin with `want`; *rest is what follows. */
static enum err match(const char *path, const struct vectors_file *f, const char *want,
	const struct vectors *shape, char rest[32], struct err_ctx *ctx)
{
	size_t n = strlen(want), left = f->header_len - n;

	if (f->header_len < n || memcmp(f->header, want, n) || left > 31)
		return err_set(
			ctx, ERR_CORRUPT, "'%s' belongs to another supernet", path);
	if (f->shape.size != shape->size || f->shape.n_vectors != shape->n_vectors ||
		f->shape.n != shape->n)
		return err_set(ctx, ERR_CORRUPT, "'%s' has another shape", path);
	memcpy(rest, f->header + n, left);
	rest[left] = '\0';
	return ERR_OK;
}

enum err checkpoint_load(const char *path, const struct hash *key, real *w,
	struct optimiser *opt, struct err_ctx *ctx)
{
	struct vectors shape = {sizeof(real), 3, opt->n};
	char header[HEADER_CAP], rest[32], *end;
	struct vectors_file f;
	uint64_t step = 0;
	enum err err = vectors_open(&f, path, ctx);

	if (err)
		return err;
	checkpoint_header(header, key);
	err = match(path, &f, header, &shape, rest, ctx);
	if (!err) {
		step = strtoull(rest, &end, 10);
		if (end == rest || *end)
			err = err_set(ctx, ERR_CORRUPT, "'%s' has no step", path);
	}
	if (!err) {
		vectors_get(&f, 0, w);
		vectors_get(&f, 1, opt->m);
		vectors_get(&f, 2, opt->v);
		opt->step = step;
	}
	buf_release(&f.bytes);
	return err;
}

enum err finished_save(const char *path, const struct hash *key, const float *w, size_t n,
	struct err_ctx *ctx)
{
	struct vectors shape = {4, 1, n};
	const void *v[1] = {w};
	char header[HEADER_CAP];

	finished_header(header, key);
	return vectors_save(path, header, &shape, v, ctx);
}

enum err finished_load(
	const char *path, const struct hash *key, float *w, size_t n, struct err_ctx *ctx)
{
	struct vectors shape = {4, 1, n};
	char header[HEADER_CAP], rest[32];
	struct vectors_file f;
	enum err err = vectors_open(&f, path, ctx);

	if (err)
		return err;
	finished_header(header, key);
	err = match(path, &f, header, &shape, rest, ctx);
	if (!err)
		vectors_get(&f, 0, w);
	buf_release(&f.bytes);
	return err;
}
