#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/store/sql.h"

#define SAMPLES_MAX (1u << 22) /* of one process */
#define RUNS_MAX 100000u

/* ---- samples on disk: n wall times, then n CPU times, f32 little endian */

static void put_f32(uint8_t *to, const float *x, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, &x[i], sizeof(bits));
		for (unsigned b = 0; b < 4; b++)
			to[4 * i + b] = (uint8_t)(bits >> (8 * b));
	}
}

static void get_f32(float *x, const uint8_t *from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t bits = 0;

		for (unsigned b = 0; b < 4; b++)
			bits |= (uint32_t)from[4 * i + b] << (8 * b);
		memcpy(&x[i], &bits, sizeof(bits));
	}
}

/* Counted instructions; NULL where times were taken. */
static struct sql_arg arg_count(double n)
{
	return arg_real(n > 0 ? n : NAN);
}

static double row_count(struct sql_row *r)
{
	double n = row_real(r);

	return n > 0 ? n : 0;
}

/* ---- put */

static enum err check_measurement(const struct measurement *m, struct err_ctx *ctx)
{
	const double cost = m->instructions > 0 ? m->instructions : m->latency_ns;

	if (!isfinite(cost) || cost <= 0)
		return err_set(ctx, ERR_INVALID,
			"a measurement's latency or count must be positive");
	if ((m->instructions > 0 && !isnan(m->latency_ns)) ||
		(m->step_instructions > 0 && !(m->instructions > 0)))
		return err_set(ctx, ERR_INVALID,
			"a measurement has a latency and a count of an emulator");
	if (m->n_runs > RUNS_MAX || m->peak_rss_bytes > INT64_MAX || m->look < 1)
		return err_set(ctx, ERR_INVALID, "a measurement's figures are absurd");
	for (uint32_t i = 0; i < m->n_runs; i++)
		if (m->runs[i].n > SAMPLES_MAX || m->runs[i].steps.n > SAMPLES_MAX ||
			m->runs[i].peak_rss_bytes > INT64_MAX)
			return err_set(ctx, ERR_INVALID,
				"run %u of a measurement has absurd figures", i);
	return ERR_OK;
}

static enum err put_run(
	struct store *s, int64_t id, const struct process_run *r, struct err_ctx *ctx)
{
	size_t len = (size_t)r->n * 8, step_len = (size_t)r->steps.n * 8;
	uint8_t *blob = malloc(len + step_len + 1), *steps = blob + len;
	enum err e;

	if (!blob)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	put_f32(blob, r->wall_ns, r->n);
	put_f32(blob + len / 2, r->cpu_ns, r->n);
	put_f32(steps, r->steps.wall_ns, r->steps.n);
	put_f32(steps + step_len / 2, r->steps.cpu_ns, r->steps.n);
	e = sql_run(s,
		"INSERT INTO run(measurement, at, run_order, n, inner_n, n_vcsw, n_ivcsw,"
		" peak_rss_bytes, freq_khz, temp_mc, reference_ratio, energy_uj, samples,"
		" step_n, step_inner, step_samples, instructions, n_quota, quota_us,"
		" n_slowed, idle_uw, window_ns, stack_bytes, step_instructions)"
		" VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		SQL_ARGS(arg_int(id), arg_int(r->index), arg_int(r->order), arg_int(r->n),
			arg_int(r->inner), arg_int(r->n_vcsw), arg_int(r->n_ivcsw),
			arg_int((int64_t)r->peak_rss_bytes), arg_int(r->freq_khz),
			arg_int(r->temp_mc), arg_real(r->reference_ratio),
			arg_real(r->energy_uj), arg_blob(blob, len), arg_int(r->steps.n),
			arg_int(r->steps.inner), arg_blob(steps, step_len),
			arg_count(r->instructions), arg_int(r->n_quota),
			arg_int(r->quota_us), arg_int(r->n_slowed), arg_real(r->idle_uw),
			arg_real(r->window_ns), arg_int(r->stack_bytes),
			arg_count(r->steps.instructions)),
		ctx);
	free(blob);
	return e;
}

