#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/store/sql.h"

#define SPEC_LIMIT (1 << 20)
#define META_LIMIT (1 << 20)

static const char *const states[] = {"running", "stopped", "done", "failed"};

#define JOB_COLUMNS                                                                      \
	"SELECT id, name, spec, spec_text, objectives, state, started_s, updated_s "     \
	"FROM job "

void store_job_release(struct store_job *j)
{
	free(j->spec_text);
	j->spec_text = NULL;
}

static void read_job(struct sql_row *r, void *item)
{
	struct store_job *j = item;

	j->id = row_int(r, 1, INT64_MAX);
	row_text(r, j->name, sizeof(j->name));
	row_hash(r, &j->spec);
	j->spec_text = row_dup(r, SPEC_LIMIT);
	row_text(r, j->objectives, sizeof(j->objectives));
	row_text(r, j->state, sizeof(j->state));
	j->started_s = row_int(r, 0, INT64_MAX);
	j->updated_s = row_int(r, 0, INT64_MAX);
}

static void release_job(void *item)
{
	store_job_release(item);
}

static const struct sql_reader job_reader = {
	sizeof(struct store_job), read_job, release_job};

static enum err create_job(struct store *s, const char *name, const struct hash *spec,
	const char *spec_text, int64_t *id, struct err_ctx *ctx)
{
	int64_t now = clock_unix_s();
	enum err e = sql_begin(s, 1, ctx);

	if (e)
		return e;
	e = sql_run(s,
		"INSERT INTO job(name, spec, spec_text, objectives, state, started_s, "
		"updated_s) VALUES(?, ?, ?, '', 'running', ?, ?)",
		SQL_ARGS(arg_text(name), arg_hash(spec), arg_text(spec_text),
			arg_int(now), arg_int(now)),
		ctx);
	if (!e)
		*id = sqlite3_last_insert_rowid(s->db);
	return sql_end(s, e, ctx);
}

enum err store_job_open(struct store *s, const char *name, const struct hash *spec,
	const char *spec_text, int64_t *id, struct err_ctx *ctx)
{
	struct store_job j;
	int same;
	enum err e;

	if (!name[0] || strlen(name) >= sizeof(j.name))
		return err_set(ctx, ERR_INVALID,
			"job name '%.40s' must have 1 to %zu characters", name,
			sizeof(j.name) - 1);
	if (strlen(spec_text) > SPEC_LIMIT)
		return err_set(ctx, ERR_INVALID, "job '%s' is larger than 1 MiB", name);
	e = store_job_find(s, name, &j, ctx);
	if (e == ERR_NOTFOUND)
		return create_job(s, name, spec, spec_text, id, ctx);
	if (e)
		return e;
	same = hash_equal(&j.spec, spec);
	store_job_release(&j);
	if (!same)
		return err_set(ctx, ERR_INVALID,
			"job '%s' exists with another description: give the changed job "
			"another name",
			name);
	*id = j.id;
	return ERR_OK;
}

enum err store_job_set_state(
	struct store *s, int64_t job, const char *state, struct err_ctx *ctx)
{
	size_t known = 0;
	enum err e;

	while (known < 4 && strcmp(state, states[known]))
		known++;
	if (known == 4)
		return err_set(ctx, ERR_INVALID, "unknown job state '%s'", state);
	e = sql_begin(s, 1, ctx);
	if (e)
		return e;
	e = sql_run(s, "UPDATE job SET state=? WHERE id=?",
		SQL_ARGS(arg_text(state), arg_int(job)), ctx);
	if (!e && !sqlite3_changes(s->db))
		e = err_set(ctx, ERR_NOTFOUND, "unknown job %lld", (long long)job);
	if (!e)
		e = sql_touch_job(s, job, ctx);
	return sql_end(s, e, ctx);
}

