#include "src/codegen/pack.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/infer/integer/integer.h"
#include "src/model/quant.h"

static int is_full(int e)
{
	return e == ENOSPC || e == EFBIG || e == EDQUOT;
}

static uint64_t align_to(uint64_t at, uint64_t alignment)
{
	return (at + alignment - 1) / alignment * alignment;
}

static uint64_t data_bytes(const struct tensor *t, const struct panel_format *f)
{
	uint64_t cols =
		t->bits == 4 ? (t->cols + 1u) / 2 : (uint64_t)t->cols * t->bits / 8;

	if (f)
		return align_to(t->rows, f->round) * align_to(t->cols, f->k) * t->bits /
		       8;
	return t->rows * cols;
}

static uint64_t scale_bytes(const struct tensor *t, const struct panel_format *f)
{
	uint64_t rows = f ? align_to(t->rows, f->round) : t->rows;

	if (t->bits == 32)
		return 0;
	return 2 * rows * (t->bits == 4 ? quant_groups(t->cols) : 1);
}

/* The tensor as it is stored: with the rows of its later parts. */
static struct tensor stored(const struct program *p, size_t tensor)
{
	struct tensor t = p->layout.t[tensor];

	t.rows = program_rows(p, &p->layout.t[tensor]);
	return t;
}

/* NULL: row-major. */
static const struct panel_format *format_of(const struct program *p, size_t tensor)
{
	const struct kernel_panels *panels = p->set->panels;
	int bits = p->layout.t[tensor].bits;

	if (!p->in_panels[tensor])
		return NULL;
	return bits == 32 ? &panels->f32 : bits == 8 ? &panels->i8 : &panels->i4;
}

uint64_t pack_layout(const struct program *p, struct packed_tensor *at)
{
	uint64_t end = 0;

	for (size_t i = 0; i < p->layout.n_tensors; i++) {
		const struct tensor whole = stored(p, i), *t = &whole;
		const struct panel_format *f = format_of(p, i);
		uint64_t bytes = data_bytes(t, f);

		at[i] = (struct packed_tensor){0, 0};
		if (!t->rows)
			continue;
		at[i].data = align_to(end, f || bytes >= PACK_LARGE ? 64 : 4);
		end = at[i].data + bytes;
		at[i].scales = 0;
		if (t->bits != 32) {
			at[i].scales = align_to(end, 2);
			end = at[i].scales + scale_bytes(t, f);
		}
	}
	return align_to(end, 4);
}

struct writer {
	FILE *file;
	const char *path;
	struct hash_state *hash; /* NULL: none is wanted */
	uint64_t at;
	int fixed; /* vectors are written so, not as floats */
	struct err_ctx *ctx;
};

