#include "cost_models/model_text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/hash.h"

#define MAGIC "hawser-cost-model 1 "
#define SUM_DIGITS 16
#define SUM_LINE (4 + SUM_DIGITS + 1) /* "sum ", digits, newline */

static void sum_of(const char *text, size_t len, char hex[HASH_HEX + 1])
{
	struct hash h;

	hash_bytes(&h, text, len);
	hash_to_hex(&h, hex);
	hex[SUM_DIGITS] = '\0';
}

void model_writer_begin(struct model_writer *w, struct buf *out, const char *kind)
{
	w->out = out;
	w->start = out->len;
	buf_printf(out, MAGIC "%s\n", kind);
}

void model_write_size(struct model_writer *w, const char *key, size_t v)
{
	buf_printf(w->out, "%s %zu\n", key, v);
}

void model_write_doubles(
	struct model_writer *w, const char *key, const double *v, size_t n)
{
	buf_puts(w->out, key);
	for (size_t i = 0; i < n; i++)
		buf_printf(w->out, " %.17g", v[i]);
	buf_putc(w->out, '\n');
}

enum err model_writer_end(struct model_writer *w)
{
	char hex[HASH_HEX + 1];

	if (w->out->failed)
		return ERR_NOMEM;
	sum_of(w->out->data + w->start, w->out->len - w->start, hex);
	buf_printf(w->out, "sum %s\n", hex);
	return buf_err(w->out, NULL);
}

void model_reader_fail(struct model_reader *r, const char *what)
{
	if (!r->err)
		r->err = err_set(
			r->ctx, ERR_CORRUPT, "cost model: line %d: %s", r->line, what);
}

int model_text_kind(const char *text, char *kind, size_t cap)
{
	size_t n;

	if (strncmp(text, MAGIC, strlen(MAGIC)) != 0)
		return 0;
	text += strlen(MAGIC);
	n = strcspn(text, "\n");
	if (n == 0 || n >= cap || text[n] != '\n')
		return 0;
	memcpy(kind, text, n);
	kind[n] = '\0';
	return 1;
}

void model_reader_begin(
	struct model_reader *r, const char *text, const char *kind, struct err_ctx *ctx)
{
	size_t len = strlen(text);
	char found[32], hex[HASH_HEX + 1];
	const char *sum;

	memset(r, 0, sizeof(*r));
	r->ctx = ctx;
	r->line = 1;
	if (!model_text_kind(text, found, sizeof(found))) {
		model_reader_fail(r, "not a cost model of this version");
		return;
	}
	if (strcmp(found, kind) != 0) {
		r->err = err_set(ctx, ERR_CORRUPT,
			"cost model: '%s' where '%s' is expected", found, kind);
		return;
	}
	if (len < SUM_LINE) {
		model_reader_fail(r, "cut short");
		return;
	}
	sum = text + len - SUM_LINE;
	sum_of(text, len - SUM_LINE, hex);
	if (memcmp(sum, "sum ", 4) != 0 || memcmp(sum + 4, hex, SUM_DIGITS) != 0 ||
		sum[SUM_LINE - 1] != '\n') {
		r->err = err_set(ctx, ERR_CORRUPT,
			"cost model: damaged: its sum does not match; fit it again");
		return;
	}
	r->at = strchr(text, '\n') + 1;
	r->end = sum;
	r->line = 2;
}

/* Steps over "key", or fails. */
static int expect_key(struct model_reader *r, const char *key)
{
	size_t n = strlen(key);
	char what[64];

	if (r->err)
		return 0;
	if ((size_t)(r->end - r->at) > n && memcmp(r->at, key, n) == 0 &&
		(r->at[n] == ' ' || r->at[n] == '\n')) {
		r->at += n;
		return 1;
	}
	snprintf(what, sizeof(what), "'%.32s' is expected", key);
	model_reader_fail(r, what);
	return 0;
}

static void expect_newline(struct model_reader *r)
{
	if (r->err)
		return;
	if (r->at < r->end && *r->at == '\n') {
		r->at++;
		r->line++;
	} else {
		model_reader_fail(r, "more values than expected");
	}
}

size_t model_read_size(struct model_reader *r, const char *key, size_t lo, size_t hi)
{
	unsigned long long v;
	char *after;

	if (!expect_key(r, key))
		return 0;
	if (*r->at != ' ' || r->at[1] < '0' || r->at[1] > '9') {
		model_reader_fail(r, "a whole number is expected");
		return 0;
	}
	errno = 0;
	v = strtoull(r->at + 1, &after, 10);
	if (errno || v < lo || v > hi) {
		model_reader_fail(r, "number out of range");
		return 0;
	}
	r->at = after;
	expect_newline(r);
	return r->err ? 0 : (size_t)v;
}

void model_read_doubles(struct model_reader *r, const char *key, double *v, size_t n)
{
	if (!expect_key(r, key))
		return;
	for (size_t i = 0; i < n; i++) {
		char *after;

		if (*r->at != ' ' || r->at[1] == ' ' || r->at[1] == '\n') {
			model_reader_fail(r, "too few values");
			return;
		}
		v[i] = strtod(r->at + 1, &after);
		if (after == r->at + 1 || after > r->end || !isfinite(v[i])) {
			model_reader_fail(r, "a finite number is expected");
			return;
		}
		r->at = after;
	}
	expect_newline(r);
}

enum err model_reader_end(struct model_reader *r)
{
	if (!r->err && r->at != r->end)
		model_reader_fail(r, "nothing more is expected");
	return r->err;
}
