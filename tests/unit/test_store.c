#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/store/store.h"
#include "tests/unit/store_fixture.h"

#define assert_ok(call) assert_int_equal((call), ERR_OK)

struct box {
	char dir[256];
	char db[300];
	struct store *s;
	struct err_ctx ctx;
	int64_t job;
	struct hash spec;
};

static int setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	fixture_dir(b->dir, sizeof(b->dir));
	snprintf(b->db, sizeof(b->db), "%s/h.db", b->dir);
	assert_ok(store_open(&b->s, b->db, STORE_WRITE, &b->ctx));
	fixture_hash(&b->spec, "spec", 0);
	assert_ok(
		store_job_open(b->s, "demo", &b->spec, "name: demo\n", &b->job, &b->ctx));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	store_close(b->s);
	assert_ok(file_remove_tree(b->dir, NULL));
	free(b);
	return 0;
}

static void reopen(struct box *b)
{
	store_close(b->s);
	b->s = NULL;
	assert_ok(store_open(&b->s, b->db, STORE_WRITE, &b->ctx));
}

static void add_candidate(struct box *b, int i, struct genome *g, struct hash *h)
{
	fixture_genome(g, i);
	genome_hash(g, h);
	assert_ok(store_put_candidate(b->s, b->job, g, "init", i / 10, &b->ctx));
}

static void job_is_found_again_when_reopened(void **state)
{
	struct box *b = *state;
	struct store_job j;
	int64_t id;

	assert_ok(store_set_objectives(b->s, b->job, "slot_f1\nlatency_us@sim", &b->ctx));
	assert_ok(store_job_set_state(b->s, b->job, "stopped", &b->ctx));
	reopen(b);
	assert_ok(store_job_open(b->s, "demo", &b->spec, "name: demo\n", &id, &b->ctx));
	assert_int_equal(id, b->job);
	assert_ok(store_job_find(b->s, "demo", &j, &b->ctx));
	assert_string_equal(j.name, "demo");
	assert_string_equal(j.spec_text, "name: demo\n");
	assert_string_equal(j.objectives, "slot_f1\nlatency_us@sim");
	assert_string_equal(j.state, "stopped");
	assert_true(hash_equal(&j.spec, &b->spec));
	assert_true(j.started_s > 0 && j.updated_s >= j.started_s);
	store_job_release(&j);
}

static void job_is_refused_when_its_spec_changed(void **state)
{
	struct box *b = *state;
	struct hash other;
	int64_t id;

	fixture_hash(&other, "spec", 1);
	assert_int_equal(
		store_job_open(b->s, "demo", &other, "x", &id, &b->ctx), ERR_INVALID);
	assert_non_null(strstr(b->ctx.msg, "'demo'"));
	assert_int_equal(
		store_job_set_state(b->s, b->job, "sleeping", &b->ctx), ERR_INVALID);
	assert_int_equal(store_job_set_state(b->s, 99, "done", &b->ctx), ERR_NOTFOUND);
}

static void job_list_names_all_and_null_finds_the_last(void **state)
{
	struct box *b = *state;
	struct store_job *list, j;
	size_t n;
	int64_t id;

	assert_ok(store_job_open(b->s, "second", &b->spec, "", &id, &b->ctx));
	assert_ok(store_job_list(b->s, &list, &n, &b->ctx));
	assert_int_equal(n, 2);
	assert_string_equal(list[1].name, "second");
	for (size_t i = 0; i < n; i++)
		store_job_release(&list[i]);
	free(list);
	assert_ok(store_job_find(b->s, NULL, &j, &b->ctx));
	assert_string_equal(j.name, "second");
	store_job_release(&j);
	/* What 'hawser measure' keeps has no objectives: nobody means it. */
	assert_ok(store_set_objectives(b->s, b->job, "slot_f1", &b->ctx));
	assert_ok(store_job_set_state(b->s, id, "done", &b->ctx));
	assert_ok(store_job_find(b->s, NULL, &j, &b->ctx));
	assert_string_equal(j.name, "demo");
	store_job_release(&j);
	assert_int_equal(store_job_find(b->s, "third", &j, &b->ctx), ERR_NOTFOUND);
	assert_non_null(strstr(b->ctx.msg, "'third'"));
}

