#include "src/store/schema.h"

#include <stdio.h>

#include "src/store/sql.h"

/* Hashes are 32-byte blobs; times unix seconds; NULL is "unknown" for a REAL. Facts refer
 * to candidates by a row id (small rows, cheap joins); builds and devices by
 * their hash, since a measurement may be known before they are described. */
static const char version_1[] =
	"CREATE TABLE job("
	" id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, spec BLOB NOT NULL,"
	" spec_text TEXT NOT NULL, objectives TEXT NOT NULL, state TEXT NOT NULL,"
	" started_s INTEGER NOT NULL, updated_s INTEGER NOT NULL) STRICT;"

	"CREATE TABLE meta("
	" job INTEGER NOT NULL REFERENCES job, key TEXT NOT NULL, value TEXT NOT NULL,"
	" PRIMARY KEY(job, key)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE candidate("
	" id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, text TEXT NOT NULL) STRICT;"

	"CREATE TABLE job_candidate("
	" id INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES job,"
	" candidate INTEGER NOT NULL REFERENCES candidate, origin TEXT NOT NULL,"
	" generation INTEGER NOT NULL, finalist INTEGER NOT NULL DEFAULT 0,"
	" UNIQUE(job, candidate)) STRICT;"

	"CREATE TABLE accuracy("
	" id INTEGER PRIMARY KEY, candidate INTEGER NOT NULL REFERENCES candidate,"
	" data BLOB NOT NULL, split TEXT NOT NULL, method TEXT NOT NULL,"
	" seed INTEGER NOT NULL, metric TEXT NOT NULL, value REAL NOT NULL,"
	" ci_lo REAL, ci_hi REAL, n INTEGER NOT NULL, source BLOB NOT NULL,"
	" UNIQUE(candidate, data, split, method, seed, metric, source)) STRICT;"

	"CREATE TABLE build("
	" id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
	" candidate INTEGER NOT NULL REFERENCES candidate, weights BLOB NOT NULL,"
	" target TEXT NOT NULL, image BLOB NOT NULL, path TEXT NOT NULL,"
	" compiler TEXT NOT NULL, image_bytes INTEGER NOT NULL,"
	" text_bytes INTEGER NOT NULL, weight_bytes INTEGER NOT NULL,"
	" vocab_bytes INTEGER NOT NULL, data_bytes INTEGER NOT NULL,"
	" bss_bytes INTEGER NOT NULL, arena_bytes INTEGER NOT NULL,"
	" state_bytes INTEGER NOT NULL, flash_bytes INTEGER NOT NULL) STRICT;"
	"CREATE INDEX build_candidate ON build(candidate);"

	"CREATE TABLE device("
	" id INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL, name TEXT NOT NULL,"
	" description TEXT NOT NULL, simulated INTEGER NOT NULL,"
	" UNIQUE(fingerprint, name)) STRICT;"

	"CREATE TABLE measurement("
	" id INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES job,"
	" candidate INTEGER NOT NULL REFERENCES candidate, build BLOB NOT NULL,"
	" device BLOB NOT NULL, device_name TEXT NOT NULL, protocol INTEGER NOT NULL,"
	" look INTEGER NOT NULL, resolved INTEGER NOT NULL, n_runs INTEGER NOT NULL,"
	" latency_ns REAL NOT NULL, latency_lo REAL, latency_hi REAL,"
	" wall_p50_ns REAL, wall_p90_ns REAL, wall_p99_ns REAL,"
	" peak_rss_bytes INTEGER NOT NULL, energy_uj REAL, energy_lo REAL,"
	" energy_hi REAL, energy_source TEXT NOT NULL, taken_s INTEGER NOT NULL,"
	" UNIQUE(candidate, build, device, protocol, look)) STRICT;"

	/* samples: n wall times, then n CPU times, f32 little endian */
	"CREATE TABLE run("
	" measurement INTEGER NOT NULL REFERENCES measurement, at INTEGER NOT NULL,"
	" run_order INTEGER NOT NULL, n INTEGER NOT NULL, inner_n INTEGER NOT NULL,"
	" n_vcsw INTEGER NOT NULL, n_ivcsw INTEGER NOT NULL,"
	" peak_rss_bytes INTEGER NOT NULL, freq_khz INTEGER NOT NULL,"
	" temp_mc INTEGER NOT NULL, reference_ratio REAL, energy_uj REAL,"
	" samples BLOB NOT NULL, PRIMARY KEY(measurement, at)) STRICT;"

	"CREATE TABLE failure("
	" id INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES job,"
	" candidate INTEGER NOT NULL REFERENCES candidate, build BLOB NOT NULL,"
	" device BLOB NOT NULL, look INTEGER NOT NULL, verdict TEXT NOT NULL,"
	" blames INTEGER NOT NULL, detail TEXT NOT NULL, at_s INTEGER NOT NULL) STRICT;"
	"CREATE UNIQUE INDEX failure_key ON failure(candidate, build, device, look)"
	" WHERE blames=1;"
	"CREATE INDEX failure_candidate ON failure(candidate);"

	"CREATE TABLE generation("
	" job INTEGER NOT NULL REFERENCES job, generation INTEGER NOT NULL,"
	" n_candidates INTEGER NOT NULL, n_measured INTEGER NOT NULL, hv_claimed REAL,"
	" hv_remeasured REAL, model TEXT NOT NULL, model_mape REAL, model_tau REAL,"
	" PRIMARY KEY(job, generation)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE prediction("
	" id INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES job,"
	" candidate INTEGER NOT NULL REFERENCES candidate, objective TEXT NOT NULL,"
	" model TEXT NOT NULL, mean REAL NOT NULL, sd REAL,"
	" UNIQUE(job, candidate, objective)) STRICT;"

	"CREATE TABLE event("
	" id INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES job,"
	" at_s INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL) STRICT;"
	"CREATE INDEX event_job ON event(job);";

