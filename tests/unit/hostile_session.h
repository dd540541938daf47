/* What a controller does with one device, from opening it to a number in the store, and what
 * has to hold whoever the device is: it ends, nothing unprintable is said, nothing is
 * written but the store, and a number that is kept is a possible one.
 */
#ifndef HAWSER_TESTS_UNIT_HOSTILE_SESSION_H
#define HAWSER_TESTS_UNIT_HOSTILE_SESSION_H

#include "devices/device.h"
#include "tests/unit/hostile_agent.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/measure/measure.h"
#include "src/store/store.h"
#include "tests/unit/store_fixture.h"

#define MOST_MS 7200000 /* virtual, for all of a session */
#define MOST_KB (256 * 1024)

/* No pauses between attempts to recover: this device's time is virtual. */
int nanosleep(const struct timespec *wanted, struct timespec *left)
{
	(void)wanted;
	(void)left;
	return 0;
}

static const struct device_driver liar_driver = {"liar", "", liar_start};
static const struct device_profile liar_profile = {
	.name = "liar", .driver = "liar", .timeout_ms = 5000};

/* The tests' folder; the working directory is deep below it, so that a path with ".."
 * stays inside and is seen. */
static char root[256];
static struct artefact image;
static struct genome genome;
static struct hash candidate;
static uint64_t snapshot; /* of all names and sizes below `root` */

struct facts {
	int opened;
	uint32_t n_stored, n_failures;
	double latency_ns, energy_uj;
	uint64_t peak_rss_bytes;
	char why[256]; /* the first that went wrong */
};

static void printable(const char *text)
{
	for (const char *s = text; *s; s++)
		if (*s < 32 || *s > 126)
			fail_msg("'%s' puts byte %d into a message", liar.lie->name, *s);
}

static void note(struct facts *f, const char *why)
{
	printable(why);
	if (!f->why[0])
		snprintf(f->why, sizeof(f->why), "%.255s", why);
}

static int add_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	struct hash h;
	char line[4200];

	(void)kind;
	(void)at;
	if (strstr(path, "/results.db"))
		return 0;
	snprintf(line, sizeof(line), "%s %lld", path,
		S_ISDIR(st->st_mode) ? 0LL : (long long)st->st_size);
	hash_bytes(&h, line, strlen(line));
	snapshot += hash_u64(&h);
	return 0;
}

static uint64_t take_snapshot(void)
{
	snapshot = 0;
	assert_int_equal(nftw(root, add_entry, 16, FTW_PHYS), 0);
	return snapshot;
}

static int session_setup(void **state)
{
	static const char card[] = "HAWSER-CARD-BEGIN\nmacs_f32: 40000\nn_ops: 20\n"
				   "arena_bytes: 8192\nHAWSER-CARD-END\n";
	char deep[300];

	(void)state;
	fixture_dir(root, sizeof(root));
	snprintf(deep, sizeof(deep), "%s/a/b/c/d/e", root);
	if (file_mkdirs(deep, NULL) || chdir(deep))
		return -1;
	fixture_artefact(&image, 1);
	snprintf(image.path, sizeof(image.path), "%s/image", root);
	hash_bytes(&image.image, card, sizeof(card));
	fixture_genome(&genome, 1);
	genome_hash(&genome, &candidate);
	return file_write_atomic(image.path, card, sizeof(card), 0600, NULL) ? -1 : 0;
}

static int session_teardown(void **state)
{
	(void)state;
	return chdir("/") || file_remove_tree(root, NULL) ? -1 : 0;
}

/* ---- the parts */

static void check_info(const struct device_info *i)
{
	printable(i->agent);
	printable(i->sensor);
	printable(i->sensor_note);
	for (const char *s = i->description; *s; s++)
		assert_true(*s == '\n' || (*s >= 32 && *s < 127));
}

