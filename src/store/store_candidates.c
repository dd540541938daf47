#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/store/sql.h"

/* ---- candidates */

static enum err candidate_row(
	struct store *s, const struct genome *g, int64_t *id, struct err_ctx *ctx)
{
	char text[GENOME_TEXT_MAX];
	struct hash h;
	enum err e;

	genome_format(g, text);
	genome_hash(g, &h);
	e = sql_run(s,
		"INSERT INTO candidate(hash, text) VALUES(?, ?) ON CONFLICT DO NOTHING",
		SQL_ARGS(arg_hash(&h), arg_text(text)), ctx);
	return e ? e : sql_candidate_id(s, &h, id, ctx);
}

enum err store_put_candidate(struct store *s, int64_t job, const struct genome *g,
	const char *origin, int generation, struct err_ctx *ctx)
{
	int64_t id = 0;
	enum err e;

	if (strlen(origin) >= sizeof(((struct store_candidate *)0)->origin))
		return err_set(ctx, ERR_INVALID, "origin '%.40s' is too long", origin);
	e = genome_check(g, ctx);
	if (!e)
		e = sql_begin(s, 1, ctx);
	if (e)
		return e;
	e = candidate_row(s, g, &id, ctx);
	if (!e)
		e = sql_run(s,
			"INSERT INTO job_candidate(job, candidate, origin, generation)"
			" VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING",
			SQL_ARGS(arg_int(job), arg_int(id), arg_text(origin),
				arg_int(generation)),
			ctx);
	return sql_end(s, e, ctx);
}

struct named_genome {
	struct hash hash;
	char text[GENOME_TEXT_MAX];
};

static void read_named_genome(struct sql_row *r, void *item)
{
	struct named_genome *g = item;

	row_hash(r, &g->hash);
	row_text(r, g->text, sizeof(g->text));
}

static const struct sql_reader named_genome_reader = {
	sizeof(struct named_genome), read_named_genome, NULL};

/* "ab1" -> [ab10 00.., ab1f ff..] */
static int prefix_range(const char *prefix, struct hash *lo, struct hash *hi)
{
	char a[HASH_HEX + 1], b[HASH_HEX + 1];
	size_t len = strlen(prefix);

	if (len < 4 || len > HASH_HEX)
		return 0;
	memset(a, '0', HASH_HEX);
	memset(b, 'f', HASH_HEX);
	a[HASH_HEX] = b[HASH_HEX] = 0;
	for (size_t i = 0; i < len; i++)
		a[i] = b[i] = (char)tolower((unsigned char)prefix[i]);
	return hash_from_hex(lo, a) && hash_from_hex(hi, b);
}

enum err store_get_candidate(struct store *s, const char *prefix, struct genome *g,
	struct hash *hash, struct err_ctx *ctx)
{
	struct named_genome *found = NULL;
	struct genome parsed;
	struct hash lo, hi, actual;
	sqlite3_stmt *st;
	size_t n = 0;
	enum err e;

	if (!prefix_range(prefix, &lo, &hi))
		return err_set(ctx, ERR_INVALID,
			"'%.70s' is not a candidate: give 4 to 64 hexadecimal digits of "
			"its hash",
			prefix);
	e = sql_bind(s,
		"SELECT hash, text FROM candidate WHERE hash BETWEEN ? AND ? LIMIT 2",
		SQL_ARGS(arg_hash(&lo), arg_hash(&hi)), &st, ctx);
	if (!e)
		e = sql_list(s, st, &named_genome_reader, (void **)&found, &n, ctx);
	if (!e && n == 0)
		e = err_set(ctx, ERR_NOTFOUND,
			"no candidate '%s': 'hawser front --all' lists them", prefix);
	if (!e && n > 1)
		e = err_set(ctx, ERR_INVALID,
			"'%s' names several candidates: give more digits", prefix);
	if (!e) {
		e = genome_parse(&parsed, found[0].text, ctx);
		if (!e)
			genome_hash(&parsed, &actual);
		if (e || !hash_equal(&actual, &found[0].hash))
			e = err_set(ctx, ERR_CORRUPT,
				"database '%s' is damaged: candidate '%s' does not have "
				"its hash",
				s->path, prefix);
	}
	if (!e) {
		*g = parsed;
		if (hash)
			*hash = found[0].hash;
	}
	free(found);
	return e;
}

static void read_candidate(struct sql_row *r, void *item)
{
	struct store_candidate *c = item;

	row_hash(r, &c->hash);
	c->text = row_dup(r, GENOME_TEXT_MAX - 1);
	row_text(r, c->origin, sizeof(c->origin));
	c->generation = (int)row_int(r, INT32_MIN, INT32_MAX);
	c->finalist = (int)row_int(r, 0, 1);
}

static void release_candidate(void *item)
{
	free(((struct store_candidate *)item)->text);
}

static const struct sql_reader candidate_reader = {
	sizeof(struct store_candidate), read_candidate, release_candidate};

