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
#include "src/codegen/codegen.h"
#include "src/model/graph.h"
#include "src/report/report.h"
#include "src/report/text.h"
#include "src/report/view.h"
#include "tests/unit/store_fixture.h"

#define assert_ok(call) assert_int_equal((call), ERR_OK)

struct box {
	char dir[256];
	char db[300];
	struct store *s;
	struct err_ctx ctx;
	int64_t job;
	struct buf out;
};

static int setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));
	struct hash spec;

	assert_non_null(b);
	fixture_dir(b->dir, sizeof(b->dir));
	snprintf(b->db, sizeof(b->db), "%s/h.db", b->dir);
	buf_init(&b->out);
	fixture_hash(&spec, "spec", 0);
	assert_ok(store_open(&b->s, b->db, STORE_WRITE, &b->ctx));
	assert_ok(store_job_open(
		b->s, "demo", &spec, "name: demo\n# <b>&\n", &b->job, &b->ctx));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	buf_release(&b->out);
	store_close(b->s);
	assert_ok(file_remove_tree(b->dir, NULL));
	free(b);
	return 0;
}

/* ---- a job: f1 and latency chosen so that the front is known */

static const struct {
	double f1, latency_us;
	int on_front, finalist;
} made[] = {
	{60, 10, 1, 0}, {55, 12, 0, 0}, /* worse and slower than 0 */
	{80, 40, 1, 1}, {81, 50, 1, 0}, /* its interval overlaps that of 2: tied */
	{79, 90, 0, 0}, {95, 200, 1, 1}, {60, 10.5, 0, 0},
	{95, 200, 1, 0}, /* equal to 5: both stay */
};
#define N_MADE ((int)(sizeof(made) / sizeof(made[0])))

static void candidate_hash(int i, struct hash *h)
{
	struct genome g;

	fixture_genome(&g, i);
	genome_hash(&g, h);
}

static void put_quality(struct box *b, int i, const char *method, const char *split,
	uint64_t seed, double f1)
{
	struct store_accuracy a;
	struct hash h;

	candidate_hash(i, &h);
	fixture_accuracy(&a, &h, "slot_f1", method, split, seed, f1);
	if (!strcmp(method, "device"))
		strcpy(a.device_name, "a \"b\"");
	assert_ok(store_put_accuracy(b->s, &a, 1, &b->ctx));
}

static void put_look(struct box *b, int i, uint32_t look, double latency_us)
{
	struct measurement m;
	struct hash h;

	candidate_hash(i, &h);
	fixture_measurement(&m, &h, i, look, latency_us * 1000, 3);
	assert_ok(store_put_measurement(b->s, b->job, "sim", &m, &b->ctx));
	measurement_release(&m);
}

static void put_candidate(struct box *b, int i)
{
	struct artefact a;
	struct genome g;
	struct hash h, weights;

	fixture_genome(&g, i);
	genome_hash(&g, &h);
	assert_ok(store_put_candidate(b->s, b->job, &g, "init", 0, &b->ctx));
	fixture_artefact(&a, i);
	fixture_hash(&weights, "weights", i);
	assert_ok(store_put_build(b->s, &h, &weights, "sim", &a, &b->ctx));
}

