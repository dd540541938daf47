#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/store/sql.h"

static enum err check_sizes(const struct artefact *a, struct err_ctx *ctx)
{
	const uint64_t sizes[] = {a->image_bytes, a->text_bytes, a->weight_bytes,
		a->vocab_bytes, a->data_bytes, a->bss_bytes, a->arena_bytes,
		a->state_bytes, a->flash_bytes, a->stack_bytes};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (sizes[i] > INT64_MAX)
			return err_set(ctx, ERR_INVALID, "size of a build is absurd");
	return ERR_OK;
}

enum err store_put_build(struct store *s, const struct hash *candidate,
	const struct hash *weights, const char *target, const struct artefact *a,
	struct err_ctx *ctx)
{
	int64_t id = 0;
	enum err e = check_sizes(a, ctx);

	if (!e && strlen(target) >= sizeof(((struct store_build *)0)->target))
		e = err_set(ctx, ERR_INVALID, "target name '%.40s' is too long", target);
	if (!e)
		e = sql_begin(s, 1, ctx);
	if (e)
		return e;
	e = sql_candidate_id(s, candidate, &id, ctx);
	if (!e)
		e = sql_run(s,
			"INSERT INTO build(hash, candidate, weights, target, image, path,"
			" compiler, image_bytes, text_bytes, weight_bytes, vocab_bytes,"
			" data_bytes, bss_bytes, arena_bytes, state_bytes, flash_bytes,"
			" stack_bytes)"
			" VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
			" ON CONFLICT DO NOTHING",
			SQL_ARGS(arg_hash(&a->build), arg_int(id), arg_hash(weights),
				arg_text(target), arg_hash(&a->image), arg_text(a->path),
				arg_text(a->compiler), arg_int((int64_t)a->image_bytes),
				arg_int((int64_t)a->text_bytes),
				arg_int((int64_t)a->weight_bytes),
				arg_int((int64_t)a->vocab_bytes),
				arg_int((int64_t)a->data_bytes),
				arg_int((int64_t)a->bss_bytes),
				arg_int((int64_t)a->arena_bytes),
				arg_int((int64_t)a->state_bytes),
				arg_int((int64_t)a->flash_bytes),
				arg_int((int64_t)a->stack_bytes)),
			ctx);
	return sql_end(s, e, ctx);
}

#define SIZE_COLUMNS                                                                     \
	"b.image_bytes, b.text_bytes, b.weight_bytes, b.vocab_bytes, b.data_bytes,"      \
	" b.bss_bytes, b.arena_bytes, b.state_bytes, b.flash_bytes, b.stack_bytes "

static void read_artefact(struct sql_row *r, void *item)
{
	struct artefact *a = item;

	row_hash(r, &a->build);
	row_hash(r, &a->image);
	row_text(r, a->path, sizeof(a->path));
	row_text(r, a->compiler, sizeof(a->compiler));
	a->image_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	a->text_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	a->weight_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	a->vocab_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	a->data_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	a->bss_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	a->arena_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	a->state_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	a->flash_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	a->stack_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
}

static const struct sql_reader artefact_reader = {
	sizeof(struct artefact), read_artefact, NULL};

enum err store_get_build(struct store *s, const struct hash *build, struct artefact *a,
	struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e = sql_bind(s,
		"SELECT b.hash, b.image, b.path, b.compiler, " SIZE_COLUMNS
		"FROM build b WHERE b.hash=?",
		SQL_ARGS(arg_hash(build)), &st, ctx);

	return e ? e : sql_first(s, st, &artefact_reader, a, ctx);
}

static void read_build(struct sql_row *r, void *item)
{
	struct store_build *b = item;
	char compiler[sizeof(((struct artefact *)0)->compiler)];

	row_hash(r, &b->build);
	row_hash(r, &b->candidate);
	row_hash(r, &b->weights);
	row_hash(r, &b->image);
	row_text(r, b->target, sizeof(b->target));
	row_text(r, compiler, sizeof(compiler));
	snprintf(b->compiler, sizeof(b->compiler), "%.*s", (int)sizeof(b->compiler) - 1,
		compiler);
	b->image_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	b->text_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	b->weight_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	b->vocab_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	b->data_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	b->bss_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	b->arena_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	b->state_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	b->flash_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	b->stack_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
}

static const struct sql_reader build_reader = {
	sizeof(struct store_build), read_build, NULL};

#define BUILD_COLUMNS                                                                    \
	"SELECT b.hash, c.hash, b.weights, b.image, b.target, b.compiler, " SIZE_COLUMNS

enum err store_list_builds(struct store *s, int64_t job, const struct hash *candidate,
	struct store_build **out, size_t *n, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e;

	if (candidate)
		e = sql_bind(s,
			BUILD_COLUMNS "FROM candidate c JOIN build b ON b.candidate=c.id"
				      " WHERE c.hash=? ORDER BY b.id",
			SQL_ARGS(arg_hash(candidate)), &st, ctx);
	else
		e = sql_bind(s,
			BUILD_COLUMNS
			"FROM job_candidate j JOIN candidate c ON c.id=j.candidate JOIN"
			" build b ON b.candidate=j.candidate WHERE j.job=? ORDER BY b.id",
			SQL_ARGS(arg_int(job)), &st, ctx);
	return e ? e : sql_list(s, st, &build_reader, (void **)out, n, ctx);
}