static void check_result(struct run_result *r, enum run_mode mode)
{
	struct eval_reader reader;
	struct eval_result e;

	printable(r->detail);
	assert_true(r->verdict < N_VERDICTS);
	assert_true(r->output_len <= 64u << 20);
	if (mode == RUN_EVAL && r->verdict == VERDICT_OK &&
		eval_output_open(&reader, r->output, r->output_len))
		while (eval_output_next(&reader, &e) == 1)
			assert_true(e.n <= EVAL_MAX_TOKENS);
	if (mode != RUN_TIME || r->verdict != VERDICT_OK)
		assert_int_equal(r->run.n, 0);
}

/* One run, and the device's recovery after it where that is due. */
static void one_run(struct device *d, enum run_mode mode, struct facts *f)
{
	struct err_ctx ctx = {{0}};
	struct run_request rq = {.mode = mode,
		.image = image.image,
		.n_samples = 4,
		.min_sample_ns = 1000};
	struct run_result r = {0};
	struct buf in;
	enum err e = device_upload(d, image.path, &image.image, &ctx);

	buf_init(&in);
	eval_input_begin(&in, 0);
	eval_input_add(&in, (const int32_t[]){5, 6, 7}, 3);
	rq.input = (const uint8_t *)in.data;
	rq.input_len = in.len;
	if (!e)
		e = device_run(d, &rq, &r, &ctx);
	buf_release(&in);
	if (e) {
		note(f, ctx.msg);
	} else {
		check_result(&r, mode);
		if (r.verdict != VERDICT_OK)
			note(f, r.detail);
	}
	if ((e || r.verdict == VERDICT_DEVICE_LOST || r.verdict == VERDICT_LINK_LOST) &&
		device_recover(d, &ctx))
		note(f, ctx.msg);
	run_result_release(&r);
	check_info(device_info(d));
}

struct keeper {
	struct store *store;
	int64_t job;
};

/* As the evaluator keeps results (src/eval/hardware.c). */
static enum err keep_job(void *self, struct measure_job *job, struct err_ctx *ctx)
{
	struct keeper *k = self;
	struct store_failure f = {.candidate = job->candidate,
		.build = job->artefact->build,
		.look = job->look,
		.verdict = job->verdict};

	printable(job->detail);
	if (job->verdict == VERDICT_OK)
		return store_put_measurement(k->store, k->job, "liar", &job->m, ctx);
	if (!verdict_blames_candidate(job->verdict))
		return ERR_OK;
	fixture_hash(&f.device, "device", 0);
	snprintf(f.detail, sizeof(f.detail), "%s", job->detail);
	return store_put_failure(k->store, k->job, &f, ctx);
}

static void check_run(const struct process_run *r)
{
	double sum_ns = 0;

	for (uint32_t i = 0; i < r->n; i++) {
		assert_true(isfinite(r->wall_ns[i]) && r->wall_ns[i] > 0);
		assert_true(isfinite(r->cpu_ns[i]) && r->cpu_ns[i] >= 0);
		sum_ns += (double)r->wall_ns[i] * r->inner;
	}
	for (uint32_t i = 0; i < r->steps.n; i++)
		assert_true(isfinite(r->steps.wall_ns[i]) && r->steps.wall_ns[i] > 0);
	assert_int_equal(r->n, 4);
	assert_true(sum_ns <= (double)liar.now_ms * 1.1e6);
	assert_true(isnan(r->energy_uj) ||
		    (isfinite(r->energy_uj) && r->energy_uj > 0 &&
			    r->energy_uj * 1e3 <= 1e4 * r->wall_ns[0]));
	assert_true(r->peak_rss_bytes < (uint64_t)1 << 50);
	assert_true(r->freq_khz <= 100000000);
	assert_true(r->temp_mc == INT32_MIN || abs(r->temp_mc) <= 250000);
}

