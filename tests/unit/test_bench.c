/* The bench's numbers: what becomes of samples, rounds and goals. Nothing is timed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "tests/bench/verdict.h"

static void near(double got, double expected)
{
	if (!(fabs(got - expected) <= 1e-12 * (1 + fabs(expected))))
		fail_msg("got %.12g, expected %.12g", got, expected);
}

/* ---- samples */

static void slice_takes_the_median_of_undisturbed_samples(void **state)
{
	struct slice s;

	(void)state;
	assert_int_equal(slice_parse("10 9 0 30 20 0 900 30 2 20 25 0", 1, &s, NULL), 0);
	near(s.wall_ns, 20);
	near(s.cpu_ns, 22.5);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.n_clean, 3);
}

static void slice_divides_by_the_runs_of_a_sample(void **state)
{
	struct slice s;

	(void)state;
	assert_int_equal(slice_parse("100 80 0 100 80 0 100 80 0 ", 10, &s, NULL), 0);
	near(s.wall_ns, 10);
	near(s.cpu_ns, 8);
}

static void slice_has_no_wall_time_when_hardly_a_sample_was_undisturbed(void **state)
{
	struct slice s;

	(void)state;
	assert_int_equal(slice_parse("10 9 0 10 9 0 10 9 1 10 9 4", 1, &s, NULL), 0);
	assert_true(isnan(s.wall_ns));
	near(s.cpu_ns, 9);
	assert_int_equal(s.n_clean, 2);
}

static void slice_refuses_what_is_no_line_of_samples(void **state)
{
	static const char *const bad[] = {"", " ", "1", "1 2", "1 2 0 3", "1 2 x",
		"a b c", "1 2 0x", "-1 2 0", "1 -2 0", "nan 1 0", "1 inf 0", "1,2,0"};
	struct slice s = {1, 2, 3, 4};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err_ctx ctx;

		assert_int_equal(slice_parse(bad[i], 1, &s, &ctx), ERR_PARSE);
		assert_non_null(strstr(ctx.msg, "samples"));
	}
	assert_int_equal(slice_parse("1 2 0", 0, &s, NULL), ERR_PARSE);
	near(s.wall_ns, 1); /* untouched */
	assert_int_equal(s.n_clean, 4);
}

static void slice_passes_on_what_an_engine_complains(void **state)
{
	struct err_ctx ctx;
	struct slice s;

	(void)state;
	assert_int_equal(slice_parse("error bad request", 1, &s, &ctx), ERR_TOOL);
	assert_non_null(strstr(ctx.msg, "bad request"));
}

/* ---- series */

static void put(struct series *s, size_t round, double wall, double cpu)
{
	struct slice slice = {wall, cpu, 5, 4};

	series_add(s, round, &slice);
}

static void series_is_empty_at_first(void **state)
{
	struct series s;

	(void)state;
	series_init(&s);
	assert_int_equal(series_count(&s, CLOCK_WALL), 0);
	assert_true(isnan(series_median(&s, CLOCK_CPU)));
}

static void series_takes_the_median_of_its_rounds(void **state)
{
	struct series s;

	(void)state;
	series_init(&s);
	put(&s, 0, 10, 1);
	put(&s, 4, 30, 2);
	put(&s, 5, NAN, 3);
	put(&s, 9, 11, 4);
	assert_int_equal(series_count(&s, CLOCK_WALL), 3);
	assert_int_equal(series_count(&s, CLOCK_CPU), 4);
	near(series_median(&s, CLOCK_WALL), 11);
	near(series_median(&s, CLOCK_CPU), 2.5);
	assert_int_equal(s.n_samples, 20);
	assert_int_equal(s.n_switched, 4);
}

static void ratio_pairs_rounds(void **state)
{
	struct series a, b;
	struct ratio r;

	(void)state;
	series_init(&a);
	series_init(&b);
	/* The machine was twice as slow in round 1: the ratio does not see it. */
	put(&a, 0, 40, 1);
	put(&b, 0, 10, 1);
	put(&a, 1, 80, 1);
	put(&b, 1, 20, 1);
	put(&a, 2, 44, 1);
	put(&b, 2, 11, 1);
	put(&a, 3, 1000, 1); /* no partner */
	put(&b, 4, NAN, 1);
	r = series_ratio(&a, &b, CLOCK_WALL, 0);
	assert_int_equal(r.n, 3);
	near(r.median, 4);
	near(r.range.lo, 4);
	near(r.range.hi, 4);
}