static void meta_is_replaced_and_listed_by_key(void **state)
{
	struct box *b = *state;
	struct store_meta *list;
	char *value;
	size_t n;

	assert_ok(store_put_meta(b->s, b->job, "task", "lm", &b->ctx));
	assert_ok(store_put_meta(b->s, b->job, "blas", "", &b->ctx));
	assert_ok(store_put_meta(b->s, b->job, "task", "intent-slots 7 72", &b->ctx));
	assert_ok(store_get_meta(b->s, b->job, "task", &value, &b->ctx));
	assert_string_equal(value, "intent-slots 7 72");
	free(value);
	assert_ok(store_list_meta(b->s, b->job, &list, &n, &b->ctx));
	assert_int_equal(n, 2);
	assert_string_equal(list[0].key, "blas");
	assert_string_equal(list[0].value, "");
	store_meta_free(list, n);
	assert_int_equal(
		store_get_meta(b->s, b->job, "nothing", &value, &b->ctx), ERR_NOTFOUND);
}

static void candidate_is_found_by_prefix(void **state)
{
	struct box *b = *state;
	struct genome g, got;
	struct hash h, found;
	char hex[HASH_HEX + 1];

	add_candidate(b, 3, &g, &h);
	add_candidate(b, 3, &g, &h); /* again: not an error */
	hash_to_hex(&h, hex);
	for (size_t len = 4; len <= HASH_HEX; len += 5) {
		char prefix[HASH_HEX + 1];

		snprintf(prefix, sizeof(prefix), "%.*s", (int)len, hex);
		prefix[0] = prefix[0] >= 'a' ? (char)(prefix[0] - 32) : prefix[0];
		assert_ok(store_get_candidate(b->s, prefix, &got, &found, &b->ctx));
		assert_true(genome_equal(&g, &got));
		assert_true(hash_equal(&h, &found));
	}
}

static void candidate_prefix_is_refused_when_wrong(void **state)
{
	static const struct {
		const char *prefix;
		enum err want;
	} cases[] = {{"abc", ERR_INVALID}, {"", ERR_INVALID}, {"xyz1", ERR_INVALID},
		{"0000", ERR_NOTFOUND}, {"%s%n%s", ERR_INVALID},
		{"00000000000000000000000000000000000000000000000000000000000000000",
			ERR_INVALID}};
	struct box *b = *state;
	struct genome g;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			store_get_candidate(b->s, cases[i].prefix, &g, NULL, &b->ctx),
			cases[i].want);
}

static void candidates_keep_their_order_and_finalists(void **state)
{
	struct box *b = *state;
	struct store_candidate *list;
	struct genome g;
	struct hash h[12], stranger;
	size_t n;

	for (int i = 11; i >= 0; i--)
		add_candidate(b, i, &g, &h[i]);
	assert_ok(store_set_finalist(b->s, b->job, &h[4], &b->ctx));
	fixture_hash(&stranger, "stranger", 0);
	assert_int_equal(
		store_set_finalist(b->s, b->job, &stranger, &b->ctx), ERR_NOTFOUND);
	assert_ok(store_list_candidates(b->s, b->job, &list, &n, &b->ctx));
	assert_int_equal(n, 12);
	for (size_t i = 0; i < n; i++) {
		char text[GENOME_TEXT_MAX];

		fixture_genome(&g, 11 - (int)i);
		genome_format(&g, text);
		assert_string_equal(list[i].text, text);
		assert_true(hash_equal(&list[i].hash, &h[11 - i]));
		assert_int_equal(list[i].finalist, i == 7);
		assert_int_equal(list[i].generation, (11 - (int)i) / 10);
		assert_string_equal(list[i].origin, "init");
	}
	store_candidates_free(list, n);
}

