/* Devices that count instructions: what is measured, stored and read back is a count, never
 * a time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/measure/device_ops.h"
#include "src/store/schema.h"
#include "tests/unit/store_fixture.h"

#define assert_ok(call) assert_int_equal((call), ERR_OK)

/* ---- an emulator that counts; `drift` more in each process */

struct device {
	struct device_info info;
	struct device_profile profile;
	double count, drift;
	struct run_request last;
	int n_timed;
};

static const struct device_info *count_info(const struct device *d)
{
	return &d->info;
}

static const struct device_profile *count_profile(const struct device *d)
{
	return &d->profile;
}

static enum err count_upload(
	struct device *d, const char *path, const struct hash *image, struct err_ctx *ctx)
{
	(void)d, (void)path, (void)image, (void)ctx;
	return ERR_OK;
}

static enum err count_run(struct device *d, const struct run_request *rq,
	struct run_result *out, struct err_ctx *ctx)
{
	(void)ctx;
	memset(out, 0, sizeof(*out));
	if (rq->mode == RUN_TIME) {
		d->last = *rq;
		out->run.instructions = d->count + d->drift * d->n_timed++;
		out->run.inner = 1;
	}
	return ERR_OK;
}

static enum err count_recover(struct device *d, struct err_ctx *ctx)
{
	(void)d, (void)ctx;
	return ERR_OK;
}

static void count_release(struct run_result *r)
{
	(void)r;
}

static const struct device_ops count_ops = {count_info, count_profile, count_upload,
	count_run, count_recover, count_release};

static void measure(struct device *d, struct measure_job *job)
{
	static const struct artefact artefact, reference;
	struct measure_options o;
	struct measure_session s = {.ops = &count_ops,
		.device = d,
		.reference = &reference,
		.options = &o};
	struct err_ctx ctx;

	measure_options_default(&o);
	d->info.instruction_ns = 64;
	memset(job, 0, sizeof(*job));
	job->artefact = &artefact;
	job->look = 1;
	assert_ok(measure_with_ops(&s, job, 1, &ctx));
	assert_int_equal(job->verdict, VERDICT_OK);
}

static void count_is_no_time(void **state)
{
	struct device d = {.count = 1234567};
	struct measure_job job;

	(void)state;
	measure(&d, &job);
	assert_int_equal(job.m.n_runs, 2);
	assert_int_equal(job.m.instructions, 1234567);
	assert_true(job.m.resolved);
	assert_true(isnan(job.m.latency_ns) && isnan(job.m.wall_p50_ns));
	assert_int_equal(job.m.runs[0].n, 0);
	/* nothing to average, nothing to warm up */
	assert_int_equal(d.last.n_samples, 2);
	assert_int_equal(d.last.n_warmup, 0);
	measurement_release(&job.m);
}

static void counts_that_differ_are_not_resolved(void **state)
{
	struct device d = {.count = 1000, .drift = 1};
	struct measure_job job;

	(void)state;
	measure(&d, &job);
	assert_int_equal(job.m.n_runs, 3);
	assert_false(job.m.resolved);
	measurement_release(&job.m);
}

/* ---- in the store */

struct box {
	char dir[256], db[300];
	struct hash spec, candidate;
	int64_t job;
	struct err_ctx ctx;
};

static int setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	fixture_dir(b->dir, sizeof(b->dir));
	snprintf(b->db, sizeof(b->db), "%s/h.db", b->dir);
	fixture_hash(&b->spec, "spec", 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	assert_ok(file_remove_tree(b->dir, NULL));
	free(b);
	return 0;
}

static void begin(struct box *b, const struct schema *schema, struct store **s)
{
	struct genome g;

	fixture_genome(&g, 1);
	genome_hash(&g, &b->candidate);
	assert_ok(store_open_schema(s, b->db, STORE_WRITE, schema, &b->ctx));
	assert_ok(store_job_open(*s, "demo", &b->spec, "x", &b->job, &b->ctx));
	assert_ok(store_put_candidate(*s, b->job, &g, "init", 0, &b->ctx));
}

static void count_is_read_back(void **state)
{
	struct box *b = *state;
	struct measurement m, back;
	struct process_run *r;
	struct store *s;

	begin(b, &store_schema, &s);
	measurement_init(&m);
	m.candidate = b->candidate;
	r = measurement_add_run(&m, 0);
	assert_non_null(r);
	r->inner = 1;
	r->instructions = m.instructions = 1234567;
	assert_ok(store_put_measurement(s, b->job, "board", &m, &b->ctx));
	assert_ok(store_get_measurement(
		s, &m.candidate, &m.build, &m.device, 1, 1, &back, &b->ctx));
	assert_int_equal(back.instructions, 1234567);
	assert_int_equal(back.runs[0].instructions, 1234567);
	assert_true(isnan(back.latency_ns));
	measurement_release(&back);

	/* neither both nor none */
	m.look = 2;
	m.latency_ns = 5;
	assert_int_equal(store_put_measurement(s, b->job, "board", &m, &b->ctx),
		ERR_INVALID);
	m.instructions = 0;
	m.latency_ns = NAN;
	assert_int_equal(store_put_measurement(s, b->job, "board", &m, &b->ctx),
		ERR_INVALID);
	measurement_release(&m);
	store_close(s);
}

/* Times from before there were counts stay what they were. */
static void older_times_stay(void **state)
{
	static const char insert[] =
		"INSERT INTO measurement(job, candidate, build, device, device_name,"
		" protocol, look, resolved, n_runs, latency_ns, latency_lo, latency_hi,"
		" peak_rss_bytes, energy_source, taken_s)"
		" VALUES(1, 1, zeroblob(32), zeroblob(32), 'pi', 1, 1, 1, 0, 123.5, 120,"
		" 130, 7, '', 1)";
	const struct schema before = {store_schema.steps, 4};
	struct box *b = *state;
	struct measurement m;
	struct hash zero = {{0}};
	struct store *s;
	sqlite3 *db;

	begin(b, &before, &s);
	store_close(s);
	assert_int_equal(sqlite3_open(b->db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, insert, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_ok(store_open(&s, b->db, STORE_WRITE, &b->ctx));
	assert_ok(store_get_measurement(
		s, &b->candidate, &zero, &zero, 1, 1, &m, &b->ctx));
	assert_true(m.latency_ns == 123.5 && m.latency_ci.lo == 120);
	assert_int_equal(m.instructions, 0);
	assert_int_equal(m.peak_rss_bytes, 7);
	measurement_release(&m);
	store_close(s);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(count_is_no_time),
		cmocka_unit_test(counts_that_differ_are_not_resolved),
		WITH(count_is_read_back),
		WITH(older_times_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