static enum err put_summary(struct store *s, int64_t job, int64_t candidate,
	const char *device_name, const struct measurement *m, struct err_ctx *ctx)
{
	return sql_run(s,
		"INSERT INTO measurement(job, candidate, build, device, device_name,"
		" protocol, look, resolved, n_runs, latency_ns, latency_lo, latency_hi,"
		" wall_p50_ns, wall_p90_ns, wall_p99_ns, peak_rss_bytes, energy_uj,"
		" energy_lo, energy_hi, energy_source, taken_s, step_ns, step_lo,"
		" step_hi, n_cached, instructions, n_throttled, idle_uw, window_ns,"
		" stack_bytes, step_instructions)"
		" VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		SQL_ARGS(arg_int(job), arg_int(candidate), arg_hash(&m->build),
			arg_hash(&m->device), arg_text(device_name), arg_int(m->protocol),
			arg_int(m->look), arg_int(m->resolved != 0), arg_int(m->n_runs),
			arg_real(m->latency_ns), arg_real(m->latency_ci.lo),
			arg_real(m->latency_ci.hi), arg_real(m->wall_p50_ns),
			arg_real(m->wall_p90_ns), arg_real(m->wall_p99_ns),
			arg_int((int64_t)m->peak_rss_bytes), arg_real(m->energy_uj),
			arg_real(m->energy_ci.lo), arg_real(m->energy_ci.hi),
			arg_text(m->energy_source), arg_int(clock_unix_s()),
			arg_real(m->step_ns), arg_real(m->step_ci.lo),
			arg_real(m->step_ci.hi), arg_int(m->n_cached),
			arg_count(m->instructions), arg_int(m->n_throttled),
			arg_real(m->idle_uw), arg_real(m->window_ns),
			arg_int(m->stack_bytes), arg_count(m->step_instructions)),
		ctx);
}

enum err store_put_measurement(struct store *s, int64_t job, const char *device_name,
	const struct measurement *m, struct err_ctx *ctx)
{
	int64_t candidate = 0, id;
	enum err e = check_measurement(m, ctx);

	if (!e && strlen(device_name) >=
			  sizeof(((struct store_measurement *)0)->device_name))
		e = err_set(
			ctx, ERR_INVALID, "device name '%.40s' is too long", device_name);
	if (!e)
		e = sql_begin(s, 1, ctx);
	if (e)
		return e;
	e = sql_candidate_id(s, &m->candidate, &candidate, ctx);
	if (!e)
		e = put_summary(s, job, candidate, device_name, m, ctx);
	id = sqlite3_last_insert_rowid(s->db);
	for (uint32_t i = 0; !e && i < m->n_runs; i++)
		e = put_run(s, id, &m->runs[i], ctx);
	if (!e)
		e = sql_touch_job(s, job, ctx);
	return sql_end(s, e, ctx);
}

/* ---- read */

struct found {
	int64_t id;
	struct store_measurement sm;
};

static void read_found(struct sql_row *r, void *item)
{
	struct found *f = item;
	struct measurement *m = &f->sm.m;

	f->id = row_int(r, 1, INT64_MAX);
	f->sm.job = row_int(r, 1, INT64_MAX);
	row_hash(r, &m->candidate);
	row_hash(r, &m->build);
	row_hash(r, &m->device);
	row_text(r, f->sm.device_name, sizeof(f->sm.device_name));
	m->protocol = (uint32_t)row_int(r, 0, UINT32_MAX);
	m->look = (uint32_t)row_int(r, 1, UINT32_MAX);
	m->resolved = (int)row_int(r, 0, 1);
	m->n_runs = (uint32_t)row_int(r, 0, RUNS_MAX);
	m->latency_ns = row_real(r);
	m->latency_ci.lo = row_real(r);
	m->latency_ci.hi = row_real(r);
	m->wall_p50_ns = row_real(r);
	m->wall_p90_ns = row_real(r);
	m->wall_p99_ns = row_real(r);
	m->peak_rss_bytes = (uint64_t)row_int(r, 0, INT64_MAX);
	m->energy_uj = row_real(r);
	m->energy_ci.lo = row_real(r);
	m->energy_ci.hi = row_real(r);
	row_text(r, m->energy_source, sizeof(m->energy_source));
	f->sm.taken_s = row_int(r, 0, INT64_MAX);
	m->step_ns = row_real(r);
	m->step_ci.lo = row_real(r);
	m->step_ci.hi = row_real(r);
	m->n_cached = (uint32_t)row_int(r, 0, UINT32_MAX);
	m->instructions = row_count(r);
	if (!(m->latency_ns > 0) && !(m->instructions > 0))
		r->bad = 1;
	m->n_throttled = (uint32_t)row_int(r, 0, RUNS_MAX);
	m->idle_uw = row_real(r);
	m->window_ns = row_real(r);
	m->stack_bytes = (uint32_t)row_int(r, 0, UINT32_MAX);
	m->step_instructions = row_count(r);
	f->sm.simulated = (int)row_int(r, 0, 1);
}

