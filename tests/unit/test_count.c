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
#include "src/eval/cost_sets.h"
#include "src/measure/device_ops.h"
#include "src/report/report.h"
#include "src/store/schema.h"
#include "tests/unit/store_fixture.h"

#define assert_ok(call) assert_int_equal((call), ERR_OK)

/* ---- an emulator that counts; `drift` more in each process */

struct device {
	struct device_info info;
	struct device_profile profile;
	double count, drift;
	double step, step_drift; /* of a decoder's next token */
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
		out->run.instructions = d->count + d->drift * d->n_timed;
		out->run.steps.instructions = d->step + d->step_drift * d->n_timed;
		out->run.steps.n_cached = 9;
		out->run.stack_bytes = 700 + 100 * (unsigned)(d->n_timed++ & 1);
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

static const struct device_ops count_ops = {
	count_info, count_profile, count_upload, count_run, count_recover, count_release};

static void measure(struct device *d, struct measure_job *job)
{
	static const struct artefact reference,
		artefact = {.data_bytes = 30, .bss_bytes = 5000, .stack_bytes = 8192};
	struct measure_options o;
	struct measure_session s = {
		.ops = &count_ops, .device = d, .reference = &reference, .options = &o};
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

static void tokens_are_counted_apart(void **state)
{
	struct device d = {.count = 1000, .step = 77};
	struct measure_job job;

	(void)state;
	measure(&d, &job);
	assert_int_equal(job.m.instructions, 1000);
	assert_int_equal(job.m.step_instructions, 77);
	assert_int_equal(job.m.n_cached, 9);
	assert_true(job.m.resolved);
	measurement_release(&job.m);
	d.step_drift = 1;
	measure(&d, &job);
	assert_false(job.m.resolved);
	measurement_release(&job.m);
	d.step = d.step_drift = 0;
	measure(&d, &job);
	assert_int_equal(job.m.step_instructions, 0);
	measurement_release(&job.m);
}

/* Whatever is not code or weights: the deepest stack counts. */
static void ram_is_data_memory_and_stack(void **state)
{
	struct device d = {.count = 1000};
	struct measure_job job;

	(void)state;
	measure(&d, &job);
	assert_int_equal(job.m.runs[0].peak_rss_bytes, 5730);
	assert_int_equal(job.m.stack_bytes, 800);
	assert_int_equal(job.m.peak_rss_bytes, 5830);
	measurement_release(&job.m);
}

static void stack_is_tight_in_its_last_twentieth(void **state)
{
	(void)state;
	assert_false(stack_is_tight(7782, 8192));
	assert_true(stack_is_tight(7783, 8192));
	assert_true(stack_is_tight(9000, 8192));
	assert_false(stack_is_tight(9000, 0)); /* nothing is reserved */
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
	r->steps.instructions = m.step_instructions = 4321;
	m.n_cached = 9;
	r->stack_bytes = 700;
	m.stack_bytes = 800;
	assert_ok(store_put_measurement(s, b->job, "board", &m, &b->ctx));
	assert_ok(store_get_measurement(
		s, &m.candidate, &m.build, &m.device, 1, 1, &back, &b->ctx));
	assert_int_equal(back.instructions, 1234567);
	assert_int_equal(back.runs[0].instructions, 1234567);
	assert_int_equal(back.step_instructions, 4321);
	assert_int_equal(back.runs[0].steps.instructions, 4321);
	assert_int_equal(back.n_cached, 9);
	assert_int_equal(back.stack_bytes, 800);
	assert_int_equal(back.runs[0].stack_bytes, 700);
	assert_true(isnan(back.latency_ns));
	measurement_release(&back);

	/* neither both nor none */
	m.look = 2;
	m.latency_ns = 5;
	assert_int_equal(
		store_put_measurement(s, b->job, "board", &m, &b->ctx), ERR_INVALID);
	m.instructions = 0; /* and of tokens neither */
	assert_int_equal(
		store_put_measurement(s, b->job, "board", &m, &b->ctx), ERR_INVALID);
	m.step_instructions = 0;
	m.latency_ns = NAN;
	assert_int_equal(
		store_put_measurement(s, b->job, "board", &m, &b->ctx), ERR_INVALID);
	measurement_release(&m);
	store_close(s);
}

/* Times from before there were counts, or stacks, stay what they were. */
static void check_older(struct box *b, int version)
{
	static const char insert[] =
		"INSERT INTO measurement(job, candidate, build, device, device_name,"
		" protocol, look, resolved, n_runs, latency_ns, latency_lo, latency_hi,"
		" peak_rss_bytes, energy_source, taken_s)"
		" VALUES(1, 1, zeroblob(32), zeroblob(32), 'pi', 1, 1, 1, 0, 123.5, 120,"
		" 130, 7, '', 1)";
	const struct schema before = {store_schema.steps, version};
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
	assert_ok(
		store_get_measurement(s, &b->candidate, &zero, &zero, 1, 1, &m, &b->ctx));
	assert_true(m.latency_ns == 123.5 && m.latency_ci.lo == 120);
	assert_int_equal(m.instructions, 0);
	assert_int_equal(m.peak_rss_bytes, 7);
	assert_int_equal(m.step_instructions, 0);
	assert_int_equal(m.stack_bytes, 0);
	measurement_release(&m);
	store_close(s);
}

static void older_times_stay(void **state)
{
	check_older(*state, 4);
}

static void times_without_a_stack_stay(void **state)
{
	assert_true(store_schema.n_steps >= 10);
	check_older(*state, 8);
}

/* ---- in reports */

/* Two candidates measured on an emulated board, and on one that tells times. */
static void fill_job(struct box *b, struct store *s)
{
	const struct hash weights = {{1}}, fingerprint = {{2}};
	struct measurement m;
	struct artefact a;
	struct process_run *r;

	fixture_artefact(&a, 0);
	assert_ok(store_set_objectives(s, b->job,
		"instructions@board\nstep_instructions@board\npeak_rss_bytes@board\n"
		"peak_rss_bytes@real",
		&b->ctx));
	assert_ok(store_put_build(s, &b->candidate, &weights, "board", &a, &b->ctx));
	for (int real = 0; real < 2; real++) {
		const char *name = real ? "real" : "board";

		assert_ok(store_put_device(s, &fingerprint, name, "", 0, &b->ctx));
		measurement_init(&m);
		m.candidate = b->candidate;
		m.build = a.build;
		m.device = fingerprint;
		m.look = 1 + (uint32_t)real;
		m.resolved = 1;
		r = measurement_add_run(&m, 0);
		assert_non_null(r);
		m.instructions = r->instructions = real ? 0 : 1234567;
		m.step_instructions = r->steps.instructions = real ? 0 : 4321;
		m.n_cached = 9;
		m.latency_ns = real ? 5000 : NAN;
		m.stack_bytes = r->stack_bytes = real ? 712 : 700;
		m.peak_rss_bytes = r->peak_rss_bytes = 9000 + m.stack_bytes;
		assert_ok(store_put_measurement(s, b->job, name, &m, &b->ctx));
		measurement_release(&m);
	}
}

static void assert_holds(struct buf *text, const char *part)
{
	if (!strstr(buf_str(text), part))
		fail_msg("'%s' is not in: %s", part, buf_str(text));
}

static enum err no_gnuplot(const char *const argv[], const char *cwd, unsigned timeout_s,
	struct buf *out, struct buf *err_out, struct err_ctx *ctx)
{
	(void)argv, (void)cwd, (void)timeout_s, (void)out, (void)err_out;
	return err_set(ctx, ERR_TOOL, "no gnuplot");
}

static void ram_and_tokens_are_told(void **state)
{
	const struct report_tools tools = {no_gnuplot};
	struct box *b = *state;
	struct front_query q = {.all = 1};
	struct front f;
	struct store *s;
	struct buf out;
	char path[400];

	begin(b, &store_schema, &s);
	fill_job(b, s);
	buf_init(&out);
	assert_ok(show_text(s, "demo", &b->candidate, &out, &b->ctx));
	assert_holds(&out, "next token 4321 instructions after 9, emulated");
	assert_holds(&out, "RAM 9700 bytes: data, arena and state 9000, stack 700 "
			   "(measured on the emulated board)");
	assert_holds(&out, "RAM 9712 bytes: data, arena and state 9000, stack 712 "
			   "(measured)");
	assert_holds(&out, "stack reserved 8192");
	buf_reset(&out);
	assert_ok(show_json(s, "demo", &b->candidate, &out, &b->ctx));
	assert_holds(&out, "\"step_instructions\": 4321, \"stack_bytes\": 700, "
			   "\"stack_provenance\": \"emulated\"");
	assert_holds(&out, "\"step_instructions\": null, \"stack_bytes\": 712, "
			   "\"stack_provenance\": \"measured\"");
	assert_holds(&out, "\"stack_reserved_bytes\": 8192");
	assert_ok(front_collect(s, &q, &f, &b->ctx));
	assert_int_equal(f.n, 1);
	assert_int_equal(f.points[0].v[1].value, 4321);
	assert_int_equal(f.points[0].v[1].prov, PROV_EMULATED);
	assert_int_equal(f.points[0].v[2].value, 9700);
	assert_int_equal(f.points[0].v[2].prov, PROV_EMULATED);
	assert_int_equal(f.points[0].v[3].value, 9712);
	assert_int_equal(f.points[0].v[3].prov, PROV_MEASURED);
	front_release(&f);
	assert_int_equal(report_write(s, "demo", b->dir, &tools, &b->ctx), ERR_TOOL);
	assert_ok(file_join(path, sizeof(path), b->dir, "index.html", &b->ctx));
	buf_reset(&out);
	assert_ok(file_read(path, 1 << 20, &out, &b->ctx));
	assert_holds(&out, "<th>RAM of the board<");
	assert_holds(&out, "<td>9700<span class=\"ci\">stack 700</span>"
			   "<span class=\"from\">measured, emulated, on board</span>");
	buf_release(&out);
	store_close(s);
}

/* What cost models learn from; arenas as objectives have them, with a decoder's state. */
static void cost_models_learn_from_counts_and_ram(void **state)
{
	static const char *const meta[][2] = {{"task_kind", "intent-slots"},
		{"n_intents", "12"}, {"n_tags", "25"}, {"timed_tokens", "16"}};
	static const struct {
		const char *target, *provenance;
		double y;
	} want[] = {
		{"instructions@board", "emulated", 1234567},
		{"step_instructions@board", "emulated", 4321},
		{"peak_rss_bytes@board", "emulated", 9700},
		{"peak_rss_bytes@real", "measured", 9712},
		{"arena_bytes@board", "measured", 8016},
	};
	struct box *b = *state;
	struct store_job job;
	struct cost_set *sets;
	struct store *s;
	size_t n;

	begin(b, &store_schema, &s);
	fill_job(b, s);
	for (size_t i = 0; i < sizeof(meta) / sizeof(meta[0]); i++)
		assert_ok(store_put_meta(s, b->job, meta[i][0], meta[i][1], &b->ctx));
	assert_ok(store_job_find(s, "demo", &job, &b->ctx));
	assert_ok(cost_job_sets(s, &job, INT64_MAX, &sets, &n, &b->ctx));
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		size_t k = 0;

		while (k < n && strcmp(sets[k].target, want[i].target) != 0)
			k++;
		assert_true(k < n);
		assert_string_equal(sets[k].provenance, want[i].provenance);
		assert_true(sets[k].n == 1 && sets[k].y[0] == want[i].y);
	}
	cost_sets_free(sets, n);
	store_job_release(&job);
	store_close(s);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(count_is_no_time),
		cmocka_unit_test(counts_that_differ_are_not_resolved),
		cmocka_unit_test(tokens_are_counted_apart),
		cmocka_unit_test(ram_is_data_memory_and_stack),
		cmocka_unit_test(stack_is_tight_in_its_last_twentieth),
		WITH(count_is_read_back),
		WITH(older_times_stay),
		WITH(times_without_a_stack_stay),
		WITH(ram_and_tokens_are_told),
		WITH(cost_models_learn_from_counts_and_ram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