static void accuracy_round_trips_all_or_nothing(void **state)
{
	struct box *b = *state;
	struct store_accuracy rows[3], *got;
	struct genome g;
	struct hash h;
	size_t n;

	add_candidate(b, 0, &g, &h);
	for (int i = 0; i < 3; i++)
		fixture_accuracy(&rows[i], &h, "slot_f1", "trained", "valid", (uint64_t)i,
			80.0 + i);
	rows[1].ci.lo = rows[1].ci.hi = NAN;
	rows[2].seed = UINT64_MAX;
	assert_ok(store_put_accuracy(b->s, rows, 3, &b->ctx));
	assert_int_equal(store_put_accuracy(b->s, rows, 1, &b->ctx), ERR_EXISTS);

	/* one bad row: none of them stays */
	for (int i = 0; i < 3; i++)
		rows[i].seed = 100 + (uint64_t)i;
	rows[2].value = NAN;
	assert_int_equal(store_put_accuracy(b->s, rows, 3, &b->ctx), ERR_INVALID);
	assert_ok(store_list_accuracy(b->s, b->job, &h, &got, &n, &b->ctx));
	assert_int_equal(n, 3);
	assert_true(got[0].value == 80 && got[0].ci.lo == 79 && got[0].ci.hi == 81);
	assert_true(isnan(got[1].ci.lo) && isnan(got[1].ci.hi));
	assert_true(got[2].seed == UINT64_MAX && got[2].n == rows[2].n);
	assert_string_equal(got[0].metric, "slot_f1");
	assert_true(hash_equal(&got[0].data, &rows[0].data));
	assert_true(hash_equal(&got[0].source, &rows[0].source));
	free(got);
	assert_ok(store_list_accuracy(b->s, b->job, NULL, &got, &n, &b->ctx));
	assert_int_equal(n, 3);
	free(got);
}

/* Each device of a job answers for itself. */
static void answers_of_devices_are_kept_apart(void **state)
{
	static const char *const names[] = {"pi", "nano", "pi"};
	struct box *b = *state;
	struct store_accuracy row, *got;
	struct genome g;
	struct hash h;
	size_t n;

	add_candidate(b, 0, &g, &h);
	fixture_accuracy(&row, &h, "slot_f1", "device", "test", 0, 80);
	assert_int_equal(store_put_accuracy(b->s, &row, 1, &b->ctx), ERR_INVALID);
	for (int i = 0; i < 3; i++) { /* the last is another machine by the first's name */
		fixture_hash(&row.device, "device", i);
		strcpy(row.device_name, names[i]);
		row.value = 80 + i;
		assert_ok(store_put_accuracy(b->s, &row, 1, &b->ctx));
		assert_int_equal(
			store_put_accuracy(b->s, &row, 1, &b->ctx), ERR_EXISTS);
	}
	fixture_accuracy(&row, &h, "slot_f1", "trained", "test", 0, 90);
	strcpy(row.device_name, "pi");
	assert_int_equal(store_put_accuracy(b->s, &row, 1, &b->ctx), ERR_INVALID);
	row.device_name[0] = '\0';
	assert_ok(store_put_accuracy(b->s, &row, 1, &b->ctx));

	/* those of devices last, by name */
	assert_ok(store_list_accuracy(b->s, b->job, &h, &got, &n, &b->ctx));
	assert_int_equal(n, 4);
	assert_true(got[0].value == 90 && got[1].value == 81);
	assert_true(got[2].value == 80 && got[3].value == 82);
	assert_string_equal(got[0].device_name, "");
	assert_string_equal(got[1].device_name, "nano");
	assert_string_equal(got[3].device_name, "pi");
	fixture_hash(&row.device, "device", 2);
	assert_true(hash_equal(&got[3].device, &row.device));
	free(got);
}

