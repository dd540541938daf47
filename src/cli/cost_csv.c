#include "src/cli/cost_csv.h"

#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "src/base/file.h"

#define CSV_LIMIT (64u << 20)
#define CSV_MAX_COLUMNS 256
#define CSV_MAX_PRODUCTS 40 /* columns that may be multiplied pairwise */

struct sheet {
	const char *path;
	size_t n, n_columns;
	const char *names[CSV_MAX_COLUMNS];
	int usable[CSV_MAX_COLUMNS];
	double *cell; /* [n, n_columns] */
};

/* Cuts the next line off; NULL at the end. */
static char *next_line(char **at)
{
	char *line = *at, *end;

	if (!*line)
		return NULL;
	end = strchr(line, '\n');
	*at = end ? end + 1 : line + strlen(line);
	if (end)
		*end = '\0';
	line[strcspn(line, "\r")] = '\0';
	return line;
}

/* Cuts the next field off a line; NULL after the last. */
static char *next_field(char **at)
{
	char *field = *at, *end;

	if (!field)
		return NULL;
	end = strchr(field, ',');
	*at = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	field += strspn(field, " \t");
	return field;
}

static enum err read_names(struct sheet *s, char *line, struct err_ctx *ctx)
{
	char *field;

	if (strchr(line, '"'))
		return err_set(ctx, ERR_PARSE, "'%s': line 1: quoted fields are not read",
			s->path);
	while ((field = next_field(&line))) {
		if (s->n_columns == CSV_MAX_COLUMNS)
			return err_set(ctx, ERR_INVALID, "'%s': more than %d columns",
				s->path, CSV_MAX_COLUMNS);
		s->names[s->n_columns] = field;
		s->usable[s->n_columns++] = 1;
	}
	return ERR_OK;
}

static enum err read_row(struct sheet *s, char *line, size_t line_no, struct err_ctx *ctx)
{
	size_t j = 0;
	char *field;

	for (; (field = next_field(&line)); j++) {
		char *after;
		double v;

		if (j == s->n_columns)
			break;
		v = strtod(field, &after);
		after += strspn(after, " \t");
		if (after == field || *after || !isfinite(v))
			s->usable[j] = 0;
		s->cell[s->n * s->n_columns + j] = v;
	}
	if (j != s->n_columns || field)
		return err_set(ctx, ERR_PARSE, "'%s': line %zu: %zu fields are expected",
			s->path, line_no, s->n_columns);
	s->n++;
	return ERR_OK;
}

static enum err read_sheet(struct sheet *s, char *text, struct err_ctx *ctx)
{
	size_t n_lines = 0, line_no = 1;
	char *line = next_line(&text);
	enum err e;

	if (!line)
		return err_set(ctx, ERR_PARSE, "'%s' is empty", s->path);
	e = read_names(s, line, ctx);
	if (e)
		return e;
	for (const char *p = text; *p; p++)
		n_lines += *p == '\n';
	s->cell = calloc((n_lines + 1) * s->n_columns, sizeof(*s->cell));
	if (!s->cell)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	while ((line = next_line(&text))) {
		line_no++;
		if (!*line)
			continue;
		e = read_row(s, line, line_no, ctx);
		if (e)
			return e;
	}
	if (!s->n)
		return err_set(ctx, ERR_INVALID, "'%s' has no rows", s->path);
	return ERR_OK;
}

/* Marks the columns named in `list` (separated by `sep`) in the order given. */
static enum err find_columns(const struct sheet *s, const char *list, char sep,
	size_t *columns, size_t *n, struct err_ctx *ctx)
{
	*n = 0;
	for (const char *at = list;;) {
		const char *end = strchr(at, sep);
		size_t len = end ? (size_t)(end - at) : strlen(at), j = 0;

		while (j < s->n_columns &&
			(strlen(s->names[j]) != len || memcmp(s->names[j], at, len) != 0))
			j++;
		if (j == s->n_columns)
			return err_set(ctx, ERR_INVALID, "'%s' has no column '%.*s'",
				s->path, (int)len, at);
		if (!s->usable[j])
			return err_set(ctx, ERR_INVALID,
				"'%s': column '%.*s' is not all numbers", s->path,
				(int)len, at);
		if (*n == CSV_MAX_COLUMNS)
			return err_set(ctx, ERR_INVALID, "more than %d columns named",
				CSV_MAX_COLUMNS);
		columns[(*n)++] = j;
		if (!end)
			return ERR_OK;
		at = end + 1;
	}
}