static enum err put(struct writer *w, const void *data, size_t len)
{
	if (len && fwrite(data, 1, len, w->file) != len)
		return err_set(w->ctx, is_full(errno) ? ERR_FULL : ERR_IO,
			"cannot write '%s': %s", w->path, strerror(errno));
	if (w->hash)
		hash_update(w->hash, data, len);
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

/* The vectors of a program without floating point (src/infer/integer/integer.h). */
static void put_le32_fixed(uint8_t *out, const float *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double x = fmax(
			fmin(round((double)v[i] * FIXED_ONE), FIXED_MAX), -FIXED_MAX);
		uint32_t u = (uint32_t)(int32_t)x;

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
	size_t row_bytes = (size_t)(data_bytes(t, NULL) / t->rows);
	enum err e = ERR_OK;

	for (uint32_t r = 0; r < t->rows && !e; r++) {
		const float *row = values + (size_t)r * t->cols;
		uint16_t *scales = s->scales + (size_t)r * groups;

		if (t->bits == 32 && w->fixed) {
			put_le32_fixed(s->row, row, t->cols);
		} else if (t->bits == 32) {
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
	return e ? e : put(w, s->scales_le, (size_t)scale_bytes(t, NULL));
}

/* ---- panels */

/* A tensor quantised as a whole, and where its packed form is made. */
struct panels {
	const struct tensor *t;
	const struct panel_format *f;
	const float *values;
	int8_t *q;	  /* [rows, cols], when quantised */
	uint16_t *scales; /* [rows, groups] */
	uint32_t groups;
	uint8_t *out;	      /* data_bytes */
	uint16_t *out_scales; /* scale_bytes / 2 */
};

static int quantised_at(const struct panels *p, uint32_t row, uint32_t col)
{
	if (row >= p->t->rows || col >= p->t->cols)
		return p->f->zero;
	return p->q[(size_t)row * p->t->cols + col] + p->f->zero;
}

/* A nibble, in two's complement where the format adds nothing. */
static int nibble_at(const struct panels *p, uint32_t row, uint32_t col)
{
	return quantised_at(p, row, col) & 15;
}

/* The `k` input columns from `col` of output column `row`; returns the end. */
static uint8_t *put_cell(const struct panels *p, uint32_t row, uint32_t col, uint8_t *out)
{
	uint32_t k = p->f->k;

	for (uint32_t j = 0; j < k && p->t->bits == 32; j++, out += 4) {
		float v = row < p->t->rows && col + j < p->t->cols
				  ? p->values[(size_t)row * p->t->cols + col + j]
				  : 0;

		put_le32f(out, &v, 1);
	}
	for (uint32_t j = 0; j < k && p->t->bits == 8; j++)
		*out++ = (uint8_t)quantised_at(p, row, col + j);
	for (uint32_t j = 0; j < k / 2 && p->t->bits == 4; j++)
		*out++ = (uint8_t)(nibble_at(p, row, col + j) |
				   nibble_at(p, row, col + k / 2 + j) << 4);
	return out;
}

static void fill_panels(struct panels *p)
{
	uint32_t rows = (uint32_t)align_to(p->t->rows, p->f->round);
	uint8_t *out = p->out;
	uint16_t *scales = p->out_scales;

	for (uint32_t at = 0; at < rows; at += p->f->width) {
		uint32_t n = rows - at < p->f->width ? rows - at : p->f->width;

		for (uint32_t k = 0; k < p->t->cols; k += p->f->k)
			for (uint32_t r = 0; r < n; r++)
				out = put_cell(p, at + r, k, out);
		for (uint32_t g = 0; g < p->groups; g++)
			for (uint32_t r = at; r < at + n; r++)
				*scales++ =
					r < p->t->rows ? p->scales[r * p->groups + g] : 0;
	}
}

static enum err put_in_panels(struct writer *w, struct panels *p)
{
	const struct tensor *t = p->t;
	size_t n = (size_t)data_bytes(t, p->f), n_scales = (size_t)scale_bytes(t, p->f);
	uint8_t *scales_le = malloc(n_scales + 1);
	enum err e;

	p->groups = t->bits == 32 ? 0 : t->bits == 8 ? 1 : quant_groups(t->cols);
	p->q = malloc((size_t)t->rows * t->cols);
	p->scales = malloc(2 * (size_t)t->rows * (p->groups + 1));
	p->out = malloc(n);
	p->out_scales = malloc(n_scales + 1);
	if (!p->q || !p->scales || !p->out || !p->out_scales || !scales_le) {
		e = err_set(w->ctx, ERR_NOMEM, "out of memory for tensor '%s'",
			tensor_names[t->kind]);
	} else {
		for (uint32_t r = 0; r < t->rows && t->bits != 32; r++)
			quant_row(p->values + (size_t)r * t->cols, t->cols, t->bits,
				p->q + (size_t)r * t->cols,
				p->scales + (size_t)r * p->groups);
		fill_panels(p);
		put_le16(scales_le, p->out_scales, n_scales / 2);
		e = put(w, p->out, n);
		if (!e && n_scales)
			e = pad_to(w, align_to(w->at, 2));
		e = e ? e : put(w, scales_le, n_scales);
	}
	free(p->q);
	free(p->scales);
	free(p->out);
	free(p->out_scales);
	free(scales_le);
	return e;
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

/* Reads a tensor and its later parts, one below the other. */
static enum err read_parts(const struct program *p, size_t tensor,
	const struct tensor_source *source, float *values, struct err_ctx *ctx)
{
	for (;;) {
		const struct tensor *t = &p->layout.t[tensor];
		enum err e = source->read(source->self, t, values, ctx);

		if (!e)
			e = check_finite(t, values, ctx);
		if (e || !p->next_part[tensor])
			return e;
		values += (size_t)t->rows * t->cols;
		tensor = p->next_part[tensor] - 1u;
	}
}

static enum err write_tensor(struct writer *w, const struct program *p, size_t tensor,
	const struct tensor_source *source)
{
	const struct tensor whole = stored(p, tensor), *t = &whole;
	const struct panel_format *f = format_of(p, tensor);
	size_t n = (size_t)t->rows * t->cols,
	       n_scales = (size_t)scale_bytes(t, f) / 2 + 1;
	float *values = malloc(n * sizeof(*values));
	struct scratch s = {malloc(t->cols), malloc((size_t)t->cols * 4),
		malloc(n_scales * 2), malloc(n_scales * 2)};
	enum err e = ERR_OK;

	if (!values || !s.q || !s.row || !s.scales || !s.scales_le)
		e = err_set(w->ctx, ERR_NOMEM, "out of memory for tensor '%s'",
			tensor_names[t->kind]);
	if (!e)
		e = read_parts(p, tensor, source, values, w->ctx);
	if (!e)
		e = f ? put_in_panels(
				w, &(struct panels){.t = t, .f = f, .values = values})
		      : put_tensor(w, t, values, &s);
	free(values);
	free(s.q);
	free(s.row);
	free(s.scales);
	free(s.scales_le);
	return e;
}

enum err pack_stream(const struct program *p, const struct tensor_source *source,
	FILE *file, const char *path, struct hash *hash, struct err_ctx *ctx)
{
	const struct layout *l = &p->layout;
	struct packed_tensor *at = calloc(l->n_tensors, sizeof(*at));
	struct hash_state state;
	struct writer w = {file, path, hash ? &state : NULL, 0, p->is_integer, ctx};
	enum err e = ERR_OK;
	uint64_t total;

	if (!at)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	total = pack_layout(p, at);
	hash_init(&state);
	for (size_t i = 0; i < l->n_tensors && !e; i++) {
		if (p->is_part[i])
			continue;
		e = pad_to(&w, at[i].data);
		if (!e)
			e = write_tensor(&w, p, i, source);
	}
	if (!e)
		e = pad_to(&w, total);
	if (hash)
		hash_final(&state, hash);
	free(at);
	return e;
}

enum err pack_write(const struct program *p, const struct tensor_source *source,
	const char *path, struct hash *hash, struct err_ctx *ctx)
{
	FILE *file = fopen(path, "wbe");
	enum err e;

	if (!file)
		return err_set(ctx, is_full(errno) ? ERR_FULL : ERR_IO,
			"cannot create '%s': %s", path, strerror(errno));
	e = pack_stream(p, source, file, path, hash, ctx);
	if (fclose(file) && !e)
		e = err_set(ctx, is_full(errno) ? ERR_FULL : ERR_IO,
			"cannot write '%s': %s", path, strerror(errno));
	return e;
}