static void facts_are_refused_when_the_candidate_is_unknown(void **state)
{
	struct box *b = *state;
	struct store_accuracy row;
	struct store_failure f = {.verdict = VERDICT_CRASH};
	struct artefact a;
	struct measurement m;
	struct hash h, w;

	fixture_hash(&h, "nobody", 0);
	fixture_hash(&w, "w", 0);
	fixture_accuracy(&row, &h, "slot_f1", "trained", "valid", 0, 80);
	assert_int_equal(store_put_accuracy(b->s, &row, 1, &b->ctx), ERR_NOTFOUND);
	fixture_artefact(&a, 0);
	assert_int_equal(store_put_build(b->s, &h, &w, "sim", &a, &b->ctx), ERR_NOTFOUND);
	fixture_measurement(&m, &h, 0, 1, 1000, 2);
	assert_int_equal(
		store_put_measurement(b->s, b->job, "sim", &m, &b->ctx), ERR_NOTFOUND);
	measurement_release(&m);
	f.candidate = h;
	assert_int_equal(store_put_failure(b->s, b->job, &f, &b->ctx), ERR_NOTFOUND);
	assert_int_equal(store_put_prediction(b->s, b->job, &h, "latency_us@sim", "mean",
				 1, 0, &b->ctx),
		ERR_NOTFOUND);
}

static void build_and_device_round_trip(void **state)
{
	struct box *b = *state;
	struct artefact a, got;
	struct store_build *builds;
	struct store_device *devices;
	struct genome g;
	struct hash h, weights, missing;
	size_t n;

	add_candidate(b, 1, &g, &h);
	fixture_artefact(&a, 1);
	fixture_hash(&weights, "weights", 1);
	fixture_hash(&missing, "missing", 1);
	assert_ok(store_put_build(b->s, &h, &weights, "local", &a, &b->ctx));
	assert_ok(store_put_build(b->s, &h, &weights, "local", &a, &b->ctx));
	assert_ok(store_get_build(b->s, &a.build, &got, &b->ctx));
	assert_true(hash_equal(&a.image, &got.image));
	assert_string_equal(a.path, got.path);
	assert_string_equal(a.compiler, got.compiler);
	assert_int_equal(a.flash_bytes, got.flash_bytes);
	assert_int_equal(a.state_bytes, got.state_bytes);
	assert_int_equal(a.stack_bytes, got.stack_bytes);
	assert_int_equal(store_get_build(b->s, &missing, &got, &b->ctx), ERR_NOTFOUND);
	for (int one = 0; one < 2; one++) {
		assert_ok(store_list_builds(
			b->s, b->job, one ? &h : NULL, &builds, &n, &b->ctx));
		assert_int_equal(n, 1);
		assert_true(hash_equal(&builds[0].weights, &weights));
		assert_true(hash_equal(&builds[0].candidate, &h));
		assert_string_equal(builds[0].target, "local");
		assert_int_equal(builds[0].arena_bytes, a.arena_bytes);
		assert_int_equal(builds[0].stack_bytes, a.stack_bytes);
		free(builds);
	}
	a.flash_bytes = UINT64_MAX;
	assert_int_equal(
		store_put_build(b->s, &h, &weights, "local", &a, &b->ctx), ERR_INVALID);

	assert_ok(store_put_device(b->s, &missing, "local", "cpu: x\n", 0, &b->ctx));
	assert_ok(store_put_device(b->s, &missing, "local", "cpu: y\n", 0, &b->ctx));
	assert_ok(store_put_device(b->s, &missing, "sim", "law: z\n", 1, &b->ctx));
	assert_ok(store_list_devices(b->s, &devices, &n, &b->ctx));
	assert_int_equal(n, 2);
	assert_string_equal(devices[0].description, "cpu: x\n");
	assert_int_equal(devices[1].simulated, 1);
	store_devices_free(devices, n);
}