static void ratio_takes_the_cost_of_a_call_off(void **state)
{
	struct series a, b;

	(void)state;
	series_init(&a);
	series_init(&b);
	put(&a, 0, 42, 1);
	put(&b, 0, 10, 1);
	near(series_ratio(&a, &b, CLOCK_WALL, 2).median, 4);
}

static void ratio_is_unknown_without_a_common_round(void **state)
{
	struct series a, b;
	struct ratio r;

	(void)state;
	series_init(&a);
	series_init(&b);
	put(&a, 0, 42, 1);
	put(&b, 1, 10, 1);
	r = series_ratio(&a, &b, CLOCK_WALL, 0);
	assert_int_equal(r.n, 0);
	assert_true(isnan(r.median) && isnan(r.range.lo));
}

/* ---- shapes */

static void shapes_are_valid_and_of_the_known_work(void **state)
{
	/* Multiply-adds in millions, as published with the goals. */
	static const double mmacs[N_SHAPES] = {1.1, 13.1, 26.2, 148, 344, 1434};

	(void)state;
	for (int i = 0; i < N_SHAPES; i++) {
		for (int p = 0; p < N_PRECISIONS; p++) {
			struct graph_cost c;
			struct err_ctx ctx;
			struct genome g;

			if (shape_genome(
				    &shapes[i], (enum precision)p, KERNELS_OPT, &g, &ctx))
				fail_msg("%s: %s", shapes[i].name, ctx.msg);
			assert_int_equal(g.layer[0].bits, precision_bits[p]);
			graph_cost(&g, &encoder_task, g.seq_len, &c);
			if (fabs(c.macs / 1e6 / mmacs[i] - 1) > 0.03)
				fail_msg("%s: %g MMAC", shapes[i].name, c.macs / 1e6);
		}
	}
}

/* ---- goals */

/* A machine with one set, and one shape where ours takes 10 us and the peer 46 and 1. */
struct world {
	struct options options;
	struct machine machine;
	struct bench_result r;
};

static void measured(struct engine *e, double ns)
{
	for (size_t i = 0; i < 3; i++)
		put(&e->series, i, ns, ns);
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct contest *c;
	struct engine *e;

	assert_non_null(w);
	w->r.options = &w->options;
	w->r.machine = &w->machine;
	w->machine.n_sets = 2;
	snprintf(w->machine.set[0].name, sizeof(w->machine.set[0].name), "ref");
	snprintf(w->machine.set[1].name, sizeof(w->machine.set[1].name), "fast");
	w->machine.set[0].isa = w->machine.set[0].cflags = "";
	w->machine.set[1].isa = w->machine.set[1].cflags = "";
	c = &w->r.contest[w->r.n_contests++];
	c->shape = &shapes[0];
	c->n_rounds = 3;
	c->macs = 1e6;
	e = engine_add(c->engine, &c->n, ENGINE_OURS, INT8, "int8 ref");
	e->set = &w->machine.set[0];
	measured(e, 100000);
	e = engine_add(c->engine, &c->n, ENGINE_OURS, INT8, "int8 fast");
	e->set = &w->machine.set[1];
	measured(e, 10000);
	e = engine_add(c->engine, &c->n, ENGINE_PEER, INT8, "ort int8-dyn");
	measured(e, 90000);
	e = engine_add(c->engine, &c->n, ENGINE_PEER, INT8, "ort int8-fused");
	measured(e, 46000);
	e = engine_add(c->engine, &c->n, ENGINE_PEER, FP32, "ort empty");
	measured(e, 1000);
	return w;
}

static const struct judgement *find(const struct judgement *j, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(j[i].what, what))
			return &j[i];
	fail_msg("no goal '%s'", what);
	return NULL;
}

static void goals_hold_the_best_set_against_the_faster_peer(void **state)
{
	static struct judgement all[MAX_JUDGEMENTS];
	struct world *w = world_new();
	size_t n = verdict_judge(&w->r, all);
	const struct judgement *j =
		find(all, n, "int8: times faster than ort int8-fused");

	(void)state;
	assert_null(j->missing);
	near(j->value, 4.5);
	near(j->goal, 9);
	assert_false(judgement_is_met(j));
	free(w);
}