static const struct sql_reader found_reader = {sizeof(struct found), read_found, NULL};

/* A run as it is stored, before it is copied into a measurement. */
struct raw_run {
	struct process_run r;
	uint8_t *blob, *steps;
};

/* A copy of a row's blob of n samples; NULL with the row marked. */
static uint8_t *copy_samples(struct sql_row *row, uint32_t n)
{
	size_t len;
	const void *blob = row_blob(row, &len);
	uint8_t *copy;

	if (len != (size_t)n * 8) {
		row->bad = 1;
		return NULL;
	}
	copy = malloc(len ? len : 1);
	if (!copy)
		row->no_memory = 1;
	else if (len)
		memcpy(copy, blob, len);
	return copy;
}

static void read_run(struct sql_row *row, void *item)
{
	struct raw_run *raw = item;
	struct process_run *r = &raw->r;

	r->index = (uint32_t)row_int(row, 0, UINT32_MAX);
	r->order = (uint32_t)row_int(row, 0, UINT32_MAX);
	r->n = (uint32_t)row_int(row, 0, SAMPLES_MAX);
	r->inner = (uint32_t)row_int(row, 0, UINT32_MAX);
	r->n_vcsw = (uint32_t)row_int(row, 0, UINT32_MAX);
	r->n_ivcsw = (uint32_t)row_int(row, 0, UINT32_MAX);
	r->peak_rss_bytes = (uint64_t)row_int(row, 0, INT64_MAX);
	r->freq_khz = (uint32_t)row_int(row, 0, UINT32_MAX);
	r->temp_mc = (int32_t)row_int(row, INT32_MIN, INT32_MAX);
	r->reference_ratio = row_real(row);
	r->energy_uj = row_real(row);
	raw->blob = copy_samples(row, r->n);
	r->steps.n = (uint32_t)row_int(row, 0, SAMPLES_MAX);
	r->steps.inner = (uint32_t)row_int(row, 0, UINT32_MAX);
	raw->steps = copy_samples(row, r->steps.n);
	r->instructions = row_count(row);
	r->n_quota = (uint32_t)row_int(row, 0, UINT32_MAX);
	r->quota_us = (uint32_t)row_int(row, 0, UINT32_MAX);
	r->n_slowed = (uint32_t)row_int(row, 0, UINT32_MAX);
	r->idle_uw = row_real(row);
	r->window_ns = row_real(row);
	r->stack_bytes = (uint32_t)row_int(row, 0, UINT32_MAX);
	r->steps.instructions = row_count(row);
}

static void release_run(void *item)
{
	free(((struct raw_run *)item)->blob);
	free(((struct raw_run *)item)->steps);
}

static const struct sql_reader run_reader = {
	sizeof(struct raw_run), read_run, release_run};

/* Puts stored runs into a measurement that has none yet. */
static enum err adopt_runs(
	struct measurement *m, const struct raw_run *raw, size_t n, struct err_ctx *ctx)
{
	for (size_t i = 0; i < n; i++) {
		struct process_run *r = measurement_add_run(m, raw[i].r.n);
		struct process_run owned;

		if (!r ||
			(raw[i].r.steps.n && measurement_add_steps(r, raw[i].r.steps.n)))
			return err_set(ctx, ERR_NOMEM, "out of memory");
		owned = *r;
		*r = raw[i].r;
		r->steps.wall_ns = owned.steps.wall_ns;
		r->steps.cpu_ns = owned.steps.cpu_ns;
		r->steps.n_cached = m->n_cached;
		get_f32(r->steps.wall_ns, raw[i].steps, r->steps.n);
		get_f32(r->steps.cpu_ns, raw[i].steps + (size_t)r->steps.n * 4,
			r->steps.n);
		r->wall_ns = owned.wall_ns;
		r->cpu_ns = owned.cpu_ns;
		get_f32(r->wall_ns, raw[i].blob, r->n);
		get_f32(r->cpu_ns, raw[i].blob + (size_t)r->n * 4, r->n);
	}
	return ERR_OK;
}