static void measurement_keeps_every_sample(void **state)
{
	struct box *b = *state;
	struct store_measurement *list;
	struct measurement m, got;
	struct genome g;
	struct hash h;
	size_t n;

	add_candidate(b, 2, &g, &h);
	fixture_measurement(&m, &h, 2, 1, 123456.5, 7);
	assert_ok(store_put_measurement(b->s, b->job, "sim", &m, &b->ctx));
	assert_int_equal(
		store_put_measurement(b->s, b->job, "sim", &m, &b->ctx), ERR_EXISTS);
	reopen(b);
	assert_ok(store_get_measurement(
		b->s, &h, &m.build, &m.device, 1, 1, &got, &b->ctx));
	fixture_assert_equal(&m, &got);
	measurement_release(&got);
	assert_ok(store_get_measurement(
		b->s, &h, &m.build, &m.device, 1, 0, &got, &b->ctx));
	assert_null(got.runs);
	assert_true(got.latency_ns == m.latency_ns);
	measurement_release(&got);
	assert_int_equal(
		store_get_measurement(b->s, &h, &m.build, &m.device, 2, 0, &got, &b->ctx),
		ERR_NOTFOUND);
	assert_ok(store_list_measurements(b->s, b->job, 1, &list, &n, &b->ctx));
	assert_int_equal(n, 1);
	fixture_assert_equal(&m, &list[0].m);
	assert_string_equal(list[0].device_name, "sim");
	assert_int_equal(list[0].job, b->job);
	store_measurements_free(list, n);
	measurement_release(&m);
}

static void step_samples_come_back_beside_the_others(void **state)
{
	struct box *b = *state;
	struct measurement m, got;
	struct genome g;
	struct hash h;

	add_candidate(b, 3, &g, &h);
	fixture_measurement(&m, &h, 3, 1, 5000, 2);
	m.step_ns = 50;
	m.step_ci = (struct interval){49, 51};
	m.n_cached = 9;
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(measurement_add_steps(&m.runs[i], 3 + i), 0);
		m.runs[i].steps.inner = 16;
		for (uint32_t k = 0; k < 3 + i; k++) {
			m.runs[i].steps.wall_ns[k] = (float)(60 + k);
			m.runs[i].steps.cpu_ns[k] = (float)(50 + k);
		}
	}
	assert_ok(store_put_measurement(b->s, b->job, "sim", &m, &b->ctx));
	reopen(b);
	assert_ok(store_get_measurement(
		b->s, &h, &m.build, &m.device, 1, 1, &got, &b->ctx));
	fixture_assert_equal(&m, &got);
	assert_true(got.step_ns == 50 && got.step_ci.lo == 49 && got.step_ci.hi == 51);
	assert_int_equal(got.n_cached, 9);
	for (uint32_t i = 0; i < 2; i++) {
		const struct step_samples *x = &m.runs[i].steps, *y = &got.runs[i].steps;

		assert_int_equal(y->n, 3 + i);
		assert_int_equal(y->inner, 16);
		assert_int_equal(y->n_cached, 9);
		assert_memory_equal(x->wall_ns, y->wall_ns, x->n * sizeof(float));
		assert_memory_equal(x->cpu_ns, y->cpu_ns, x->n * sizeof(float));
	}
	measurement_release(&got);
	measurement_release(&m);
}

static void measurement_is_refused_when_its_latency_is_absurd(void **state)
{
	static const double bad[] = {0, -1, NAN, INFINITY};
	struct box *b = *state;
	struct measurement m;
	struct genome g;
	struct hash h;

	add_candidate(b, 2, &g, &h);
	for (size_t i = 0; i < 4; i++) {
		fixture_measurement(&m, &h, 2, 1, 100, 1);
		m.latency_ns = bad[i];
		assert_int_equal(store_put_measurement(b->s, b->job, "sim", &m, &b->ctx),
			ERR_INVALID);
		measurement_release(&m);
	}
}

static void measurements_are_shared_only_between_jobs_on_the_same_data(void **state)
{
	struct box *b = *state;
	struct store_measurement *list;
	struct measurement m;
	struct genome g;
	struct hash h;
	int64_t other;
	size_t n;

	add_candidate(b, 2, &g, &h);
	fixture_measurement(&m, &h, 2, 1, 100, 1);
	assert_ok(store_put_measurement(b->s, b->job, "sim", &m, &b->ctx));
	measurement_release(&m);
	assert_ok(store_put_meta(b->s, b->job, "data", "aa", &b->ctx));
	assert_ok(store_job_open(b->s, "other", &b->spec, "", &other, &b->ctx));
	assert_ok(store_put_candidate(b->s, other, &g, "init", 0, &b->ctx));
	for (int same = 0; same < 2; same++) {
		assert_ok(
			store_put_meta(b->s, other, "data", same ? "aa" : "bb", &b->ctx));
		assert_ok(store_list_measurements(b->s, other, 0, &list, &n, &b->ctx));
		assert_int_equal(n, same);
		store_measurements_free(list, n);
	}
}

