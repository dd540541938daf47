#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/store/sql.h"

#define EVENT_LIMIT (64 << 10)

/* ---- failures */

enum err store_put_failure(
	struct store *s, int64_t job, const struct store_failure *f, struct err_ctx *ctx)
{
	int64_t candidate = 0;
	enum err e;

	if (f->verdict <= VERDICT_OK || f->verdict >= N_VERDICTS)
		return err_set(ctx, ERR_INVALID, "a failure needs a verdict");
	e = sql_begin(s, 1, ctx);
	if (e)
		return e;
	e = sql_candidate_id(s, &f->candidate, &candidate, ctx);
	if (!e)
		e = sql_run(s,
			"INSERT INTO failure(job, candidate, build, device, look,"
			" verdict, blames, detail, at_s) VALUES(?,?,?,?,?,?,?,?,?)",
			SQL_ARGS(arg_int(job), arg_int(candidate), arg_hash(&f->build),
				arg_hash(&f->device), arg_int(f->look),
				arg_text(verdict_names[f->verdict]),
				arg_int(verdict_blames_candidate(f->verdict) != 0),
				arg_text(f->detail),
				arg_int(f->at_s ? f->at_s : clock_unix_s())),
			ctx);
	if (!e)
		e = sql_touch_job(s, job, ctx);
	return sql_end(s, e, ctx);
}

static void read_failure(struct sql_row *r, void *item)
{
	struct store_failure *f = item;
	char verdict[32];
	int v = VERDICT_OK;

	row_hash(r, &f->candidate);
	row_hash(r, &f->build);
	row_hash(r, &f->device);
	f->look = (uint32_t)row_int(r, 0, UINT32_MAX);
	row_text(r, verdict, sizeof(verdict));
	row_text(r, f->detail, sizeof(f->detail));
	f->at_s = row_int(r, 0, INT64_MAX);
	while (v < N_VERDICTS && strcmp(verdict, verdict_names[v]))
		v++;
	if (v == N_VERDICTS || v == VERDICT_OK)
		r->bad = 1;
	else
		f->verdict = (enum verdict)v;
}

static const struct sql_reader failure_reader = {
	sizeof(struct store_failure), read_failure, NULL};

#define FAILURE_COLUMNS                                                                  \
	"SELECT c.hash, f.build, f.device, f.look, f.verdict, f.detail, f.at_s "

enum err store_get_failure(struct store *s, const struct hash *candidate,
	const struct hash *build, const struct hash *device, uint32_t look,
	struct store_failure *out, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e = sql_bind(s,
		FAILURE_COLUMNS
		"FROM candidate c JOIN failure f ON f.candidate=c.id"
		" WHERE f.blames=1 AND c.hash=? AND f.build=? AND f.device=?"
		" AND f.look=?",
		SQL_ARGS(arg_hash(candidate), arg_hash(build), arg_hash(device),
			arg_int(look)),
		&st, ctx);

	return e ? e : sql_first(s, st, &failure_reader, out, ctx);
}

enum err store_list_failures(struct store *s, int64_t job, struct store_failure **out,
	size_t *n, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e = sql_bind(s,
		FAILURE_COLUMNS
		"FROM job_candidate j JOIN candidate c ON c.id=j.candidate"
		" JOIN failure f ON f.candidate=j.candidate"
		" WHERE j.job=?1 AND " SQL_TAKEN_OVER_SAME_DATA("f") " ORDER BY f.id",
		SQL_ARGS(arg_int(job)), &st, ctx);

	return e ? e : sql_list(s, st, &failure_reader, (void **)out, n, ctx);
}

/* ---- generations */

enum err store_put_generation(struct store *s, int64_t job,
	const struct store_generation *g, struct err_ctx *ctx)
{
	enum err e = sql_begin(s, 0, ctx);

	if (e)
		return e;
	e = sql_run(s,
		"INSERT OR REPLACE INTO generation(job, generation, n_candidates,"
		" n_measured, hv_claimed, hv_remeasured, model, model_mape, model_tau)"
		" VALUES(?,?,?,?,?,?,?,?,?)",
		SQL_ARGS(arg_int(job), arg_int(g->generation), arg_int(g->n_candidates),
			arg_int(g->n_measured), arg_real(g->hv_claimed),
			arg_real(g->hv_remeasured), arg_text(g->model),
			arg_real(g->model_mape), arg_real(g->model_tau)),
		ctx);
	if (!e)
		e = sql_touch_job(s, job, ctx);
	return sql_end(s, e, ctx);
}

static void read_generation(struct sql_row *r, void *item)
{
	struct store_generation *g = item;

	g->generation = (int)row_int(r, INT32_MIN, INT32_MAX);
	g->n_candidates = (int)row_int(r, 0, INT32_MAX);
	g->n_measured = (int)row_int(r, 0, INT32_MAX);
	g->hv_claimed = row_real(r);
	g->hv_remeasured = row_real(r);
	row_text(r, g->model, sizeof(g->model));
	g->model_mape = row_real(r);
	g->model_tau = row_real(r);
}

