#include "src/store/sql.h"

#include <errno.h>
#include <string.h>

#include "src/base/clock.h"

static enum err code_of(const struct store *s, int rc)
{
	int os = s->db ? sqlite3_system_errno(s->db) : 0;

	/* SQLite forgets the system's error when a commit fails; errno still has it. */
	if (!os)
		os = errno;
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return ERR_OK;
	case SQLITE_NOMEM:
		return ERR_NOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_FULL:
		return ERR_FULL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_MISMATCH:
	case SQLITE_ERROR: /* our statements are right, so the schema is not ours */
	case SQLITE_SCHEMA:
		return ERR_CORRUPT;
	case SQLITE_CONSTRAINT:
		if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY)
			return ERR_EXISTS;
		return ERR_INVALID;
	case SQLITE_IOERR:
		if (os == ENOSPC || os == EDQUOT || os == EFBIG)
			return ERR_FULL;
		return ERR_IO;
	default:
		return ERR_IO;
	}
}

enum err sql_fail(const struct store *s, int rc, struct err_ctx *ctx)
{
	enum err e = code_of(s, rc);
	const char *text = s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);

	if ((rc & 0xff) == SQLITE_NOTADB)
		return err_set(ctx, e,
			"'%s' is not a hawser database: choose another folder with "
			"--results",
			s->path);
	switch (e) {
	case ERR_OK:
		return ERR_OK;
	case ERR_FULL:
		return err_set(ctx, e,
			"no space left for the database '%s': what was stored before is "
			"safe, free some space and start again",
			s->path);
	case ERR_CORRUPT:
		return err_set(ctx, e,
			"database '%s' is damaged (%s): restore a copy or move it away",
			s->path, text);
	case ERR_BUSY:
		return err_set(ctx, e, "database '%s' is in use (%s)", s->path, text);
	case ERR_EXISTS:
		return err_set(
			ctx, e, "database '%s': the fact is stored already", s->path);
	default:
		return err_set(ctx, e, "database '%s': %s", s->path, text);
	}
}

enum err sql_exec(struct store *s, const char *sql, struct err_ctx *ctx)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? ERR_OK : sql_fail(s, rc, ctx);
}

void sql_release_cache(struct store *s)
{
	for (size_t i = 0; i < s->n_cached; i++)
		sqlite3_finalize(s->cache[i].st);
	s->n_cached = 0;
}

struct sql_arg arg_int(int64_t v)
{
	return (struct sql_arg){.kind = 'i', .i = v};
}

struct sql_arg arg_real(double v)
{
	return (struct sql_arg){.kind = 'd', .d = v};
}

struct sql_arg arg_text(const char *v)
{
	return (struct sql_arg){.kind = 't', .p = v, .len = v ? strlen(v) : 0};
}

struct sql_arg arg_blob(const void *p, size_t len)
{
	return (struct sql_arg){.kind = 'b', .p = p, .len = len};
}

struct sql_arg arg_hash(const struct hash *h)
{
	return arg_blob(h->b, HASH_BYTES);
}

static int bind_one(sqlite3_stmt *st, int at, const struct sql_arg *a)
{
	switch (a->kind) {
	case 'i':
		return sqlite3_bind_int64(st, at, a->i);
	case 'd':
		return sqlite3_bind_double(st, at, a->d);
	case 't':
		return sqlite3_bind_text64(
			st, at, a->p, a->len, SQLITE_STATIC, SQLITE_UTF8);
	default:
		if (!a->len) /* an empty blob is not NULL */
			return sqlite3_bind_zeroblob(st, at, 0);
		return sqlite3_bind_blob64(st, at, a->p, a->len, SQLITE_STATIC);
	}
}

static enum err cached(
	struct store *s, const char *sql, sqlite3_stmt **st, struct err_ctx *ctx)
{
	sqlite3_stmt *made;
	int rc;

	for (size_t i = 0; i < s->n_cached; i++) {
		if (s->cache[i].sql == sql) {
			*st = s->cache[i].st;
			return ERR_OK;
		}
	}
	if (s->n_cached == SQL_CACHE)
		sql_release_cache(s);
	rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, NULL);
	if (rc != SQLITE_OK)
		return sql_fail(s, rc, ctx);
	s->cache[s->n_cached].sql = sql;
	s->cache[s->n_cached++].st = made;
	*st = made;
	return ERR_OK;
}