static void failure_that_blames_the_candidate_is_stored_once(void **state)
{
	struct box *b = *state;
	struct store_failure f = {.look = 1, .verdict = VERDICT_WRONG_OUTPUT}, got, *list;
	struct genome g;
	size_t n;

	add_candidate(b, 5, &g, &f.candidate);
	fixture_hash(&f.build, "build", 5);
	fixture_hash(&f.device, "device", 0);
	snprintf(f.detail, sizeof(f.detail), "output 3 differs by 0.4 <&>\xff");
	assert_ok(store_put_failure(b->s, b->job, &f, &b->ctx));
	assert_int_equal(store_put_failure(b->s, b->job, &f, &b->ctx), ERR_EXISTS);
	assert_ok(store_get_failure(
		b->s, &f.candidate, &f.build, &f.device, 1, &got, &b->ctx));
	assert_int_equal(got.verdict, VERDICT_WRONG_OUTPUT);
	assert_string_equal(got.detail, f.detail);
	assert_true(got.at_s > 0);

	f.look = 2;
	f.verdict = VERDICT_DEVICE_LOST;
	assert_ok(store_put_failure(b->s, b->job, &f, &b->ctx));
	assert_ok(store_put_failure(b->s, b->job, &f, &b->ctx));
	assert_int_equal(store_get_failure(b->s, &f.candidate, &f.build, &f.device, 2,
				 &got, &b->ctx),
		ERR_NOTFOUND);
	assert_ok(store_list_failures(b->s, b->job, &list, &n, &b->ctx));
	assert_int_equal(n, 3);
	assert_int_equal(list[2].verdict, VERDICT_DEVICE_LOST);
	free(list);
	f.verdict = VERDICT_OK;
	assert_int_equal(store_put_failure(b->s, b->job, &f, &b->ctx), ERR_INVALID);
}

static void progress_round_trips(void **state)
{
	struct box *b = *state;
	struct store_generation g = {2, 30, 40, 0.5, NAN, "ridge", 0.04, NAN},
				*generations;
	struct store_prediction *predictions;
	struct store_event *events;
	struct genome gn;
	struct hash h;
	size_t n;

	assert_ok(store_put_generation(b->s, b->job, &g, &b->ctx));
	g.hv_claimed = 0.75;
	assert_ok(store_put_generation(b->s, b->job, &g, &b->ctx));
	g.generation = 1;
	assert_ok(store_put_generation(b->s, b->job, &g, &b->ctx));
	assert_ok(store_list_generations(b->s, b->job, &generations, &n, &b->ctx));
	assert_int_equal(n, 2);
	assert_int_equal(generations[0].generation, 1);
	assert_true(generations[1].hv_claimed == 0.75);
	assert_true(
		isnan(generations[1].hv_remeasured) && isnan(generations[1].model_tau));
	assert_string_equal(generations[1].model, "ridge");
	free(generations);

	add_candidate(b, 6, &gn, &h);
	assert_ok(store_put_prediction(
		b->s, b->job, &h, "latency_us@sim", "mean", 10, 1, &b->ctx));
	assert_ok(store_put_prediction(
		b->s, b->job, &h, "latency_us@sim", "ridge", 12, NAN, &b->ctx));
	assert_ok(store_list_predictions(b->s, b->job, &predictions, &n, &b->ctx));
	assert_int_equal(n, 1);
	assert_true(predictions[0].mean == 12 && isnan(predictions[0].sd));
	assert_string_equal(predictions[0].model, "ridge");
	free(predictions);

	for (int i = 0; i < 5; i++) {
		char text[32];

		snprintf(text, sizeof(text), "event %d", i);
		assert_ok(store_put_event(b->s, b->job, "note", text, &b->ctx));
	}
	assert_ok(store_list_events(b->s, b->job, 2, &events, &n, &b->ctx));
	assert_int_equal(n, 2);
	assert_string_equal(events[0].text, "event 3");
	assert_string_equal(events[1].text, "event 4");
	store_events_free(events, n);
}

