#include "src/store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/store/lock.h"
#include "src/store/schema.h"
#include "src/store/sql.h"

#define BUSY_MS 10000
/* One page of the smallest size: SQLite takes anything shorter for an empty database. */
#define SMALLEST_DATABASE 512
/* Every page is looked at on opening while that takes a fraction of a second. */
#define QUICK_CHECK_BYTES (16 << 20)

/* What lies at the path. By stat only: to open and close a file that SQLite has open in
 * this process would drop SQLite's locks on it. size -1: nothing there. */
static enum err look(const char *path, int64_t *size, struct err_ctx *ctx)
{
	struct stat st;

	*size = -1;
	if (stat(path, &st)) {
		if (errno == ENOENT)
			return ERR_OK;
		return err_set(
			ctx, ERR_IO, "cannot open '%s': %s", path, strerror(errno));
	}
	if (!S_ISREG(st.st_mode))
		return err_set(ctx, ERR_CORRUPT, "'%s' is not a file", path);
	if (st.st_size > 0 && st.st_size < SMALLEST_DATABASE)
		return err_set(ctx, ERR_CORRUPT,
			"'%s' is not a hawser database: choose another folder with "
			"--results",
			path);
	*size = (int64_t)st.st_size;
	return ERR_OK;
}

static void set_pragmas(struct store *s)
{
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, BUSY_MS);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_exec(s->db, "PRAGMA foreign_keys=ON; PRAGMA cell_size_check=ON", NULL,
		NULL, NULL);
}

static void disconnect(struct store *s)
{
	sql_release_cache(s);
	if (s->db)
		sqlite3_close(s->db);
	s->db = NULL;
	s->durable = -1;
}

static enum err connect_flags(
	struct store *s, const char *name, int flags, struct err_ctx *ctx)
{
	int rc = sqlite3_open_v2(name, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	enum err e;

	if (rc != SQLITE_OK) {
		e = sql_fail(s, rc, ctx);
		disconnect(s);
		return e;
	}
	set_pragmas(s);
	return ERR_OK;
}

/* "file:<escaped path>?immutable=1" */
static char *immutable_uri(const char *path)
{
	static const char hex[] = "0123456789abcdef";
	char *uri = malloc(strlen(path) * 3 + 32), *to = uri;

	if (!uri)
		return NULL;
	to += sprintf(to, "file:");
	for (const char *c = path; *c; c++) {
		if (strchr("?#%", *c)) {
			*to++ = '%';
			*to++ = hex[(unsigned char)*c >> 4];
			*to++ = hex[(unsigned char)*c & 15];
		} else {
			*to++ = *c;
		}
	}
	sprintf(to, "?immutable=1");
	return uri;
}

static int has_log(const char *path)
{
	size_t len = strlen(path) + 5;
	char *name = malloc(len);
	struct stat st;
	int has;

	if (!name)
		return 1;
	snprintf(name, len, "%s-wal", path);
	has = !stat(name, &st) && st.st_size > 0;
	free(name);
	return has;
}

/* Reading: a folder that cannot be written to has no room for SQLite's shared index; when
 * no log lies there either, nobody writes and the file can be read as it is. */
static enum err connect_reader(struct store *s, struct err_ctx *ctx)
{
	enum err e = connect_flags(s, s->path, SQLITE_OPEN_READONLY, ctx);
	int64_t ignored;
	char *uri;

	if (e)
		return e;
	e = sql_number(s, "PRAGMA schema_version", NULL, 0, 0, &ignored, ctx);
	if (e != ERR_IO || has_log(s->path))
		return e;
	disconnect(s);
	uri = immutable_uri(s->path);
	if (!uri)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	e = connect_flags(s, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, ctx);
	free(uri);
	return e;
}

/* Ours, and of which version? 0: an empty database, of nobody yet. */
static enum err identify(
	struct store *s, const struct schema *schema, int *version, struct err_ctx *ctx)
{
	int64_t id, v, n_tables;
	enum err e = sql_number(s, "PRAGMA application_id", NULL, 0, 0, &id, ctx);

	if (!e)
		e = sql_number(s, "PRAGMA user_version", NULL, 0, 0, &v, ctx);
	if (!e)
		e = sql_number(s, "SELECT count(*) FROM sqlite_master", NULL, 0, 0,
			&n_tables, ctx);
	if (e)
		return e;
	if (id == 0 && v == 0 && n_tables == 0) {
		*version = 0;
		return ERR_OK;
	}
	if (id != STORE_APPLICATION_ID || v < 1)
		return err_set(ctx, ERR_CORRUPT,
			"'%s' is a database of another program: choose another folder "
			"with --results",
			s->path);
	if (v > schema->n_steps)
		return err_set(ctx, ERR_UNSUPPORTED,
			"database '%s' has schema %d, this hawser knows %d: use a newer "
			"hawser",
			s->path, (int)v, schema->n_steps);
	*version = (int)v;
	return ERR_OK;
}

static enum err quick_check(struct store *s, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	const char *text;
	int got;
	enum err e = sql_bind(s, "PRAGMA quick_check(1)", NULL, 0, &st, ctx);

	if (!e)
		e = sql_step(s, st, &got, ctx);
	if (e)
		return e;
	text = got ? (const char *)sqlite3_column_text(st, 0) : NULL;
	if (!text || strcmp(text, "ok"))
		e = err_set(ctx, ERR_CORRUPT,
			"database '%s' is damaged (%.200s): restore a copy or move it "
			"away",
			s->path, text ? text : "no answer");
	sqlite3_reset(st);
	return e;
}

/* A file that was cut within its last page reads as if zeros stood there. While a log lies
 * beside it, its last pages may be in that alone; what is open here keeps the log. */
static enum err check_length(struct store *s, struct err_ctx *ctx)
{
	int64_t pages, page_bytes, size;
	enum err e = sql_number(s, "PRAGMA page_count", NULL, 0, 0, &pages, ctx);