static void goals_say_when_an_engine_is_missing(void **state)
{
	static struct judgement all[MAX_JUDGEMENTS];
	struct world *w = world_new();
	size_t n;

	(void)state;
	for (unsigned i = 2; i < 4; i++)
		engine_absent(&w->r.contest[0].engine[i], "no network");
	n = verdict_judge(&w->r, all);
	assert_string_equal(find(all, n, "int8: times faster")->missing, "no peer");
	assert_string_equal(
		find(all, n, "fp32: times faster")->missing, "no engine of ours");
	assert_false(judgement_is_met(find(all, n, "int8: times faster")));
	free(w);
}

static void goals_may_be_ceilings(void **state)
{
	struct judgement j = {"x", 2.1, 2.2, 1, {NAN, NAN}, NULL};

	(void)state;
	assert_true(judgement_is_met(&j));
	j.at_most = 0;
	assert_false(judgement_is_met(&j));
	j.value = NAN;
	assert_false(judgement_is_met(&j));
}

static void json_holds_slices_and_goals(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct world *w = world_new();
	const json_t *goal, *engine;
	char path[4096];
	json_t *o;
	size_t i;
	int fd, seen = 0;

	(void)state;
	snprintf(
		path, sizeof(path), "%s/hawser-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(verdict_write(&w->r, path, NULL), 0);
	o = json_load_file(path, 0, NULL);
	unlink(path);
	assert_non_null(o);
	engine = json_array_get(
		json_object_get(
			json_array_get(json_object_get(o, "shapes"), 0), "engines"),
		1);
	assert_string_equal(
		json_string_value(json_object_get(engine, "name")), "int8 fast");
	near(json_number_value(json_object_get(engine, "median_ns")), 10000);
	assert_int_equal(json_array_size(json_object_get(engine, "slices_wall_ns")), 3);
	json_array_foreach(json_object_get(o, "goals"), i, goal)
	{
		if (!strstr(json_string_value(json_object_get(goal, "goal")),
			    "int8-fused"))
			continue;
		seen = 1;
		near(json_number_value(json_object_get(goal, "value")), 4.5);
		assert_true(json_is_false(json_object_get(goal, "met")));
	}
	assert_true(seen);
	json_decref(o);
	free(w);
}

/* ---- the machine */

static void flags_are_runnable_only_where_the_processor_has_them(void **state)
{
	(void)state;
	assert_true(cpu_can_run(""));
	assert_true(cpu_can_run("-O3 -march=native"));
	assert_false(cpu_can_run("-mno-such-instruction"));
	assert_false(cpu_has("no_such_instruction"));
	assert_false(cpu_has(""));
	assert_int_equal(cpu_has("avx512_vnni"), cpu_can_run("-mavx512vnni"));
	assert_int_equal(cpu_has("avx2") && cpu_has("fma"), cpu_can_run("-mavx2  -mfma"));
}

static void rates_run_where_the_processor_has_them(void **state)
{
	const struct rate *r;

	(void)state;
	for (size_t i = 0; (r = rate_at(i)); i++)
		if (rate_is_runnable(r))
			assert_true(rate_measure(r, 1) > 0);
	for (int is_int8 = 0; is_int8 < 2; is_int8++)
		if ((r = rate_best(is_int8)))
			assert_int_equal(r->name[0] != 'f', is_int8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slice_takes_the_median_of_undisturbed_samples),
		cmocka_unit_test(slice_divides_by_the_runs_of_a_sample),
		cmocka_unit_test(
			slice_has_no_wall_time_when_hardly_a_sample_was_undisturbed),
		cmocka_unit_test(slice_refuses_what_is_no_line_of_samples),
		cmocka_unit_test(slice_passes_on_what_an_engine_complains),
		cmocka_unit_test(series_is_empty_at_first),
		cmocka_unit_test(series_takes_the_median_of_its_rounds),
		cmocka_unit_test(ratio_pairs_rounds),
		cmocka_unit_test(ratio_takes_the_cost_of_a_call_off),
		cmocka_unit_test(ratio_is_unknown_without_a_common_round),
		cmocka_unit_test(shapes_are_valid_and_of_the_known_work),
		cmocka_unit_test(goals_hold_the_best_set_against_the_faster_peer),
		cmocka_unit_test(goals_say_when_an_engine_is_missing),
		cmocka_unit_test(goals_may_be_ceilings),
		cmocka_unit_test(json_holds_slices_and_goals),
		cmocka_unit_test(flags_are_runnable_only_where_the_processor_has_them),
		cmocka_unit_test(rates_run_where_the_processor_has_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