/* A decoder's single tokens, timed beside its whole input. step_samples: as samples. */
static const char version_2[] =
	"ALTER TABLE measurement ADD COLUMN step_ns REAL;"
	"ALTER TABLE measurement ADD COLUMN step_lo REAL;"
	"ALTER TABLE measurement ADD COLUMN step_hi REAL;"
	"ALTER TABLE measurement ADD COLUMN n_cached INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE run ADD COLUMN step_n INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE run ADD COLUMN step_inner INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE run ADD COLUMN step_samples BLOB NOT NULL DEFAULT x'';";

/* Which schedule of a product is the fastest on a device. tuner: the build that timed it;
 * times: of each schedule, f32 little endian. */
static const char version_3[] =
	"CREATE TABLE wisdom("
	" id INTEGER PRIMARY KEY, device BLOB NOT NULL, tuner BLOB NOT NULL,"
	" protocol INTEGER NOT NULL, kernel_set TEXT NOT NULL, bits INTEGER NOT NULL,"
	" n INTEGER NOT NULL, n_in INTEGER NOT NULL, n_out INTEGER NOT NULL,"
	" schedule INTEGER NOT NULL, ratio REAL NOT NULL, ratio_lo REAL, ratio_hi REAL,"
	" n_processes INTEGER NOT NULL, times BLOB NOT NULL, taken_s INTEGER NOT NULL,"
	" UNIQUE(device, tuner, protocol, bits, n, n_in, n_out)) STRICT;";

/* device_state: one row a profile, for people and `device list`. health: the latency of a
 * job's reference build when a device ran it first. */
static const char version_4[] =
	"CREATE TABLE device_state("
	" name TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL,"
	" since_s INTEGER NOT NULL, seen_s INTEGER NOT NULL, pid INTEGER NOT NULL,"
	" host TEXT NOT NULL, job TEXT NOT NULL, temp_mc INTEGER NOT NULL,"
	" n_recoveries INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE health("
	" device BLOB NOT NULL, build BLOB NOT NULL, latency_ns REAL NOT NULL,"
	" taken_s INTEGER NOT NULL, PRIMARY KEY(device, build)) STRICT, WITHOUT ROWID;";