enum err store_job_find(
	struct store *s, const char *name, struct store_job *out, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e;

	if (name)
		e = sql_bind(s, JOB_COLUMNS "WHERE name=?", SQL_ARGS(arg_text(name)), &st,
			ctx);
	else
		e = sql_bind(s,
			JOB_COLUMNS
			"ORDER BY objectives='', updated_s DESC, id DESC LIMIT 1",
			NULL, 0, &st, ctx);
	if (!e)
		e = sql_first(s, st, &job_reader, out, ctx);
	if (e == ERR_NOTFOUND && name)
		return err_set(
			ctx, e, "no job '%s': 'hawser status' lists the jobs", name);
	if (e == ERR_NOTFOUND)
		return err_set(
			ctx, e, "no job yet: start one with 'hawser search JOB.yaml'");
	return e;
}

enum err store_job_list(
	struct store *s, struct store_job **out, size_t *n, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e = sql_bind(s, JOB_COLUMNS "ORDER BY id", NULL, 0, &st, ctx);

	return e ? e : sql_list(s, st, &job_reader, (void **)out, n, ctx);
}

enum err store_set_objectives(
	struct store *s, int64_t job, const char *lines, struct err_ctx *ctx)
{
	enum err e;

	if (strlen(lines) >= STORE_OBJECTIVES_MAX)
		return err_set(
			ctx, ERR_INVALID, "objectives '%.60s...' are too long", lines);
	e = sql_begin(s, 1, ctx);
	if (e)
		return e;
	e = sql_run(s, "UPDATE job SET objectives=? WHERE id=?",
		SQL_ARGS(arg_text(lines), arg_int(job)), ctx);
	if (!e && !sqlite3_changes(s->db))
		e = err_set(ctx, ERR_NOTFOUND, "unknown job %lld", (long long)job);
	return sql_end(s, e, ctx);
}

enum err store_put_meta(struct store *s, int64_t job, const char *key, const char *value,
	struct err_ctx *ctx)
{
	struct store_meta m;
	enum err e;

	if (!key[0] || strlen(key) >= sizeof(m.key) || strlen(value) > META_LIMIT)
		return err_set(ctx, ERR_INVALID,
			"meta key or value of '%.40s' is too long", key);
	e = sql_begin(s, 1, ctx);
	if (e)
		return e;
	e = sql_run(s,
		"INSERT INTO meta(job, key, value) VALUES(?, ?, ?)"
		" ON CONFLICT DO UPDATE SET value=excluded.value",
		SQL_ARGS(arg_int(job), arg_text(key), arg_text(value)), ctx);
	return sql_end(s, e, ctx);
}

static void read_meta(struct sql_row *r, void *item)
{
	struct store_meta *m = item;

	row_text(r, m->key, sizeof(m->key));
	m->value = row_dup(r, META_LIMIT);
}

static void release_meta(void *item)
{
	free(((struct store_meta *)item)->value);
}

static const struct sql_reader meta_reader = {
	sizeof(struct store_meta), read_meta, release_meta};

enum err store_get_meta(
	struct store *s, int64_t job, const char *key, char **value, struct err_ctx *ctx)
{
	struct store_meta m;
	sqlite3_stmt *st;
	enum err e = sql_bind(s, "SELECT key, value FROM meta WHERE job=? AND key=?",
		SQL_ARGS(arg_int(job), arg_text(key)), &st, ctx);

	if (!e)
		e = sql_first(s, st, &meta_reader, &m, ctx);
	if (!e)
		*value = m.value;
	return e;
}

enum err store_list_meta(struct store *s, int64_t job, struct store_meta **out, size_t *n,
	struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e = sql_bind(s, "SELECT key, value FROM meta WHERE job=? ORDER BY key",
		SQL_ARGS(arg_int(job)), &st, ctx);

	return e ? e : sql_list(s, st, &meta_reader, (void **)out, n, ctx);
}

void store_meta_free(struct store_meta *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].value);
	free(list);
}