static const struct sql_reader generation_reader = {
	sizeof(struct store_generation), read_generation, NULL};

enum err store_list_generations(struct store *s, int64_t job,
	struct store_generation **out, size_t *n, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e = sql_bind(s,
		"SELECT generation, n_candidates, n_measured, hv_claimed, hv_remeasured, "
		"model,"
		" model_mape, model_tau FROM generation WHERE job=? ORDER BY generation",
		SQL_ARGS(arg_int(job)), &st, ctx);

	return e ? e : sql_list(s, st, &generation_reader, (void **)out, n, ctx);
}

/* ---- predictions */

enum err store_put_prediction(struct store *s, int64_t job, const struct hash *candidate,
	const char *objective, const char *model, double mean, double sd,
	struct err_ctx *ctx)
{
	struct store_prediction p;
	int64_t id = 0;
	enum err e;

	if (strlen(objective) >= sizeof(p.objective) || strlen(model) >= sizeof(p.model))
		return err_set(ctx, ERR_INVALID, "name of objective '%.60s' is too long",
			objective);
	if (!isfinite(mean))
		return err_set(
			ctx, ERR_INVALID, "prediction of %s is not a number", objective);
	e = sql_begin(s, 0, ctx);
	if (e)
		return e;
	e = sql_candidate_id(s, candidate, &id, ctx);
	if (!e)
		e = sql_run(s,
			"INSERT INTO prediction(job, candidate, objective, model, mean,"
			" sd) VALUES(?,?,?,?,?,?) ON CONFLICT DO UPDATE SET"
			" model=excluded.model, mean=excluded.mean, sd=excluded.sd",
			SQL_ARGS(arg_int(job), arg_int(id), arg_text(objective),
				arg_text(model), arg_real(mean),
				arg_real(isfinite(sd) ? sd : NAN)),
			ctx);
	return sql_end(s, e, ctx);
}

static void read_prediction(struct sql_row *r, void *item)
{
	struct store_prediction *p = item;

	row_hash(r, &p->candidate);
	row_text(r, p->objective, sizeof(p->objective));
	row_text(r, p->model, sizeof(p->model));
	p->mean = row_real(r);
	p->sd = row_real(r);
}

static const struct sql_reader prediction_reader = {
	sizeof(struct store_prediction), read_prediction, NULL};

enum err store_list_predictions(struct store *s, int64_t job,
	struct store_prediction **out, size_t *n, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e = sql_bind(s,
		"SELECT c.hash, p.objective, p.model, p.mean, p.sd FROM prediction p"
		" JOIN candidate c ON c.id=p.candidate WHERE p.job=? ORDER BY p.id",
		SQL_ARGS(arg_int(job)), &st, ctx);

	return e ? e : sql_list(s, st, &prediction_reader, (void **)out, n, ctx);
}

/* ---- events */

enum err store_put_event(struct store *s, int64_t job, const char *kind, const char *text,
	struct err_ctx *ctx)
{
	enum err e;

	if (strlen(kind) >= sizeof(((struct store_event *)0)->kind))
		return err_set(ctx, ERR_INVALID, "event kind '%.40s' is too long", kind);
	e = sql_begin(s, 0, ctx);
	if (e)
		return e;
	e = sql_run(s,
		"INSERT INTO event(job, at_s, kind, text) VALUES(?,?,?,substr(?,1,?))",
		SQL_ARGS(arg_int(job), arg_int(clock_unix_s()), arg_text(kind),
			arg_text(text), arg_int(EVENT_LIMIT / 4)),
		ctx);
	return sql_end(s, e, ctx);
}

static void read_event(struct sql_row *r, void *item)
{
	struct store_event *v = item;

	v->at_s = row_int(r, 0, INT64_MAX);
	row_text(r, v->kind, sizeof(v->kind));
	v->text = row_dup(r, EVENT_LIMIT);
}

static void release_event(void *item)
{
	free(((struct store_event *)item)->text);
}

static const struct sql_reader event_reader = {
	sizeof(struct store_event), read_event, release_event};

enum err store_list_events(struct store *s, int64_t job, size_t limit,
	struct store_event **out, size_t *n, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e = sql_bind(s,
		"SELECT at_s, kind, text FROM (SELECT id, at_s, kind, text FROM event"
		" WHERE job=? ORDER BY id DESC LIMIT ?) ORDER BY id",
		SQL_ARGS(arg_int(job), arg_int(limit > INT32_MAX ? -1 : (int64_t)limit)),
		&st, ctx);

	return e ? e : sql_list(s, st, &event_reader, (void **)out, n, ctx);
}

void store_events_free(struct store_event *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].text);
	free(list);
}