/* Devices that are emulated have no times: instructions are counted instead. */
static const char version_5[] =
	"ALTER TABLE measurement ADD COLUMN instructions REAL;"
	"ALTER TABLE measurement RENAME COLUMN latency_ns TO latency_not_null;"
	"ALTER TABLE measurement ADD COLUMN latency_ns REAL;"
	"UPDATE measurement SET latency_ns=latency_not_null;"
	"ALTER TABLE measurement DROP COLUMN latency_not_null;"
	"ALTER TABLE run ADD COLUMN instructions REAL;";

/* Processes during which the device was kept from its full speed. */
static const char version_6[] =
	"ALTER TABLE measurement ADD COLUMN n_throttled INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE run ADD COLUMN n_quota INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE run ADD COLUMN quota_us INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE run ADD COLUMN n_slowed INTEGER NOT NULL DEFAULT 0;";

/* health_check: the best few checks of a job's reference build on a device. */
static const char version_7[] =
	"CREATE TABLE health_check("
	" device BLOB NOT NULL, build BLOB NOT NULL, rank INTEGER NOT NULL,"
	" latency_ns REAL NOT NULL, taken_s INTEGER NOT NULL,"
	" PRIMARY KEY(device, build, rank)) STRICT, WITHOUT ROWID;"
	"INSERT INTO health_check SELECT device, build, 0, latency_ns, taken_s FROM health;"
	"DROP TABLE health;";

/* What a meter beside the board tells besides energy; NULL: unknown. */
static const char version_8[] = "ALTER TABLE measurement ADD COLUMN idle_uw REAL;"
				"ALTER TABLE measurement ADD COLUMN window_ns REAL;"
				"ALTER TABLE run ADD COLUMN idle_uw REAL;"
				"ALTER TABLE run ADD COLUMN window_ns REAL;";

/* Which device answered, of rows with method "device"; of older ones that is unknown. */
static const char version_9[] =
	"CREATE TABLE accuracy_9("
	" id INTEGER PRIMARY KEY, candidate INTEGER NOT NULL REFERENCES candidate,"
	" data BLOB NOT NULL, split TEXT NOT NULL, method TEXT NOT NULL,"
	" seed INTEGER NOT NULL, metric TEXT NOT NULL, value REAL NOT NULL,"
	" ci_lo REAL, ci_hi REAL, n INTEGER NOT NULL, source BLOB NOT NULL,"
	" device BLOB NOT NULL, device_name TEXT NOT NULL,"
	" UNIQUE(candidate, data, split, method, seed, metric, source, device,"
	" device_name)) STRICT;"
	"INSERT INTO accuracy_9 SELECT id, candidate, data, split, method, seed, metric,"
	" value, ci_lo, ci_hi, n, source, zeroblob(32), '' FROM accuracy;"
	"DROP TABLE accuracy;"
	"ALTER TABLE accuracy_9 RENAME TO accuracy;";

/* Boards: the stack that was used (0: unknown) of the one that the build reserves, and the
 * count of a decoder's next token. */
static const char version_10[] =
	"ALTER TABLE build ADD COLUMN stack_bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE measurement ADD COLUMN stack_bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE run ADD COLUMN stack_bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE measurement ADD COLUMN step_instructions REAL;"
	"ALTER TABLE run ADD COLUMN step_instructions REAL;";

static const char *const steps[] = {version_1, version_2, version_3, version_4, version_5,
	version_6, version_7, version_8, version_9, version_10};

const struct schema store_schema = {steps, (int)(sizeof(steps) / sizeof(steps[0]))};

enum err schema_migrate(
	struct store *s, const struct schema *schema, int version, struct err_ctx *ctx)
{
	char pragma[96];
	enum err e = sql_begin(s, 1, ctx);

	if (e)
		return e;
	for (int i = version; !e && i < schema->n_steps; i++) {
		e = sql_exec(s, schema->steps[i], ctx);
		if (e)
			err_prefix(ctx, e, "migrating from schema %d to %d", i, i + 1);
	}
	snprintf(pragma, sizeof(pragma),
		"PRAGMA application_id=%d; PRAGMA user_version=%d", STORE_APPLICATION_ID,
		schema->n_steps);
	if (!e)
		e = sql_exec(s, pragma, ctx);
	return sql_end(s, e, ctx);
}
