#include "src/store/sql.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t row_int(struct sql_row *r, int64_t lo, int64_t hi)
{
	int at = r->next++;
	int64_t v;

	if (sqlite3_column_type(r->st, at) != SQLITE_INTEGER) {
		r->bad = 1;
		return lo;
	}
	v = sqlite3_column_int64(r->st, at);
	if (v < lo || v > hi) {
		r->bad = 1;
		return lo;
	}
	return v;
}

double row_real(struct sql_row *r)
{
	int at = r->next++, type = sqlite3_column_type(r->st, at);
	double v;

	if (type == SQLITE_NULL)
		return NAN;
	v = sqlite3_column_double(r->st, at);
	if ((type != SQLITE_FLOAT && type != SQLITE_INTEGER) || !isfinite(v)) {
		r->bad = 1;
		return NAN;
	}
	return v;
}

double row_positive(struct sql_row *r)
{
	double v = row_real(r);

	if (!(v > 0))
		r->bad = 1;
	return v;
}

const void *row_blob(struct sql_row *r, size_t *len)
{
	int at = r->next++;
	const void *p;

	*len = 0;
	if (sqlite3_column_type(r->st, at) != SQLITE_BLOB) {
		r->bad = 1;
		return NULL;
	}
	p = sqlite3_column_blob(r->st, at);
	*len = (size_t)sqlite3_column_bytes(r->st, at);
	if (!p && *len)
		r->no_memory = 1;
	return p;
}

void row_hash(struct sql_row *r, struct hash *out)
{
	size_t len;
	const void *p = row_blob(r, &len);

	if (!p || len != HASH_BYTES) {
		r->bad = 1;
		memset(out, 0, sizeof(*out));
		return;
	}
	memcpy(out->b, p, HASH_BYTES);
}

static const char *text_at(struct sql_row *r, size_t *len)
{
	int at = r->next++;
	const char *p;

	*len = 0;
	if (sqlite3_column_type(r->st, at) != SQLITE_TEXT) {
		r->bad = 1;
		return NULL;
	}
	p = (const char *)sqlite3_column_text(r->st, at);
	if (!p) {
		r->no_memory = 1;
		return NULL;
	}
	*len = (size_t)sqlite3_column_bytes(r->st, at);
	if (strlen(p) != *len) {
		r->bad = 1;
		return NULL;
	}
	return p;
}

void row_text(struct sql_row *r, char *out, size_t cap)
{
	size_t len;
	const char *p = text_at(r, &len);

	out[0] = 0;
	if (!p)
		return;
	if (len >= cap) {
		r->bad = 1;
		return;
	}
	memcpy(out, p, len + 1);
}

char *row_dup(struct sql_row *r, size_t limit)
{
	size_t len;
	const char *p = text_at(r, &len);
	char *copy;

	if (!p)
		return NULL;
	if (len > limit) {
		r->bad = 1;
		return NULL;
	}
	copy = strdup(p);
	if (!copy)
		r->no_memory = 1;
	return copy;
}

/* What became of the row. */
static enum err row_check(
	const struct store *s, const struct sql_row *r, struct err_ctx *ctx)
{
	if (r->no_memory)
		return err_set(ctx, ERR_NOMEM, "out of memory reading '%s'", s->path);
	if (r->bad)
		return err_set(ctx, ERR_CORRUPT,
			"database '%s' is damaged (column %d of '%.60s' is out of "
			"range): restore a copy or move it away",
			s->path, r->next, sqlite3_sql(r->st));
	return ERR_OK;
}

static void drop_items(char *items, size_t n, const struct sql_reader *reader)
{
	for (size_t i = 0; reader->release && i < n; i++)
		reader->release(items + i * reader->item_size);
	free(items);
}

/* Reads the current row into a zeroed item; releases it when the row is bad. */
static enum err read_item(struct store *s, sqlite3_stmt *st,
	const struct sql_reader *reader, void *item, struct err_ctx *ctx)
{
	struct sql_row row = {.st = st};
	enum err e;

	memset(item, 0, reader->item_size);
	reader->read(&row, item);
	e = row_check(s, &row, ctx);
	if (e && reader->release)
		reader->release(item);
	return e;
}

enum err sql_list(struct store *s, sqlite3_stmt *st, const struct sql_reader *reader,
	void **out, size_t *n, struct err_ctx *ctx)
{
	char *items = NULL;
	size_t count = 0, cap = 0;
	int got = 0;
	enum err e;

	while (!(e = sql_step(s, st, &got, ctx)) && got) {
		if (count == cap) {
			size_t more = cap ? cap * 2 : 16;
			char *grown = realloc(items, more * reader->item_size);

			if (!grown) {
				e = err_set(ctx, ERR_NOMEM, "out of memory reading '%s'",
					s->path);
				break;
			}
			items = grown;
			cap = more;
		}
		e = read_item(s, st, reader, items + count * reader->item_size, ctx);
		if (e)
			break;
		count++;
	}
	if (e) {
		sqlite3_reset(st);
		drop_items(items, count, reader);
		return e;
	}
	*out = items;
	*n = count;
	return ERR_OK;
}

enum err sql_first(struct store *s, sqlite3_stmt *st, const struct sql_reader *reader,
	void *item, struct err_ctx *ctx)
{
	void *made = malloc(reader->item_size);
	int got;
	enum err e;

	if (!made) {
		sqlite3_reset(st);
		return err_set(ctx, ERR_NOMEM, "out of memory reading '%s'", s->path);
	}
	e = sql_step(s, st, &got, ctx);
	if (!e && !got)
		e = ERR_NOTFOUND;
	else if (!e)
		e = read_item(s, st, reader, made, ctx);
	if (!e)
		memcpy(item, made, reader->item_size);
	free(made);
	sqlite3_reset(st);
	return e;
}