enum err sql_bind(struct store *s, const char *sql, const struct sql_arg *args, size_t n,
	sqlite3_stmt **st, struct err_ctx *ctx)
{
	enum err e = cached(s, sql, st, ctx);

	if (e)
		return e;
	sqlite3_reset(*st);
	sqlite3_clear_bindings(*st);
	for (size_t i = 0; i < n; i++) {
		int rc = bind_one(*st, (int)i + 1, &args[i]);

		if (rc != SQLITE_OK)
			return sql_fail(s, rc, ctx);
	}
	return ERR_OK;
}

enum err sql_step(struct store *s, sqlite3_stmt *st, int *got, struct err_ctx *ctx)
{
	int rc = sqlite3_step(st);

	*got = rc == SQLITE_ROW;
	if (rc == SQLITE_ROW)
		return ERR_OK;
	if (rc != SQLITE_DONE) {
		enum err e = sql_fail(s, sqlite3_extended_errcode(s->db), ctx);

		sqlite3_reset(st);
		return e;
	}
	sqlite3_reset(st);
	return ERR_OK;
}

enum err sql_run(struct store *s, const char *sql, const struct sql_arg *args, size_t n,
	struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	int got = 1;
	enum err e = sql_bind(s, sql, args, n, &st, ctx);

	while (!e && got)
		e = sql_step(s, st, &got, ctx);
	return e;
}

enum err sql_number(struct store *s, const char *sql, const struct sql_arg *args,
	size_t n, int64_t fallback, int64_t *out, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	int got = 0;
	enum err e = sql_bind(s, sql, args, n, &st, ctx);

	if (!e)
		e = sql_step(s, st, &got, ctx);
	if (e)
		return e;
	*out = got ? sqlite3_column_int64(st, 0) : fallback;
	sqlite3_reset(st);
	return ERR_OK;
}

static enum err set_durable(struct store *s, int durable, struct err_ctx *ctx)
{
	enum err e;

	if (s->durable == durable)
		return ERR_OK;
	e = sql_exec(s, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
		ctx);
	if (!e)
		s->durable = durable;
	return e;
}

enum err sql_begin(struct store *s, int durable, struct err_ctx *ctx)
{
	enum err e;

	if (s->mode != STORE_WRITE)
		return err_set(ctx, ERR_INVALID, "database '%s' is open for reading only",
			s->path);
	if (s->in_batch)
		return sql_exec(s, "SAVEPOINT fact", ctx);
	e = set_durable(s, durable, ctx);
	if (!e)
		e = sql_exec(s, "BEGIN IMMEDIATE", ctx);
	return e;
}

enum err sql_end(struct store *s, enum err e, struct err_ctx *ctx)
{
	if (!e)
		e = sql_exec(s, s->in_batch ? "RELEASE fact" : "COMMIT", ctx);
	if (!e)
		return ERR_OK;
	/* The reason is in the context already; a rollback that fails (SQLite has rolled
	 * back by itself when the disk is full) must not hide it. */
	if (s->in_batch)
		sql_exec(s, "ROLLBACK TO fact; RELEASE fact", NULL);
	else if (!sqlite3_get_autocommit(s->db))
		sql_exec(s, "ROLLBACK", NULL);
	return e;
}

enum err store_begin(struct store *s, struct err_ctx *ctx)
{
	enum err e = sql_begin(s, 1, ctx);

	if (!e)
		s->in_batch = 1;
	return e;
}

enum err store_end(struct store *s, enum err e, struct err_ctx *ctx)
{
	s->in_batch = 0;
	return sql_end(s, e, ctx);
}

enum err store_snapshot(struct store *s, struct err_ctx *ctx)
{
	return sqlite3_get_autocommit(s->db) ? sql_exec(s, "BEGIN", ctx) : ERR_OK;
}

void store_snapshot_end(struct store *s)
{
	if (!s->in_batch && !sqlite3_get_autocommit(s->db))
		sql_exec(s, "COMMIT", NULL);
}

enum err sql_candidate_id(
	struct store *s, const struct hash *h, int64_t *id, struct err_ctx *ctx)
{
	char hex[HASH_HEX + 1];
	enum err e = sql_number(s, "SELECT id FROM candidate WHERE hash=?",
		SQL_ARGS(arg_hash(h)), -1, id, ctx);

	if (!e && *id < 0) {
		hash_to_hex(h, hex);
		return err_set(
			ctx, ERR_NOTFOUND, "unknown candidate '%.*s'", HASH_SHORT, hex);
	}
	return e;
}

enum err sql_touch_job(struct store *s, int64_t job, struct err_ctx *ctx)
{
	return sql_run(s, "UPDATE job SET updated_s=? WHERE id=?",
		SQL_ARGS(arg_int(clock_unix_s()), arg_int(job)), ctx);
}
