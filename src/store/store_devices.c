/* Devices: what they say of themselves, in what state they are, how fast they were. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/store/sql.h"

#define DESCRIPTION_LIMIT (64 << 10)

static enum err check_name(const char *name, size_t cap, struct err_ctx *ctx)
{
	if (name[0] && strlen(name) < cap)
		return ERR_OK;
	return err_set(
		ctx, ERR_INVALID, "device name '%.40s' is empty or too long", name);
}

enum err store_put_device(struct store *s, const struct hash *fingerprint,
	const char *name, const char *description, int simulated, struct err_ctx *ctx)
{
	enum err e = check_name(name, sizeof(((struct store_device *)0)->name), ctx);

	if (e)
		return e;
	if (strlen(description) > DESCRIPTION_LIMIT)
		return err_set(
			ctx, ERR_INVALID, "description of device '%s' is too long", name);
	e = sql_begin(s, 1, ctx);
	if (e)
		return e;
	e = sql_run(s,
		"INSERT INTO device(fingerprint, name, description, simulated)"
		" VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING",
		SQL_ARGS(arg_hash(fingerprint), arg_text(name), arg_text(description),
			arg_int(simulated != 0)),
		ctx);
	return sql_end(s, e, ctx);
}

static void read_device(struct sql_row *r, void *item)
{
	struct store_device *d = item;

	row_hash(r, &d->fingerprint);
	row_text(r, d->name, sizeof(d->name));
	d->description = row_dup(r, DESCRIPTION_LIMIT);
	d->simulated = (int)row_int(r, 0, 1);
}

static void release_device(void *item)
{
	free(((struct store_device *)item)->description);
}

static const struct sql_reader device_reader = {
	sizeof(struct store_device), read_device, release_device};

enum err store_list_devices(
	struct store *s, struct store_device **out, size_t *n, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e = sql_bind(s,
		"SELECT fingerprint, name, description, simulated FROM device ORDER BY "
		"id",
		NULL, 0, &st, ctx);

	return e ? e : sql_list(s, st, &device_reader, (void **)out, n, ctx);
}

void store_devices_free(struct store_device *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].description);
	free(list);
}

/* ---- states */

const char *const device_state_names[N_DEVICE_STATES] = {
	"idle", "leased", "recovering", "quarantined"};

enum err store_put_device_state(
	struct store *s, const struct store_device_state *d, struct err_ctx *ctx)
{
	char host[sizeof(d->host)] = "";
	int64_t now = clock_unix_s();
	enum err e = check_name(d->name, sizeof(d->name), ctx);

	if (e || (e = sql_begin(s, 0, ctx)))
		return e;
	gethostname(host, sizeof(host) - 1);
	e = sql_run(s,
		"INSERT INTO device_state(name, state, reason, since_s, seen_s, pid,"
		" host, job, temp_mc, n_recoveries) VALUES(?,?,?,?,?,?,?,?,?,?)"
		" ON CONFLICT DO UPDATE SET since_s=CASE WHEN state=excluded.state"
		" THEN since_s ELSE excluded.since_s END, state=excluded.state,"
		" reason=excluded.reason, seen_s=max(seen_s, excluded.seen_s),"
		" pid=excluded.pid, host=excluded.host, job=excluded.job,"
		" temp_mc=excluded.temp_mc, n_recoveries=excluded.n_recoveries",
		SQL_ARGS(arg_text(d->name), arg_text(device_state_names[d->state]),
			arg_text(d->reason), arg_int(now), arg_int(d->seen_s),
			arg_int(d->state == DEVICE_IDLE ? 0 : getpid()), arg_text(host),
			arg_text(d->job), arg_int(d->temp_mc), arg_int(d->n_recoveries)),
		ctx);
	return sql_end(s, e, ctx);
}

static void read_state(struct sql_row *r, void *item)
{
	struct store_device_state *d = item;
	char state[16];
	int v = 0;

	row_text(r, d->name, sizeof(d->name));
	row_text(r, state, sizeof(state));
	row_text(r, d->reason, sizeof(d->reason));
	d->since_s = row_int(r, 0, INT64_MAX);
	d->seen_s = row_int(r, 0, INT64_MAX);
	d->pid = (long)row_int(r, 0, INT32_MAX);
	row_text(r, d->host, sizeof(d->host));
	row_text(r, d->job, sizeof(d->job));
	d->temp_mc = (int32_t)row_int(r, INT32_MIN, INT32_MAX);
	d->n_recoveries = (uint32_t)row_int(r, 0, UINT32_MAX);
	while (v < N_DEVICE_STATES && strcmp(state, device_state_names[v]))
		v++;
	if (v == N_DEVICE_STATES)
		r->bad = 1;
	else
		d->state = (enum device_state)v;
}

static const struct sql_reader state_reader = {
	sizeof(struct store_device_state), read_state, NULL};

enum err store_list_device_states(
	struct store *s, struct store_device_state **out, size_t *n, struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e = sql_bind(s,
		"SELECT name, state, reason, since_s, seen_s, pid, host, job, temp_mc,"
		" n_recoveries FROM device_state ORDER BY name",
		NULL, 0, &st, ctx);

	return e ? e : sql_list(s, st, &state_reader, (void **)out, n, ctx);
}

/* ---- health */

static void read_latency(struct sql_row *r, void *item)
{
	*(double *)item = row_positive(r);
}

static const struct sql_reader latency_reader = {sizeof(double), read_latency, NULL};

enum err store_get_health(struct store *s, const struct hash *device,
	const struct hash *build, double out[STORE_HEALTH_CHECKS], size_t *n,
	struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	double *list;
	size_t found;
	enum err e = sql_bind(s,
		"SELECT latency_ns FROM health_check WHERE device=? AND build=?"
		" ORDER BY latency_ns",
		SQL_ARGS(arg_hash(device), arg_hash(build)), &st, ctx);

	e = e ? e : sql_list(s, st, &latency_reader, (void **)&list, &found, ctx);
	if (e)
		return e;
	*n = found < STORE_HEALTH_CHECKS ? found : STORE_HEALTH_CHECKS;
	for (size_t i = 0; i < *n; i++)
		out[i] = list[i];
	free(list);
	return ERR_OK;
}

enum err store_put_health(struct store *s, const struct hash *device,
	const struct hash *build, const double *latency_ns, size_t n, struct err_ctx *ctx)
{
	enum err e;

	for (size_t i = 0; i < n; i++)
		if (!(latency_ns[i] > 0) || !isfinite(latency_ns[i]))
			return err_set(
				ctx, ERR_INVALID, "a latency of %g ns", latency_ns[i]);
	if ((e = sql_begin(s, 1, ctx)))
		return e;
	e = sql_run(s, "DELETE FROM health_check WHERE device=? AND build=?",
		SQL_ARGS(arg_hash(device), arg_hash(build)), ctx);
	for (size_t i = 0; i < n && !e; i++)
		e = sql_run(s,
			"INSERT INTO health_check(device, build, rank, latency_ns,"
			" taken_s) VALUES(?,?,?,?,?)",
			SQL_ARGS(arg_hash(device), arg_hash(build), arg_int((int64_t)i),
				arg_real(latency_ns[i]), arg_int(clock_unix_s())),
			ctx);
	return sql_end(s, e, ctx);
}