static int contains(const size_t *list, size_t n, size_t v)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == v)
			return 1;
	return 0;
}

static char *product_name(const char *a, const char *b)
{
	char *name = NULL;

	if (asprintf(&name, b ? "%s*%s" : "%s", a, b) < 0)
		return NULL;
	return name;
}

/* Names and cells of feature f: column `a`, times column `b` unless that is SIZE_MAX. */
static int put_feature(
	struct cost_csv *t, const struct sheet *s, size_t f, size_t a, size_t b)
{
	t->names[f] = product_name(s->names[a], b == SIZE_MAX ? NULL : s->names[b]);
	for (size_t i = 0; i < t->n; i++) {
		const double *row = s->cell + i * s->n_columns;

		t->x[i * t->p + f] = b == SIZE_MAX ? row[a] : row[a] * row[b];
	}
	return t->names[f] != NULL;
}

static enum err fill(struct cost_csv *t, const struct sheet *s, const size_t *columns,
	size_t n_columns, int products, struct err_ctx *ctx)
{
	size_t f = 0;
	int ok;

	t->n = s->n;
	t->p = n_columns + (products ? n_columns * (n_columns + 1) / 2 : 0);
	t->x = calloc(t->n * t->p, sizeof(*t->x));
	t->y = calloc(t->n, sizeof(*t->y));
	t->names = calloc(t->p, sizeof(*t->names));
	ok = t->x && t->y && t->names;
	for (size_t a = 0; ok && a < n_columns; a++)
		ok = put_feature(t, s, f++, columns[a], SIZE_MAX);
	for (size_t a = 0; products && a < n_columns; a++)
		for (size_t b = a; ok && b < n_columns; b++)
			ok = put_feature(t, s, f++, columns[a], columns[b]);
	return ok ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory");
}

static enum err take(struct cost_csv *t, struct sheet *s, const char *target,
	const char *features, int products, struct err_ctx *ctx)
{
	size_t targets[CSV_MAX_COLUMNS], columns[CSV_MAX_COLUMNS], n_targets, n = 0;
	enum err e = find_columns(s, target, '+', targets, &n_targets, ctx);

	if (!e && features)
		e = find_columns(s, features, ',', columns, &n, ctx);
	if (e)
		return e;
	for (size_t j = 0; !features && j < s->n_columns; j++)
		if (s->usable[j] && !contains(targets, n_targets, j))
			columns[n++] = j;
	if (n == 0)
		return err_set(ctx, ERR_INVALID,
			"'%s' has no numeric columns besides '%s'", s->path, target);
	if (products && n > CSV_MAX_PRODUCTS)
		return err_set(ctx, ERR_INVALID,
			"%zu columns are too many for --products; name up to %d with "
			"--features",
			n, CSV_MAX_PRODUCTS);
	e = fill(t, s, columns, n, products, ctx);
	for (size_t i = 0; !e && i < t->n; i++)
		for (size_t k = 0; k < n_targets; k++)
			t->y[i] += s->cell[i * s->n_columns + targets[k]];
	return e;
}

enum err cost_csv_read(struct cost_csv *t, const char *path, const char *target,
	const char *features, int products, struct err_ctx *ctx)
{
	struct sheet s = {.path = path};
	struct buf text;
	enum err e;

	memset(t, 0, sizeof(*t));
	buf_init(&text);
	e = file_read(path, CSV_LIMIT, &text, ctx);
	if (!e && text.len && memchr(text.data, '\0', text.len))
		e = err_set(ctx, ERR_PARSE, "'%s' is not text", path);
	if (!e && !text.len)
		e = err_set(ctx, ERR_PARSE, "'%s' is empty", path);
	if (!e)
		e = read_sheet(&s, text.data, ctx);
	if (!e)
		e = take(t, &s, target, features, products, ctx);
	free(s.cell);
	buf_release(&text);
	if (e)
		cost_csv_release(t);
	return e;
}

void cost_csv_release(struct cost_csv *t)
{
	for (size_t j = 0; t->names && j < t->p; j++)
		free(t->names[j]);
	free(t->names);
	free(t->x);
	free(t->y);
	memset(t, 0, sizeof(*t));
}