static void put_meta(struct box *b)
{
	static const char *const pairs[][2] = {{"task_kind", "intent-slots"},
		{"n_intents", "12"}, {"n_tags", "25"}, {"timed_tokens", "16"},
		{"baseline", "linear, TF-IDF"}, {"baseline_valid_slot_f1", "70.5"},
		{"baseline_test_slot_f1", "69.25"},
		{"macs_tau_slot_f1", "0.4077"},
		{"data_note", "made up <script>alert('x')</script> & \"quoted\""}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_ok(
			store_put_meta(b->s, b->job, pairs[i][0], pairs[i][1], &b->ctx));
}

/* `reverse`: the same facts in another order of taking. */
static void make_job(struct box *b, int reverse)
{
	struct hash device;

	fixture_hash(&device, "device", 0);
	assert_ok(store_set_objectives(b->s, b->job, "slot_f1\nlatency_us@sim", &b->ctx));
	assert_ok(store_put_device(b->s, &device, "sim", "law: <made up>\n", 1, &b->ctx));
	put_meta(b);
	for (int k = 0; k < N_MADE; k++) {
		int i = reverse ? N_MADE - 1 - k : k;
		struct hash h;

		candidate_hash(i, &h);
		put_candidate(b, i);
		put_quality(b, i, "inherited", "valid", 0, made[i].f1);
		assert_ok(store_put_prediction(b->s, b->job, &h, "latency_us@sim",
			"ridge", made[i].latency_us * 1.1, 1, &b->ctx));
		if (i == 0)
			put_look(b, i, 1, 7); /* a lucky first look */
		put_look(b, i, i == 0 ? 2 : 1, made[i].latency_us);
		if (!made[i].finalist)
			continue;
		assert_ok(store_set_finalist(b->s, b->job, &h, &b->ctx));
		for (uint64_t seed = 0; seed < 3; seed++) {
			put_quality(b, i, "trained", "valid", seed,
				made[i].f1 + (double)seed - 1);
			put_quality(b, i, "trained", "test", seed,
				made[i].f1 + (double)seed - 3);
		}
	}
}

static void put_failures(struct box *b)
{
	static const enum verdict verdicts[] = {
		VERDICT_CRASH, VERDICT_WRONG_OUTPUT, VERDICT_DEVICE_LOST};

	for (int i = 0; i < 3; i++) {
		struct store_failure f = {.look = 1, .verdict = verdicts[i]};
		struct genome g;

		fixture_genome(&g, 100 + i);
		genome_hash(&g, &f.candidate);
		snprintf(f.detail, sizeof(f.detail),
			"<img src=x onerror=y> \033[2J \xff %d", i);
		assert_ok(store_put_candidate(b->s, b->job, &g, "evolve", 1, &b->ctx));
		assert_ok(store_put_failure(b->s, b->job, &f, &b->ctx));
	}
}

static void collect(struct box *b, const struct front_query *q, struct front *f)
{
	enum err e = front_collect(b->s, q, f, &b->ctx);

	if (e)
		print_error("%s\n", b->ctx.msg);
	assert_ok(e);
}

/* ---- fronts */

static void front_holds_what_is_not_dominated(void **state)
{
	struct box *b = *state;
	struct front_query q = {.all = 1};
	struct front f;

	make_job(b, 0);
	collect(b, &q, &f);
	assert_int_equal(f.n, N_MADE);
	assert_string_equal(f.job, "demo");
	for (size_t i = 0; i < f.n; i++) {
		struct hash h;
		int k = -1;

		do
			candidate_hash(++k, &h);
		while (!hash_equal(&h, &f.points[i].candidate));
		assert_int_equal(f.points[i].on_front, made[k].on_front);
		assert_int_equal(f.points[i].finalist, made[k].finalist);
		assert_true(f.points[i].v[1].value == made[k].latency_us);
		assert_int_equal(f.points[i].v[1].prov, PROV_SIMULATED);
		assert_true(fabs(f.points[i].v[0].value - made[k].f1) < 1e-9);
		assert_int_equal(f.points[i].v[0].prov,
			made[k].finalist ? PROV_TRAINED : PROV_INHERITED);
		assert_int_equal(f.points[i].n_seeds, made[k].finalist ? 3 : 0);
		assert_true(made[k].finalist ? fabs(f.points[i].test[0].value -
						       made[k].f1 + 2) < 1e-9
					     : isnan(f.points[i].test[0].value));
		assert_true(
			i == 0 || f.points[i].v[1].value >= f.points[i - 1].v[1].value);
	}
	front_release(&f);
}

static void front_marks_ties_by_interval(void **state)
{
	struct box *b = *state;
	struct front_query q = {0};
	struct front f;
	struct hash two;

	make_job(b, 0);
	collect(b, &q, &f);
	assert_int_equal(f.n, 5);
	candidate_hash(2, &two);
	assert_false(f.points[0].tied || f.points[1].tied);
	assert_true(f.points[2].tied); /* 81 at 50 us, after 80 at 40 us */
	assert_true(hash_equal(&f.points[2].tied_with, &two));
	assert_true(f.points[3].tied + f.points[4].tied == 1); /* equal twins */
	front_release(&f);
}

static int times(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

static void front_tells_an_unresolved_latency(void **state)
{
	struct box *b = *state;
	struct front_query q = {0};
	struct measurement m;
	const char *text;
	struct front f;
	struct hash h;

	make_job(b, 0);
	candidate_hash(2, &h);
	fixture_measurement(&m, &h, 2, 2, 40e3, 3);
	m.resolved = 0;
	assert_ok(store_put_measurement(b->s, b->job, "sim", &m, &b->ctx));
	measurement_release(&m);
	collect(b, &q, &f);
	assert_ok(front_table(&f, 0, &b->out, &b->ctx));
	assert_ok(front_csv(&f, &b->out, &b->ctx));
	assert_ok(front_json(&f, &b->out, &b->ctx));
	text = buf_str(&b->out);
	assert_int_equal(times(text, " s?"), 1);
	assert_int_equal(times(text, "40.0 [39.2, 40.8] s?"), 1);
	assert_int_equal(times(text, "\n?: unresolved"), 1);
	assert_int_equal(times(text, ",simulated,0,"), 1);
	assert_int_equal(times(text, "\"resolved\": false"), 1);
	front_release(&f);
}

static void front_obeys_limits(void **state)
{
	static const struct {
		const char *limit;
		size_t n;
	} cases[] = {{"latency_us@sim<50", 2}, {"latency_us@sim<=50", 3},
		{"slot_f1>=81", 3}, {"slot_f1>99", 0}, {"flash_bytes@sim<=55000", 2},
		{"macs<1e12", 5}, {"energy_uj@sim<1", 0}, {"latency_us@nowhere<1e9", 0}};
	struct box *b = *state;

	make_job(b, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct limit l;
		struct front_query q = {.where = &l, .n_where = 1};
		struct front f;

		assert_ok(limit_parse(&l, cases[i].limit, &b->ctx));
		collect(b, &q, &f);
		if (f.n != cases[i].n)
			print_error("%s: %zu\n", cases[i].limit, f.n);
		assert_int_equal(f.n, cases[i].n);
		front_release(&f);
	}
}

static void front_stays_within_the_limits_of_its_job(void **state)
{
	struct front_query own = {0}, all = {.all = 1};
	struct box *b = *state;
	struct front f;
	size_t n_all, n_front = 0;

	make_job(b, 0);
	collect(b, &all, &f);
	n_all = f.n;
	front_release(&f);
	assert_ok(store_put_meta(b->s, b->job, "limits",
		"latency_us@sim<=50\nflash_bytes@sim<=55000", &b->ctx));
	collect(b, &own, &f);
	assert_int_equal(f.n, 2);
	front_release(&f);
	collect(b, &all, &f);
	assert_int_equal(f.n, n_all);
	for (size_t i = 0; i < f.n; i++)
		n_front += f.points[i].on_front != 0;
	assert_int_equal(n_front, 2); /* in lists of all, too */
	front_release(&f);
}

static void front_best_picks_one(void **state)
{
	static const struct {
		const char *metric;
		int want;
	} cases[] = {{"accuracy", -1}, {"slot_f1", -1}, {"latency_us", 0},
		{"latency_us@sim", 0}, {"flash_bytes@sim", 0}};
	struct box *b = *state;

	make_job(b, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct front_query q = {.best = cases[i].metric};
		struct front f;
		struct hash h;

		collect(b, &q, &f);
		assert_int_equal(f.n, 1);
		candidate_hash(cases[i].want < 0 ? 5 : cases[i].want, &h);
		if (cases[i].want < 0)
			assert_true(f.points[0].v[0].value == 95);
		else
			assert_true(hash_equal(&h, &f.points[0].candidate));
		front_release(&f);
	}
	{
		struct front_query q = {.best = "speed"};
		struct front f;

		assert_int_equal(front_collect(b->s, &q, &f, &b->ctx), ERR_USAGE);
	}
}

static void front_takes_other_objectives(void **state)
{
	struct box *b = *state;
	struct objective o[3];
	struct front_query q = {.objectives = o, .n_objectives = 3};
	struct front f;
	size_t n = 0;

	make_job(b, 0);
	assert_ok(objective_parse(&o[0], "slot_f1", &b->ctx));
	assert_ok(objective_parse(&o[1], "flash_bytes@sim", &b->ctx));
	assert_ok(objective_parse(&o[2], "macs", &b->ctx));
	collect(b, &q, &f);
	for (size_t i = 0; i < f.n; i++) {
		struct graph_cost cost;
		struct task_shape task = {TASK_INTENT_SLOTS, 12, 25};
		struct genome g;

		assert_ok(genome_parse(&g, f.points[i].text, &b->ctx));
		graph_cost(&g, &task, 16, &cost);
		assert_true(f.points[i].v[2].value == cost.macs);
		assert_int_equal(f.points[i].v[2].prov, PROV_ANALYTIC);
		assert_int_equal(f.points[i].v[1].prov, PROV_MEASURED);
		n++;
	}
	assert_true(n > 0);
	front_release(&f);
}

static void front_takes_the_last_look_of_its_own_job(void **state)
{
	struct box *b = *state;
	struct front_query q = {.job = "demo", .best = "latency_us"};
	struct measurement m;
	struct front f;
	struct hash h, spec;
	struct genome g;
	int64_t other;

	make_job(b, 0);
	fixture_hash(&spec, "spec", 1);
	assert_ok(store_job_open(b->s, "other", &spec, "", &other, &b->ctx));
	fixture_genome(&g, 0);
	genome_hash(&g, &h);
	assert_ok(store_put_candidate(b->s, other, &g, "init", 0, &b->ctx));
	fixture_measurement(&m, &h, 0, 3, 1000, 1);
	assert_ok(store_put_measurement(b->s, other, "sim", &m, &b->ctx));
	measurement_release(&m);
	collect(b, &q, &f);
	assert_true(f.points[0].v[1].value == 10);
	front_release(&f);
}

static void finalists_are_those_with_a_test_score(void **state)
{
	struct box *b = *state;
	struct front_query q = {.finalists_only = 1};
	struct front f;
	struct hash h;

	make_job(b, 0);
	candidate_hash(1, &h);
	assert_ok(store_set_finalist(b->s, b->job, &h, &b->ctx)); /* not trained yet */
	collect(b, &q, &f);
	assert_int_equal(f.n, 2);
	front_release(&f);
}

/* ---- golden texts */

static void assert_golden(struct box *b, const char *name)
{
	char path[256];
	struct buf want;

	snprintf(path, sizeof(path), "tests/golden/report/%s", name);
	if (getenv("UPDATE_GOLDEN"))
		assert_ok(
			file_write_atomic(path, b->out.data, b->out.len, 0644, &b->ctx));
	buf_init(&want);
	assert_ok(file_read(path, 0, &want, &b->ctx));
	assert_string_equal(buf_str(&b->out), buf_str(&want));
	buf_release(&want);
}

static void front_texts_match_the_golden_ones(void **state)
{
	struct box *b = *state;
	struct front_query q = {.all = 1};
	struct front f;

	make_job(b, 0);
	collect(b, &q, &f);
	assert_ok(front_csv(&f, &b->out, &b->ctx));
	assert_golden(b, "front.csv");
	buf_reset(&b->out);
	assert_ok(front_json(&f, &b->out, &b->ctx));
	assert_golden(b, "front.json");
	buf_reset(&b->out);
	assert_ok(front_table(&f, 0, &b->out, &b->ctx));
	assert_golden(b, "front.txt");
	buf_reset(&b->out);
	assert_ok(front_table(&f, 1, &b->out, &b->ctx));
	assert_non_null(strstr(buf_str(&b->out), "\033["));
	front_release(&f);
}

static void front_csv_is_the_same_whatever_the_order_of_facts(void **state)
{
	struct box *b = *state;
	struct front_query q = {.all = 1};
	struct front f;

	make_job(b, 1);
	collect(b, &q, &f);
	assert_ok(front_csv(&f, &b->out, &b->ctx));
	assert_golden(b, "front.csv");
	front_release(&f);
}

/* ---- show, status */

static void show_tells_all_and_op_costs_add_up(void **state)
{
	struct box *b = *state;
	struct view v;
	struct hash h;
	double sum = 0;

	make_job(b, 0);
	put_quality(b, 2, "device", "test", 3, 77.5);
	candidate_hash(2, &h);
	assert_ok(show_text(b->s, NULL, &h, &b->out, &b->ctx));
	assert_non_null(strstr(buf_str(&b->out), "throttled in 2 of its processes"));
	assert_non_null(strstr(buf_str(&b->out), "finalist"));
	assert_non_null(strstr(buf_str(&b->out), "attention"));
	assert_non_null(strstr(buf_str(&b->out), "simulated"));
	assert_non_null(strstr(buf_str(&b->out), "seed 3, on a \"b\"\n"));
	buf_reset(&b->out);
	assert_ok(show_json(b->s, "demo", &h, &b->out, &b->ctx));
	assert_non_null(strstr(buf_str(&b->out), "\"quality\": ["));
	assert_non_null(
		strstr(buf_str(&b->out), "\"seed\": 3, \"device\": \"a \\\"b\\\"\"}"));
	assert_non_null(strstr(buf_str(&b->out), "\"seed\": 0, \"device\": null}"));
	for (int i = 0; i < N_MADE; i++) {
		candidate_hash(i, &h);
		assert_ok(view_load(b->s, NULL, &h, &v, &b->ctx));
		sum = 0;
		for (size_t k = 0; k < v.graph->n_ops; k++)
			sum += view_op_macs(&v, &v.graph->op[k]);
		assert_true(sum > 0 && fabs(sum - v.cost.macs) < 1e-6 * sum);
		view_release(&v);
	}
	fixture_hash(&h, "stranger", 0);
	assert_int_equal(show_text(b->s, NULL, &h, &b->out, &b->ctx), ERR_NOTFOUND);
}

static void status_counts_and_drops_escape_sequences(void **state)
{
	struct box *b = *state;
	struct store_generation g = {1, 8, 9, 0.5, 0.45, "ridge", 0.031, 0.97};
	const char *text;

	make_job(b, 0);
	put_failures(b);
	assert_ok(store_put_generation(b->s, b->job, &g, &b->ctx));
	assert_ok(store_put_event(b->s, b->job, "note", "red \033[31m alert", &b->ctx));
	assert_ok(status_text(b->s, NULL, 0, &b->out, &b->ctx));
	assert_non_null(strstr(buf_str(&b->out), "\nthrottled     "));
	text = buf_str(&b->out);
	assert_non_null(strstr(text, "demo  running (process"));
	assert_non_null(strstr(text, "11 (2 finalists), 9 measurements"));
	assert_non_null(strstr(text, "3 (wrong-output 1, crash 1, device-lost 1)"));
	assert_non_null(strstr(text, "0.5000 claimed, 0.4500 re-measured"));
	assert_non_null(strstr(text, "error 3.1 %, tau 0.970"));
	assert_null(strchr(text, '\033'));
	buf_reset(&b->out);
	assert_ok(status_json(b->s, "demo", &b->out, &b->ctx));
	assert_non_null(strstr(buf_str(&b->out), "\"hv_remeasured\": 0.45"));
	assert_non_null(strstr(buf_str(&b->out), "\\u001b"));
}

static void status_says_interrupted_when_nobody_runs_it(void **state)
{
	struct box *b = *state;
	struct store *reader;

	make_job(b, 0);
	store_close(b->s);
	b->s = NULL;
	assert_ok(store_open(&reader, b->db, STORE_READ, &b->ctx));
	assert_ok(status_text(reader, NULL, 0, &b->out, &b->ctx));
	assert_non_null(strstr(buf_str(&b->out), "demo  interrupted"));
	store_close(reader);
}

/* ---- texts */

static void texts_are_escaped(void **state)
{
	static const struct {
		void (*put)(struct buf *, const char *);
		const char *in, *want;
	} cases[] = {
		{text_html, "<a href='x'>&\"", "&lt;a href=&#39;x&#39;&gt;&amp;&quot;"},
		{text_html, "\xff\xc3\xa4\x01", "\xef\xbf\xbd\xc3\xa4 "},
		{text_json, "a\"\\\n\x02\xfe", "\"a\\\"\\\\\\n\\u0002\xef\xbf\xbd\""},
		{text_csv, "plain", "plain"}, {text_csv, "a,\"b\"", "\"a,\"\"b\"\"\""},
		{text_plain, "x\033[2Jy", "x [2Jy"}};
	struct box *b = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&b->out);
		cases[i].put(&b->out, cases[i].in);
		assert_string_equal(buf_str(&b->out), cases[i].want);
	}
}