	if (!e)
		e = sql_number(s, "PRAGMA page_size", NULL, 0, 0, &page_bytes, ctx);
	if (!e)
		e = look(s->path, &size, ctx);
	if (e || size >= pages * page_bytes || has_log(s->path))
		return e;
	return err_set(ctx, ERR_CORRUPT,
		"database '%s' is damaged (cut off after %lld of %lld bytes): restore a "
		"copy or move it away",
		s->path, (long long)size, (long long)(pages * page_bytes));
}

static enum err use_log(struct store *s, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	int got, ok;
	enum err e = sql_bind(s, "PRAGMA journal_mode=WAL", NULL, 0, &st, ctx);

	if (!e)
		e = sql_step(s, st, &got, ctx);
	if (e)
		return e;
	ok = got && !sqlite3_stricmp((const char *)sqlite3_column_text(st, 0), "wal");
	sqlite3_reset(st);
	return ok ? ERR_OK
		  : err_set(ctx, ERR_IO,
			    "cannot keep a write-ahead log beside '%s': choose a folder "
			    "on a local disk with --results",
			    s->path);
}

/* A writing connection to a file that is known to be ours or empty. */
static enum err connect_writer(
	struct store *s, const struct schema *schema, struct err_ctx *ctx)
{
	int version = 0;
	enum err e = connect_flags(
		s, s->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, ctx);

	if (!e)
		e = identify(s, schema, &version, ctx);
	if (!e)
		e = use_log(s, ctx);
	if (!e && version < schema->n_steps)
		e = schema_migrate(s, schema, version, ctx);
	return e;
}

/* Everything that may refuse a file happens on a reading connection, which cannot change
 * it. */
static enum err inspect(struct store *s, const struct schema *schema, int64_t size,
	int *version, struct err_ctx *ctx)
{
	enum err e = connect_reader(s, ctx);

	if (!e)
		e = identify(s, schema, version, ctx);
	if (!e)
		e = check_length(s, ctx);
	if (!e && size <= QUICK_CHECK_BYTES)
		e = quick_check(s, ctx);
	return e;
}

static enum err open_reader(
	struct store *s, const struct schema *schema, int64_t size, struct err_ctx *ctx)
{
	struct store *writer;
	int version = 0;
	enum err e;

	if (size < 0)
		return err_set(ctx, ERR_NOTFOUND,
			"no database '%s' yet: 'hawser search' makes it", s->path);
	e = inspect(s, schema, size, &version, ctx);
	if (e)
		return e;
	if (version == 0)
		return err_set(ctx, ERR_NOTFOUND,
			"database '%s' is empty: 'hawser search' fills it", s->path);
	if (version == schema->n_steps)
		return ERR_OK;
	/* An older schema: bring it forward as a writer, then read. */
	disconnect(s);
	e = store_open_schema(&writer, s->path, STORE_WRITE, schema, ctx);
	if (e)
		return e;
	store_close(writer);
	return connect_reader(s, ctx);
}

static enum err open_writer(
	struct store *s, const struct schema *schema, int64_t size, struct err_ctx *ctx)
{
	int version;
	enum err e = ERR_OK;

	if (size > 0) {
		e = inspect(s, schema, size, &version, ctx);
		disconnect(s);
	}
	if (!e)
		e = lock_take(s->path, &s->lock_fd, ctx);
	if (!e)
		e = connect_writer(s, schema, ctx);
	return e;
}

enum err store_open_schema(struct store **out, const char *path, enum store_mode mode,
	const struct schema *schema, struct err_ctx *ctx)
{
	struct store *s = calloc(1, sizeof(*s));
	int64_t size;
	enum err e;

	if (s)
		s->path = strdup(path);
	if (!s || !s->path) {
		free(s);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	s->mode = mode;
	s->lock_fd = -1;
	s->durable = -1;
	e = look(path, &size, ctx);
	if (!e && mode == STORE_READ)
		e = open_reader(s, schema, size, ctx);
	else if (!e)
		e = open_writer(s, schema, size, ctx);
	if (e) {
		store_close(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

enum err store_open(
	struct store **out, const char *path, enum store_mode mode, struct err_ctx *ctx)
{
	return store_open_schema(out, path, mode, &store_schema, ctx);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	disconnect(s);
	lock_release(s->lock_fd);
	free(s->path);
	free(s);
}

const char *store_path(const struct store *s)
{
	return s->path;
}