static void check_stored(struct store *s, int64_t job, struct facts *f)
{
	struct store_measurement *m;
	struct store_failure *failure;
	size_t n;

	assert_int_equal(store_list_measurements(s, job, 1, &m, &n, NULL), ERR_OK);
	f->n_stored = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		f->latency_ns = m[i].m.latency_ns;
		f->energy_uj = m[i].m.energy_uj;
		f->peak_rss_bytes = m[i].m.peak_rss_bytes;
		assert_true(isfinite(f->latency_ns) && f->latency_ns > 0);
		printable(m[i].m.energy_source);
		for (uint32_t k = 0; k < m[i].m.n_runs; k++)
			check_run(&m[i].m.runs[k]);
	}
	store_measurements_free(m, n);
	assert_int_equal(store_list_failures(s, job, &failure, &n, NULL), ERR_OK);
	for (size_t i = 0; i < n; i++)
		printable(failure[i].detail);
	f->n_failures = (uint32_t)n;
	free(failure);
}

static void measure_and_store(struct device *d, struct store *s, struct facts *f)
{
	struct measure_job job = {.candidate = candidate, .artefact = &image, .look = 1};
	struct measure_options o;
	struct err_ctx ctx = {{0}};
	struct keeper k = {.store = s};
	struct hash spec;
	char name[64];
	static unsigned n_jobs;

	fixture_hash(&spec, "spec", (int)++n_jobs);
	snprintf(name, sizeof(name), "job %u", n_jobs);
	assert_int_equal(store_job_open(s, name, &spec, "", &k.job, NULL), ERR_OK);
	assert_int_equal(store_put_candidate(s, k.job, &genome, "user", 0, NULL), ERR_OK);
	measure_options_default(&o);
	o.min_processes = o.max_processes = 2;
	o.n_samples = 4;
	o.min_sample_ns = 1000;
	o.retries = 1;
	if (measure_run(d, NULL, &job, 1, &o, keep_job, &k, NULL, NULL, &ctx))
		note(f, ctx.msg);
	else if (job.verdict != VERDICT_OK)
		note(f, job.detail);
	check_stored(s, k.job, f);
	measurement_release(&job.m);
}

/* ---- all of it */

static void drive(struct store *s, struct facts *f)
{
	struct err_ctx ctx = {{0}};
	double bytes_per_s;
	uint64_t ping_ns;
	struct device *d;

	if (device_open_with(&d, &liar_profile, &liar_driver, &ctx)) {
		note(f, ctx.msg);
		return;
	}
	f->opened = 1;
	check_info(device_info(d));
	measure_and_store(d, s, f);
	one_run(d, RUN_GOLDEN, f);
	one_run(d, RUN_TIME, f);
	one_run(d, RUN_EVAL, f);
	if (device_ping(d, &ping_ns, &ctx))
		note(f, ctx.msg);
	if (device_measure_upload(d, 5000, &bytes_per_s, &ctx))
		note(f, ctx.msg);
	device_close(d);
}

/* Whole sessions with a liar, on an empty store in memory of a file of its own. */
static struct facts session_with(const struct lie *lie, uint64_t seed)
{
	struct facts f = {.latency_ns = NAN};
	struct rusage before, after;
	struct store *s;

	liar_begin(lie, seed);
	assert_int_equal(store_open(&s, "results.db", STORE_WRITE, NULL), ERR_OK);
	getrusage(RUSAGE_SELF, &before);
	snapshot = take_snapshot();
	{
		uint64_t was = snapshot;

		drive(s, &f);
		if (take_snapshot() != was)
			fail_msg("'%s' made a file", lie->name);
	}
	getrusage(RUSAGE_SELF, &after);
	if (after.ru_maxrss - before.ru_maxrss > MOST_KB)
		fail_msg("'%s' takes %ld KB", lie->name,
			after.ru_maxrss - before.ru_maxrss);
	if (liar.now_ms > MOST_MS)
		fail_msg(
			"'%s' takes %llu ms", lie->name, (unsigned long long)liar.now_ms);
	store_close(s);
	assert_int_equal(remove("results.db"), 0);
	buf_release(&liar.in);
	return f;
}

#endif