/* ---- the report */

static void read_out(struct box *b, const char *dir, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	buf_reset(&b->out);
	assert_ok(file_read(path, 0, &b->out, &b->ctx));
}

static const struct report_tools tools = {process_run_command};

static int has_gnuplot(void)
{
	const char *const argv[] = {"gnuplot", "--version", NULL};

	return process_run_command(argv, NULL, 20, NULL, NULL, NULL) == ERR_OK;
}

static void assert_page_is_clean(struct box *b)
{
	const char *page = buf_str(&b->out);

	assert_null(strstr(page, "<script"));
	assert_non_null(strstr(page, "<p>Throttled (a CPU quota, heat"));
	assert_null(strstr(page, "<img"));
	assert_null(strstr(page, "src=\"http"));
	assert_null(strstr(page, "<b>&\n")); /* from the job's text */
	assert_non_null(strstr(page, "&lt;script&gt;"));
	assert_non_null(strstr(page, "</html>"));
}

static void report_draws_every_plot(void **state)
{
	static const char *const names[] = {
		"front", "hypervolume", "predicted", "latency", "macs"};
	struct box *b = *state;
	struct store_generation g = {0, 8, 9, 0.5, NAN, "", NAN, NAN};
	char dir[400], name[64];

	if (!has_gnuplot()) {
		print_message("SKIP drawing: gnuplot is not installed\n");
		return;
	}
	make_job(b, 0);
	put_failures(b);
	for (g.generation = 0; g.generation < 4; g.generation++) {
		g.hv_claimed += 0.1;
		g.hv_remeasured = g.generation ? g.hv_claimed - 0.05 : NAN;
		assert_ok(store_put_generation(b->s, b->job, &g, &b->ctx));
	}
	snprintf(dir, sizeof(dir), "%s/report", b->dir);
	if (report_write(b->s, NULL, dir, &tools, &b->ctx))
		print_error("%s\n", b->ctx.msg);
	assert_ok(report_write(b->s, NULL, dir, &tools, &b->ctx));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "%s.svg", names[i]);
		read_out(b, dir, name);
		assert_non_null(strstr(buf_str(&b->out), "</svg>"));
		snprintf(name, sizeof(name), "%s.png", names[i]);
		read_out(b, dir, name);
		assert_memory_equal(b->out.data, "\x89PNG", 4);
	}
	read_out(b, dir, "index.html");
	assert_page_is_clean(b);
	assert_non_null(strstr(buf_str(&b->out), "<svg"));
	assert_non_null(strstr(buf_str(&b->out), "69.25"));
	assert_non_null(strstr(buf_str(&b->out), "wrong-output"));
	read_out(b, dir, "front.csv");
	assert_non_null(strstr(buf_str(&b->out), "slot_f1,"));
}