enum err store_list_candidates(struct store *s, int64_t job, struct store_candidate **out,
	size_t *n, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e = sql_bind(s,
		"SELECT c.hash, c.text, j.origin, j.generation, j.finalist"
		" FROM job_candidate j JOIN candidate c ON c.id=j.candidate"
		" WHERE j.job=? ORDER BY j.id",
		SQL_ARGS(arg_int(job)), &st, ctx);

	return e ? e : sql_list(s, st, &candidate_reader, (void **)out, n, ctx);
}

void store_candidates_free(struct store_candidate *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].text);
	free(list);
}

enum err store_set_finalist(
	struct store *s, int64_t job, const struct hash *candidate, struct err_ctx *ctx)
{
	int64_t id = 0;
	enum err e = sql_begin(s, 1, ctx);

	if (e)
		return e;
	e = sql_candidate_id(s, candidate, &id, ctx);
	if (!e)
		e = sql_run(s,
			"UPDATE job_candidate SET finalist=1 WHERE job=? AND candidate=?",
			SQL_ARGS(arg_int(job), arg_int(id)), ctx);
	if (!e && !sqlite3_changes(s->db))
		e = err_set(ctx, ERR_NOTFOUND, "the candidate is not one of this job");
	return sql_end(s, e, ctx);
}

/* ---- accuracy */

static enum err check_accuracy(const struct store_accuracy *a, struct err_ctx *ctx)
{
	if (!isfinite(a->value))
		return err_set(
			ctx, ERR_INVALID, "%s of a candidate is not a number", a->metric);
	if (a->n < 0 || !a->metric[0] || !a->split[0] || !a->method[0])
		return err_set(
			ctx, ERR_INVALID, "accuracy without metric, split or method");
	if (!strcmp(a->method, "device") != (a->device_name[0] != '\0'))
		return err_set(ctx, ERR_INVALID,
			"accuracy by method '%s' with device '%s'", a->method,
			a->device_name);
	return ERR_OK;
}

static enum err put_accuracy_row(
	struct store *s, const struct store_accuracy *a, struct err_ctx *ctx)
{
	int64_t id = 0;
	enum err e = check_accuracy(a, ctx);

	if (!e)
		e = sql_candidate_id(s, &a->candidate, &id, ctx);
	if (e)
		return e;
	return sql_run(s,
		"INSERT INTO accuracy(candidate, data, split, method, seed, metric,"
		" value, ci_lo, ci_hi, n, source, device, device_name)"
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		SQL_ARGS(arg_int(id), arg_hash(&a->data), arg_text(a->split),
			arg_text(a->method), arg_int((int64_t)a->seed),
			arg_text(a->metric), arg_real(a->value), arg_real(a->ci.lo),
			arg_real(a->ci.hi), arg_int(a->n), arg_hash(&a->source),
			arg_hash(&a->device), arg_text(a->device_name)),
		ctx);
}

enum err store_put_accuracy(
	struct store *s, const struct store_accuracy *rows, size_t n, struct err_ctx *ctx)
{
	enum err e = sql_begin(s, 1, ctx);

	if (e)
		return e;
	for (size_t i = 0; !e && i < n; i++)
		e = put_accuracy_row(s, &rows[i], ctx);
	return sql_end(s, e, ctx);
}

static void read_accuracy(struct sql_row *r, void *item)
{
	struct store_accuracy *a = item;

	row_hash(r, &a->candidate);
	row_hash(r, &a->data);
	row_text(r, a->split, sizeof(a->split));
	row_text(r, a->method, sizeof(a->method));
	a->seed = (uint64_t)row_int(r, INT64_MIN, INT64_MAX);
	row_text(r, a->metric, sizeof(a->metric));
	a->value = row_real(r);
	a->ci.lo = row_real(r);
	a->ci.hi = row_real(r);
	a->n = row_int(r, 0, INT64_MAX);
	row_hash(r, &a->source);
	row_hash(r, &a->device);
	row_text(r, a->device_name, sizeof(a->device_name));
	if (isnan(a->value))
		r->bad = 1;
}

static const struct sql_reader accuracy_reader = {
	sizeof(struct store_accuracy), read_accuracy, NULL};

#define ACCURACY_COLUMNS                                                                 \
	"SELECT c.hash, a.data, a.split, a.method, a.seed, a.metric, a.value, a.ci_lo,"  \
	" a.ci_hi, a.n, a.source, a.device, a.device_name "

enum err store_list_accuracy(struct store *s, int64_t job, const struct hash *candidate,
	struct store_accuracy **out, size_t *n, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e;

	if (candidate)
		e = sql_bind(s,
			ACCURACY_COLUMNS
			"FROM candidate c JOIN accuracy a ON a.candidate=c.id"
			" WHERE c.hash=? ORDER BY a.device_name, a.id",
			SQL_ARGS(arg_hash(candidate)), &st, ctx);
	else
		e = sql_bind(s,
			ACCURACY_COLUMNS
			"FROM job_candidate j JOIN candidate c ON c.id=j.candidate"
			" JOIN accuracy a ON a.candidate=j.candidate WHERE j.job=?"
			" ORDER BY a.device_name, a.id",
			SQL_ARGS(arg_int(job)), &st, ctx);
	return e ? e : sql_list(s, st, &accuracy_reader, (void **)out, n, ctx);
}