static enum err load_runs(
	struct store *s, int64_t id, struct measurement *m, struct err_ctx *ctx)
{
	struct raw_run *raw = NULL;
	uint32_t expected = m->n_runs;
	sqlite3_stmt *st;
	size_t n = 0;
	enum err e = sql_bind(s,
		"SELECT at, run_order, n, inner_n, n_vcsw, n_ivcsw, peak_rss_bytes,"
		" freq_khz, temp_mc, reference_ratio, energy_uj, samples, step_n,"
		" step_inner, step_samples, instructions, n_quota, quota_us, n_slowed,"
		" idle_uw, window_ns, stack_bytes, step_instructions"
		" FROM run WHERE measurement=? ORDER BY at",
		SQL_ARGS(arg_int(id)), &st, ctx);

	if (!e)
		e = sql_list(s, st, &run_reader, (void **)&raw, &n, ctx);
	if (!e && n != expected)
		e = err_set(ctx, ERR_CORRUPT,
			"database '%s' is damaged: a measurement has %zu of %u runs",
			s->path, n, expected);
	m->n_runs = 0;
	if (!e)
		e = adopt_runs(m, raw, n, ctx);
	for (size_t i = 0; i < n; i++)
		release_run(&raw[i]);
	free(raw);
	return e;
}

#define MEASUREMENT_COLUMNS                                                              \
	"SELECT m.id, m.job, c.hash, m.build, m.device, m.device_name, m.protocol,"      \
	" m.look, m.resolved, m.n_runs, m.latency_ns, m.latency_lo, m.latency_hi,"       \
	" m.wall_p50_ns, m.wall_p90_ns, m.wall_p99_ns, m.peak_rss_bytes, m.energy_uj,"   \
	" m.energy_lo, m.energy_hi, m.energy_source, m.taken_s, m.step_ns, m.step_lo,"   \
	" m.step_hi, m.n_cached, m.instructions, m.n_throttled, m.idle_uw, m.window_ns," \
	" m.stack_bytes, m.step_instructions,"                                           \
	" ifnull((SELECT max(d.simulated) FROM device d WHERE d.fingerprint=m.device),"  \
	" 0) "

/* Loads the runs, or says that there are none here. */
static enum err finish(struct store *s, struct found *f, int raw, struct err_ctx *ctx)
{
	struct measurement *m = &f->sm.m;
	enum err e;

	m->runs = NULL;
	if (!raw) {
		m->n_runs = 0;
		return ERR_OK;
	}
	e = load_runs(s, f->id, m, ctx);
	if (e)
		measurement_release(m);
	return e;
}

enum err store_get_measurement(struct store *s, const struct hash *candidate,
	const struct hash *build, const struct hash *device, uint32_t look, int raw,
	struct measurement *out, struct err_ctx *ctx)
{
	struct found f;
	sqlite3_stmt *st;
	enum err e = sql_bind(s,
		MEASUREMENT_COLUMNS
		"FROM candidate c JOIN measurement m ON m.candidate=c.id"
		" WHERE c.hash=? AND m.build=? AND m.device=?"
		" AND m.protocol=? AND m.look=?",
		SQL_ARGS(arg_hash(candidate), arg_hash(build), arg_hash(device),
			arg_int(MEASURE_PROTOCOL), arg_int(look)),
		&st, ctx);

	if (!e)
		e = sql_first(s, st, &found_reader, &f, ctx);
	if (!e)
		e = finish(s, &f, raw, ctx);
	if (!e)
		*out = f.sm.m;
	return e;
}

enum err store_list_measurements(struct store *s, int64_t job, int raw,
	struct store_measurement **out, size_t *n, struct err_ctx *ctx)
{
	struct store_measurement *list = NULL;
	struct found *found = NULL;
	sqlite3_stmt *st;
	size_t count = 0, done = 0;
	enum err e = sql_bind(s,
		MEASUREMENT_COLUMNS
		"FROM job_candidate j JOIN candidate c ON c.id=j.candidate"
		" JOIN measurement m ON m.candidate=j.candidate"
		" WHERE j.job=?1 AND " SQL_TAKEN_OVER_SAME_DATA("m") " ORDER BY m.id",
		SQL_ARGS(arg_int(job)), &st, ctx);

	if (!e)
		e = sql_list(s, st, &found_reader, (void **)&found, &count, ctx);
	if (!e && !(list = malloc((count ? count : 1) * sizeof(*list))))
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	for (; !e && done < count; done++) {
		e = finish(s, &found[done], raw, ctx);
		if (e)
			break;
		list[done] = found[done].sm;
	}
	free(found);
	if (e) {
		store_measurements_free(list, done);
		return e;
	}
	*out = list;
	*n = count;
	return ERR_OK;
}

void store_measurements_free(struct store_measurement *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		measurement_release(&list[i].m);
	free(list);
}