static void report_without_gnuplot_still_has_its_page(void **state)
{
	struct box *b = *state;
	const char *path = getenv("PATH");
	char dir[400], *saved = strdup(path ? path : "");

	make_job(b, 0);
	snprintf(dir, sizeof(dir), "%s/report", b->dir);
	setenv("PATH", "", 1);
	assert_int_equal(report_write(b->s, NULL, dir, &tools, &b->ctx), ERR_TOOL);
	setenv("PATH", saved, 1);
	free(saved);
	assert_non_null(strstr(b->ctx.msg, "install gnuplot"));
	read_out(b, dir, "index.html");
	assert_page_is_clean(b);
	assert_null(strstr(buf_str(&b->out), "<svg"));
	assert_non_null(strstr(buf_str(&b->out), "Without plots"));
}

static void report_of_an_empty_or_failed_job_is_a_page(void **state)
{
	struct box *b = *state;
	char dir[400];
	struct front_query q = {0};
	struct front f;

	snprintf(dir, sizeof(dir), "%s/report", b->dir);
	assert_int_equal(report_write(b->s, NULL, dir, &tools, &b->ctx), ERR_INVALID);
	assert_ok(store_set_objectives(b->s, b->job, "slot_f1\nlatency_us@sim", &b->ctx));
	for (int failed = 0; failed < 2; failed++) {
		assert_ok(report_write(b->s, NULL, dir, &tools, &b->ctx));
		read_out(b, dir, "index.html");
		assert_non_null(strstr(buf_str(&b->out), "No candidate has a value"));
		collect(b, &q, &f);
		assert_int_equal(f.n, 0);
		buf_reset(&b->out);
		assert_ok(front_table(&f, 0, &b->out, &b->ctx));
		assert_non_null(strstr(buf_str(&b->out), "no candidate to show"));
		buf_reset(&b->out);
		assert_ok(front_json(&f, &b->out, &b->ctx));
		assert_non_null(strstr(buf_str(&b->out), "\"points\": []"));
		front_release(&f);
		if (!failed)
			put_failures(b);
	}
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(front_holds_what_is_not_dominated),
		WITH(front_marks_ties_by_interval),
		WITH(front_tells_an_unresolved_latency),
		WITH(front_obeys_limits),
		WITH(front_stays_within_the_limits_of_its_job),
		WITH(front_best_picks_one),
		WITH(front_takes_other_objectives),
		WITH(front_takes_the_last_look_of_its_own_job),
		WITH(finalists_are_those_with_a_test_score),
		WITH(front_texts_match_the_golden_ones),
		WITH(front_csv_is_the_same_whatever_the_order_of_facts),
		WITH(show_tells_all_and_op_costs_add_up),
		WITH(status_counts_and_drops_escape_sequences),
		WITH(status_says_interrupted_when_nobody_runs_it),
		WITH(texts_are_escaped),
		WITH(report_draws_every_plot),
		WITH(report_without_gnuplot_still_has_its_page),
		WITH(report_of_an_empty_or_failed_job_is_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
