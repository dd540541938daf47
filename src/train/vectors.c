#include "src/train/vectors.h"

#include <string.h>

#include "src/base/file.h"
#include "src/base/hash.h"

#define MAGIC "HWSRVEC1"
#define MAGIC_BYTES 8
#define HEADER_MAX 65536

static void put(struct buf *b, uint64_t v, int bytes)
{
	uint8_t out[8];

	for (int i = 0; i < bytes; i++)
		out[i] = (uint8_t)(v >> (8 * i));
	buf_append(b, out, (size_t)bytes);
}

static uint64_t get(const uint8_t *p, int bytes)
{
	uint64_t v = 0;

	for (int i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static void put_numbers(struct buf *b, const struct vectors *shape, const void *v)
{
	const uint8_t *p = v;

	for (uint64_t i = 0; i < shape->n; i++, p += shape->size) {
		uint32_t u4;
		uint64_t u8;

		if (shape->size == 4) {
			memcpy(&u4, p, 4);
			put(b, u4, 4);
		} else {
			memcpy(&u8, p, 8);
			put(b, u8, 8);
		}
	}
}

enum err vectors_save(const char *path, const char *header, const struct vectors *shape,
	const void *const *v, struct err_ctx *ctx)
{
	struct hash sum;
	struct buf b;
	enum err err;

	buf_init(&b);
	buf_append(&b, MAGIC, MAGIC_BYTES);
	put(&b, strlen(header), 4);
	buf_puts(&b, header);
	put(&b, shape->size, 4);
	put(&b, shape->n_vectors, 4);
	put(&b, shape->n, 8);
	for (uint32_t i = 0; i < shape->n_vectors; i++)
		put_numbers(&b, shape, v[i]);
	err = buf_err(&b, ctx);
	if (!err) {
		hash_bytes(&sum, b.data, b.len);
		buf_append(&b, sum.b, HASH_BYTES);
		err = buf_err(&b, ctx);
	}
	if (!err)
		err = file_write_atomic(path, b.data, b.len, 0644, ctx);
	buf_release(&b);
	return err;
}

static enum err corrupt(const char *path, const char *what, struct err_ctx *ctx)
{
	return err_set(
		ctx, ERR_CORRUPT, "'%s' %s; remove it and train again", path, what);
}

static enum err parse(struct vectors_file *f, const char *path, struct err_ctx *ctx)
{
	const uint8_t *p = (const uint8_t *)f->bytes.data;
	size_t len = f->bytes.len, at = MAGIC_BYTES + 4;
	uint64_t room;
	struct hash sum;

	if (len < at + 16 + HASH_BYTES || memcmp(p, MAGIC, MAGIC_BYTES))
		return corrupt(path, "is not a weights file", ctx);
	len -= HASH_BYTES;
	hash_bytes(&sum, p, len);
	if (memcmp(sum.b, p + len, HASH_BYTES))
		return corrupt(path, "is damaged (checksum)", ctx);
	f->header_len = (size_t)get(p + MAGIC_BYTES, 4);
	if (f->header_len > HEADER_MAX || f->header_len > len - at - 16)
		return corrupt(path, "has an impossible header", ctx);
	f->header = (const char *)p + at;
	at += f->header_len;
	f->shape.size = (uint32_t)get(p + at, 4);
	f->shape.n_vectors = (uint32_t)get(p + at + 4, 4);
	f->shape.n = get(p + at + 8, 8);
	f->numbers = p + at + 16;
	room = len - at - 16;
	if ((f->shape.size != 4 && f->shape.size != 8) || !f->shape.n_vectors ||
		!f->shape.n || f->shape.n > room || room % (f->shape.n * f->shape.size) ||
		room / (f->shape.n * f->shape.size) != f->shape.n_vectors)
		return corrupt(path, "has an impossible length", ctx);
	return ERR_OK;
}

enum err vectors_open(struct vectors_file *f, const char *path, struct err_ctx *ctx)
{
	enum err err;

	memset(f, 0, sizeof(*f));
	buf_init(&f->bytes);
	err = file_read(path, 0, &f->bytes, ctx);
	if (!err)
		err = parse(f, path, ctx);
	if (err)
		buf_release(&f->bytes);
	return err;
}

void vectors_get(const struct vectors_file *f, uint32_t i, void *out)
{
	const uint8_t *p = f->numbers + (size_t)(i * f->shape.n * f->shape.size);
	uint8_t *to = out;

	for (uint64_t k = 0; k < f->shape.n;
		k++, p += f->shape.size, to += f->shape.size) {
		uint64_t u8 = get(p, (int)f->shape.size);
		uint32_t u4 = (uint32_t)u8;

		if (f->shape.size == 4)
			memcpy(to, &u4, 4);
		else
			memcpy(to, &u8, 8);
	}
}
