#include "src/codegen/pack.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/model/quant.h"

static int is_full(int e)
{
	return e == ENOSPC || e == EFBIG || e == EDQUOT;
}

static uint64_t align_to(uint64_t at, uint64_t alignment)
{
	return (at + alignment - 1) / alignment * alignment;
}

static uint64_t data_bytes(const struct tensor *t)
{
	uint64_t cols =
		t->bits == 4 ? (t->cols + 1u) / 2 : (uint64_t)t->cols * t->bits / 8;

	return t->rows * cols;
}

static uint64_t scale_bytes(const struct tensor *t)
{
	if (t->bits == 32)
		return 0;
	return 2 * (uint64_t)t->rows * (t->bits == 4 ? quant_groups(t->cols) : 1);
}

uint64_t pack_layout(const struct layout *l, struct packed_tensor *at)
{
	uint64_t end = 0;

	for (size_t i = 0; i < l->n_tensors; i++) {
		const struct tensor *t = &l->t[i];

		at[i].data = align_to(end, data_bytes(t) >= PACK_LARGE ? 64 : 4);
		end = at[i].data + data_bytes(t);
		at[i].scales = 0;
		if (t->bits != 32) {
			at[i].scales = align_to(end, 2);
			end = at[i].scales + scale_bytes(t);
		}
	}
	return align_to(end, 4);
}

struct writer {
	FILE *file;
	const char *path;
	struct hash_state hash;
	uint64_t at;
	struct err_ctx *ctx;
};

static enum err put(struct writer *w, const void *data, size_t len)
{
	if (len && fwrite(data, 1, len, w->file) != len)
		return err_set(w->ctx, is_full(errno) ? ERR_FULL : ERR_IO,
			"cannot write '%s': %s", w->path, strerror(errno));
	hash_update(&w->hash, data, len);
	w->at += len;
	return ERR_OK;
}

static enum err pad_to(struct writer *w, uint64_t at)
{
	static const uint8_t zeros[64];

	return put(w, zeros, (size_t)(at - w->at));
}

static void put_le16(uint8_t *out, const uint16_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = (uint8_t)(v[i] & 0xff);
		out[2 * i + 1] = (uint8_t)(v[i] >> 8);
	}
}

static void put_le32f(uint8_t *out, const float *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t u;

		memcpy(&u, &v[i], sizeof(u));
		for (int b = 0; b < 4; b++)
			out[4 * i + (size_t)b] = (uint8_t)(u >> 8 * b);
	}
}

static void put_nibbles(uint8_t *out, const int8_t *q, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += 2) {
		int low = q[i] + 8, high = i + 1 < n ? q[i + 1] + 8 : 8;

		out[i / 2] = (uint8_t)(low | high << 4);
	}
}

/* Scratch of one tensor: a row of integers and of packed bytes, all scales. */
struct scratch {
	int8_t *q;
	uint8_t *row;
	uint16_t *scales;
	uint8_t *scales_le;
};

static enum err put_tensor(
	struct writer *w, const struct tensor *t, const float *values, struct scratch *s)
{
	uint32_t groups = t->bits == 4 ? quant_groups(t->cols) : 1;
	size_t row_bytes = (size_t)(data_bytes(t) / t->rows);
	enum err e = ERR_OK;

	for (uint32_t r = 0; r < t->rows && !e; r++) {
		const float *row = values + (size_t)r * t->cols;
		uint16_t *scales = s->scales + (size_t)r * groups;

		if (t->bits == 32) {
			put_le32f(s->row, row, t->cols);
		} else {
			quant_row(row, t->cols, t->bits, s->q, scales);
			if (t->bits == 8)
				memcpy(s->row, s->q, t->cols);
			else
				put_nibbles(s->row, s->q, t->cols);
		}
		e = put(w, s->row, row_bytes);
	}
	if (e || t->bits == 32)
		return e;
	put_le16(s->scales_le, s->scales, (size_t)t->rows * groups);
	e = pad_to(w, align_to(w->at, 2));
	return e ? e : put(w, s->scales_le, (size_t)scale_bytes(t));
}

static enum err check_finite(const struct tensor *t, const float *v, struct err_ctx *ctx)
{
	size_t n = (size_t)t->rows * t->cols;

	for (size_t i = 0; i < n; i++)
		if (!isfinite(v[i]))
			return err_set(ctx, ERR_INVALID,
				"weight %zu of tensor '%s' in layer %d is not a finite "
				"number",
				i, tensor_names[t->kind], t->layer);
	return ERR_OK;
}

static enum err write_tensor(
	struct writer *w, const struct tensor *t, const struct tensor_source *source)
{
	size_t n = (size_t)t->rows * t->cols, n_scales = (size_t)scale_bytes(t) / 2 + 1;
	float *values = malloc(n * sizeof(*values));
	struct scratch s = {malloc(t->cols), malloc((size_t)t->cols * 4),
		malloc(n_scales * 2), malloc(n_scales * 2)};
	enum err e = ERR_OK;

	if (!values || !s.q || !s.row || !s.scales || !s.scales_le)
		e = err_set(w->ctx, ERR_NOMEM, "out of memory for tensor '%s'",
			tensor_names[t->kind]);
	if (!e)
		e = source->read(source->self, t, values, w->ctx);
	if (!e)
		e = check_finite(t, values, w->ctx);
	if (!e)
		e = put_tensor(w, t, values, &s);
	free(values);
	free(s.q);
	free(s.row);
	free(s.scales);
	free(s.scales_le);
	return e;
}

enum err pack_write(const struct layout *l, const struct tensor_source *source,
	const char *path, struct hash *hash, struct err_ctx *ctx)
{
	struct packed_tensor *at = calloc(l->n_tensors, sizeof(*at));
	struct writer w = {.path = path, .ctx = ctx};
	enum err e = ERR_OK;
	uint64_t total;

	if (!at)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	total = pack_layout(l, at);
	w.file = fopen(path, "wbe");
	if (!w.file) {
		free(at);
		return err_set(ctx, is_full(errno) ? ERR_FULL : ERR_IO,
			"cannot create '%s': %s", path, strerror(errno));
	}
	hash_init(&w.hash);
	for (size_t i = 0; i < l->n_tensors && !e; i++) {
		e = pad_to(&w, at[i].data);
		if (!e)
			e = write_tensor(&w, &l->t[i], source);
	}
	if (!e)
		e = pad_to(&w, total);
	if (fclose(w.file) && !e)
		e = err_set(ctx, is_full(errno) ? ERR_FULL : ERR_IO,
			"cannot write '%s': %s", path, strerror(errno));
	hash_final(&w.hash, hash);
	free(at);
	return e;
}
