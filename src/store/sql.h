/* How the store's files talk to SQLite: cached statements, typed arguments, checked rows,
 * transactions. Private to src/store.
 *
 * A row is data from a file that anybody may have damaged: every column is read through
 * a function that checks type, length and range, and marks the row bad instead of
 * passing nonsense on. A bad row ends its query with ERR_CORRUPT.
 *
 * A handle belongs to one thread.
 */
#ifndef HAWSER_STORE_SQL_H
#define HAWSER_STORE_SQL_H

#include <sqlite3.h>

#include "src/store/store.h"

#define SQL_CACHE 64

struct store {
	sqlite3 *db;
	char *path;
	enum store_mode mode;
	int lock_fd;  /* -1 for a reader */
	int durable;  /* PRAGMA synchronous now: 1 FULL, 0 NORMAL, -1 not set */
	int in_batch; /* between store_begin and store_end */
	struct {
		const char *sql; /* a literal, found again by its address */
		sqlite3_stmt *st;
	} cache[SQL_CACHE];
	size_t n_cached;
};

/* SQLite's result to ours; the message starts with "database '<path>'". */
enum err sql_fail(const struct store *s, int rc, struct err_ctx *ctx);
/* Statements without arguments and rows. */
enum err sql_exec(struct store *s, const char *sql, struct err_ctx *ctx);
void sql_release_cache(struct store *s);

/* ---- arguments */
struct sql_arg {
	char kind; /* i d t b */
	int64_t i;
	double d;
	const void *p;
	size_t len;
};
struct sql_arg arg_int(int64_t v);
struct sql_arg arg_real(double v); /* NAN is stored as NULL */
struct sql_arg arg_text(const char *v);
struct sql_arg arg_hash(const struct hash *h);
struct sql_arg arg_blob(const void *p, size_t len);
#define SQL_ARGS(...)                                                                    \
	(const struct sql_arg[]){__VA_ARGS__},                                           \
		sizeof((const struct sql_arg[]){__VA_ARGS__}) / sizeof(struct sql_arg)

/* A cached statement, reset, with its arguments bound. `sql` is a literal. Texts and
 * blobs are borrowed until the statement is reset. */
enum err sql_bind(struct store *s, const char *sql, const struct sql_arg *args, size_t n,
	sqlite3_stmt **st, struct err_ctx *ctx);
/* One step. *got: 1 a row, 0 the end (the statement is then reset). */
enum err sql_step(struct store *s, sqlite3_stmt *st, int *got, struct err_ctx *ctx);
/* Bind and run to its end. */
enum err sql_run(struct store *s, const char *sql, const struct sql_arg *args, size_t n,
	struct err_ctx *ctx);
/* The first column of the first row; `fallback` when there is none. */
enum err sql_number(struct store *s, const char *sql, const struct sql_arg *args,
	size_t n, int64_t fallback, int64_t *out, struct err_ctx *ctx);

/* ---- rows */
struct sql_row {
	sqlite3_stmt *st;
	int next; /* column that is read next */
	int bad;
	int no_memory;
};
int64_t row_int(struct sql_row *r, int64_t lo, int64_t hi);
double row_real(struct sql_row *r);	/* NULL: NAN; infinite is bad */
double row_positive(struct sql_row *r); /* finite and > 0 */
void row_hash(struct sql_row *r, struct hash *out);
void row_text(struct sql_row *r, char *out, size_t cap);
char *row_dup(struct sql_row *r, size_t limit); /* NULL with `bad` or `no_memory` set */
const void *row_blob(struct sql_row *r, size_t *len);

/* How a query's rows become an array. `read` fills one zeroed item; `release` (may be
 * NULL) frees what a read item owns. An item whose row was bad is released too. */
struct sql_reader {
	size_t item_size;
	void (*read)(struct sql_row *r, void *item);
	void (*release)(void *item);
};
enum err sql_list(struct store *s, sqlite3_stmt *st, const struct sql_reader *reader,
	void **out, size_t *n, struct err_ctx *ctx);
/* The first row into `item`; ERR_NOTFOUND, context untouched, when there is none. */
enum err sql_first(struct store *s, sqlite3_stmt *st, const struct sql_reader *reader,
	void *item, struct err_ctx *ctx);

/* ---- transactions. sql_end commits when `e` is ERR_OK and rolls back otherwise; it
 * returns `e`, or what the commit says. Inside store_begin..store_end they nest. */
enum err sql_begin(struct store *s, int durable, struct err_ctx *ctx);
enum err sql_end(struct store *s, enum err e, struct err_ctx *ctx);

/* Rows of the table called `t` that job ?1 took, or a job over the same data. */
#define SQL_TAKEN_OVER_SAME_DATA(t)                                                      \
	"(" t ".job=?1 OR " t ".job IN (SELECT o.id FROM job o WHERE"                    \
	" (SELECT value FROM meta WHERE job=o.id AND key='data') IS"                     \
	" (SELECT value FROM meta WHERE job=?1 AND key='data')))"

/* The row id of a candidate; ERR_NOTFOUND names it. */
enum err sql_candidate_id(
	struct store *s, const struct hash *h, int64_t *id, struct err_ctx *ctx);
/* Marks the job as updated now. */
enum err sql_touch_job(struct store *s, int64_t job, struct err_ctx *ctx);

#endif