static void batch_undoes_only_the_put_that_failed(void **state)
{
	struct box *b = *state;
	struct store_candidate *list;
	struct genome g;
	struct hash h;
	struct store_accuracy bad;
	size_t n;

	assert_ok(store_begin(b->s, &b->ctx));
	add_candidate(b, 0, &g, &h);
	fixture_accuracy(&bad, &h, "slot_f1", "trained", "valid", 0, NAN);
	assert_int_equal(store_put_accuracy(b->s, &bad, 1, &b->ctx), ERR_INVALID);
	add_candidate(b, 1, &g, &h);
	assert_ok(store_end(b->s, ERR_OK, &b->ctx));

	assert_ok(store_begin(b->s, &b->ctx));
	add_candidate(b, 2, &g, &h);
	assert_int_equal(store_end(b->s, ERR_CANCELLED, &b->ctx), ERR_CANCELLED);
	assert_ok(store_list_candidates(b->s, b->job, &list, &n, &b->ctx));
	assert_int_equal(n, 2);
	store_candidates_free(list, n);
}

static void reader_sees_one_instant_while_the_writer_goes_on(void **state)
{
	struct box *b = *state;
	struct store *reader;
	struct store_candidate *list;
	struct genome g;
	struct hash h;
	size_t n;

	add_candidate(b, 0, &g, &h);
	assert_ok(store_open(&reader, b->db, STORE_READ, &b->ctx));
	assert_ok(store_snapshot(reader, &b->ctx));
	for (int i = 1; i < 20; i++) {
		assert_ok(store_list_candidates(reader, b->job, &list, &n, &b->ctx));
		assert_int_equal(n, 1);
		store_candidates_free(list, n);
		add_candidate(b, i, &g, &h);
	}
	store_snapshot_end(reader);
	assert_ok(store_list_candidates(reader, b->job, &list, &n, &b->ctx));
	assert_int_equal(n, 20);
	store_candidates_free(list, n);
	assert_int_equal(
		store_put_candidate(reader, b->job, &g, "init", 0, &b->ctx), ERR_INVALID);
	store_close(reader);
}

static void stop_request_is_seen_until_it_is_cleared(void **state)
{
	struct box *b = *state;

	assert_false(store_stop_requested(b->db, "demo"));
	assert_ok(store_request_stop(b->db, "demo", &b->ctx));
	assert_ok(store_request_stop(b->db, "../../etc/x y", &b->ctx));
	assert_true(store_stop_requested(b->db, "demo"));
	assert_false(store_stop_requested(b->db, "other"));
	assert_true(store_stop_requested(b->db, "../../etc/x y"));
	store_clear_stop(b->db, "demo");
	assert_false(store_stop_requested(b->db, "demo"));
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(job_is_found_again_when_reopened),
		WITH(job_is_refused_when_its_spec_changed),
		WITH(job_list_names_all_and_null_finds_the_last),
		WITH(meta_is_replaced_and_listed_by_key),
		WITH(candidate_is_found_by_prefix),
		WITH(candidate_prefix_is_refused_when_wrong),
		WITH(candidates_keep_their_order_and_finalists),
		WITH(accuracy_round_trips_all_or_nothing),
		WITH(answers_of_devices_are_kept_apart),
		WITH(facts_are_refused_when_the_candidate_is_unknown),
		WITH(build_and_device_round_trip),
		WITH(measurement_keeps_every_sample),
		WITH(step_samples_come_back_beside_the_others),
		WITH(measurement_is_refused_when_its_latency_is_absurd),
		WITH(measurements_are_shared_only_between_jobs_on_the_same_data),
		WITH(failure_that_blames_the_candidate_is_stored_once),
		WITH(progress_round_trips),
		WITH(batch_undoes_only_the_put_that_failed),
		WITH(reader_sees_one_instant_while_the_writer_goes_on),
		WITH(stop_request_is_seen_until_it_is_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
