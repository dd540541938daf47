/* What the search finds, and how it ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/search_world.h"

/* ---- looks, limits, failures */

static void check_front(const struct search_result *r)
{
	size_t n_front = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct search_member *m = &r->members[i];
		int beaten = !m->last.feasible;

		for (size_t j = 0; j < r->n && !beaten; j++) {
			const struct value *a = r->members[j].last.v, *b = m->last.v;

			beaten = r->members[j].last.feasible &&
				 a[0].value >= b[0].value && a[1].value <= b[1].value &&
				 (a[0].value > b[0].value || a[1].value < b[1].value);
		}
		assert_int_equal(m->on_front, !beaten);
		n_front += !beaten;
		if (m->on_front)
			assert_int_equal(m->last.looks, 2);
	}
	assert_true(n_front > 2);
}

static void search_looks_twice_at_every_front_member(void **state)
{
	struct space *s = parse(SPACE);
	double claimed = 0, remeasured = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct search_options o = options("model", seed, 72);
		struct world *w = world_new();
		struct search_result r;

		w->noise = 0.15;
		r = run(w, s, &o);
		check_front(&r);
		claimed += w->last_note.hv_claimed;
		remeasured += w->last_note.hv_remeasured;
		assert_int_equal(w->last_note.n_candidates, 72);
		assert_true(w->last_note.n_measured > 72);
		search_result_release(&r);
		world_free(w);
	}
	assert_true(remeasured < claimed); /* the winner's curse is shown */
	assert_true(remeasured > 0.85 * claimed);
	space_close(s);
}

static void search_takes_a_third_objective(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 2, 60);
	struct world *w = world_new();
	struct search_result r;
	double least = INFINITY;
	struct genome g;

	(void)state;
	w->ev.n_objectives = 3;
	r = run(w, s, &o);
	assert_int_equal(r.n, 60);
	space_smallest(s, &g);
	for (size_t i = 0; i < r.n; i++)
		if (r.members[i].on_front)
			least = fmin(least, r.members[i].last.v[2].value);
	assert_true(least == law_bytes(&g));
	assert_true(w->last_note.hv_remeasured > 0.3);
	search_result_release(&r);
	world_free(w);
	space_close(s);
}

static void search_keeps_failures_off_the_front(void **state)
{
	static const char *const names[] = {"model", "nsga2", "random"};
	struct space *s = parse(SPACE);

	(void)state;
	for (int a = 0; a < 3; a++) {
		struct search_options o = options(names[a], 2, 60);
		struct world *w = world_new();
		struct search_result r;
		size_t n_failed = 0;

		w->fail_every = 3;
		r = run(w, s, &o);
		check_front(&r);
		for (size_t i = 0; i < r.n; i++) {
			n_failed += (size_t)r.members[i].first.failed;
			assert_false(r.members[i].first.failed && r.members[i].on_front);
		}
		assert_in_range(n_failed, 10, 35);
		search_result_release(&r);
		world_free(w);
	}
	space_close(s);
}

static void search_ends_in_order_when_everything_fails(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 2, 40);
	struct world *w = world_new();
	struct search_result r;

	(void)state;
	w->fail_every = 1;
	r = run(w, s, &o);
	assert_int_equal(r.n, 40);
	assert_true(isnan(w->last_note.hv_claimed));
	search_result_release(&r);
	world_restart(w);
	o.patience = 2;
	r = run(w, s, &o);
	assert_string_equal(r.stopped_by, "patience");
	search_result_release(&r);
	world_free(w);
	space_close(s);
}

static void search_finds_the_feasible_part(void **state)
{
	struct space *s = parse(SPACE);
	double model = 0, chance = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++)
		for (int a = 0; a < 2; a++) {
			struct search_options o =
				options(a ? "random" : "model", seed, 60);
			struct world *w = world_new();
			struct search_result r;

			w->latency_limit = 30;
			r = run(w, s, &o);
			for (size_t i = 0; i < r.n; i++) {
				if (!r.members[i].last.feasible)
					assert_false(r.members[i].on_front);
				*(a ? &chance : &model) += r.members[i].last.feasible;
			}
			search_result_release(&r);
			world_free(w);
		}
	print_message("feasible of 300: model %g, random %g\n", model, chance);
	assert_true(model > 1.5 * chance);
	space_close(s);
}

static void search_goes_on_when_nothing_can_be_predicted(void **state)
{
	struct space *s = parse(SPACE);

	(void)state;
	for (int what = 0; what < 3; what++) {
		struct search_options o = options("model", 2, 40);
		struct world *w = world_new();
		struct search_result r;

		w->cannot_predict = what == 0;
		w->cannot_fit = what == 1;
		if (what == 2)
			w->ev.refit = NULL;
		r = run(w, s, &o);
		assert_int_equal(r.n, 40);
		check_front(&r);
		assert_int_equal(w->n_refine, 0);
		search_result_release(&r);
		world_free(w);
	}
	space_close(s);
}

static void search_runs_without_what_may_be_null(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 2, 40);
	struct world *w = world_new();
	struct search_result r;

	(void)state;
	w->ev.refine = NULL;
	w->ev.note = NULL;
	w->ev.stop = NULL;
	r = run(w, s, &o);
	assert_int_equal(r.n, 40);
	check_front(&r);
	search_result_release(&r);
	world_free(w);
	space_close(s);
}

static void search_ends_with_the_error_when_models_are_damaged(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 2, 40);
	struct world *w = world_new();
	struct search_result r = {NULL, 77, NULL};
	struct err_ctx ctx = {""};

	(void)state;
	w->cannot_predict = 2;
	assert_int_equal(search_run(s, &task, &o, &w->ev, &r, &ctx), ERR_CORRUPT);
	assert_string_equal(ctx.msg, "models are damaged");
	assert_int_equal(r.n, 77);
	world_free(w);
	space_close(s);
}

/* ---- ends */

static void search_ends_when_the_space_is_exhausted(void **state)
{
	static const char *const names[] = {"model", "nsga2", "random"};
	struct space *s =
		parse("name: t\narch: enc\ngenes: {vocab_size: [300, 600], seq_len: 32, "
		      "d_model: [16, 32], n_layers: [1, 2], n_heads: 1, d_head: 16, "
		      "d_ff: [32, 64]}\n");

	(void)state;
	for (int a = 0; a < 3; a++) {
		struct search_options o = options(names[a], 2, 0);
		struct world *w = world_new();
		struct search_result r = run(w, s, &o);

		assert_string_equal(r.stopped_by, "exhausted");
		assert_int_equal(r.n, 24);
		for (size_t i = 0; i < r.n; i++)
			for (size_t j = 0; j < i; j++)
				assert_false(
					genome_equal(&r.members[i].g, &r.members[j].g));
		search_result_release(&r);
		world_free(w);
	}
	space_close(s);
}

static void search_stops_by_every_rule(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 1, 0);
	struct world *w = world_new();
	struct search_result r;

	(void)state;
	o.max_generations = 3;
	r = run(w, s, &o);
	assert_string_equal(r.stopped_by, "generations");
	assert_int_equal(w->last_note.generation, 2);
	assert_int_equal(r.n, o.n_initial + 2 * o.batch);
	search_result_release(&r);
	world_restart(w);
	o.max_generations = 0;
	o.patience = 3;
	r = run(w, s, &o);
	assert_string_equal(r.stopped_by, "patience");
	search_result_release(&r);
	world_free(w);
	space_close(s);
}

static void search_run_refuses_when_options_are_bad(void **state)
{
	struct space *s = parse(SPACE);
	struct space *narrow = parse(SPACE "limits: [\"params<=8500\"]\n");
	struct task_shape huge = {.kind = TASK_CLASSIFY, .n_intents = 5000};
	struct search_options o = options("modle", 1, 10);
	struct world *w = world_new();
	struct search_result r = {NULL, 77, NULL};
	struct err_ctx ctx = {""};

	(void)state;
	assert_int_equal(search_run(s, &task, &o, &w->ev, &r, &ctx), ERR_USAGE);
	assert_non_null(strstr(ctx.msg, "'modle' (model, nsga2, random)"));
	o = options("model", 1, 10);
	o.batch = 0;
	assert_int_equal(search_run(s, &task, &o, &w->ev, &r, &ctx), ERR_USAGE);
	o = options("model", 1, 10);
	o.explore = NAN;
	assert_int_equal(search_run(s, &task, &o, &w->ev, &r, &ctx), ERR_USAGE);
	o = options("model", 1, 10);
	assert_int_equal(search_run(narrow, &huge, &o, &w->ev, &r, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "impossible for this task"));
	w->ev.n_objectives = 0;
	assert_int_equal(search_run(s, &task, &o, &w->ev, &r, &ctx), ERR_USAGE);
	assert_int_equal(r.n, 77);
	world_free(w);
	space_close(s);
	space_close(narrow);
}

static void search_initial_sample_spans_the_costs(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 4, 12);
	struct world *w = world_new();
	struct search_result r = run(w, s, &o);
	struct graph_cost c;
	struct genome g;
	int stratum[4] = {0};
	double lo, hi;

	(void)state;
	space_smallest(s, &g);
	assert_true(genome_equal(&r.members[0].g, &g));
	graph_cost(&g, &task, 32, &c);
	lo = log(c.macs);
	space_largest(s, &g);
	assert_true(genome_equal(&r.members[1].g, &g));
	graph_cost(&g, &task, 32, &c);
	hi = log(c.macs);
	for (size_t i = 0; i < r.n; i++) {
		graph_cost(&r.members[i].g, &task, 32, &c);
		stratum[(int)(3.999 * (log(c.macs) - lo) / (hi - lo))]++;
	}
	for (int i = 0; i < 4; i++)
		assert_true(stratum[i] >= 2);
	search_result_release(&r);
	world_free(w);
	space_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(search_looks_twice_at_every_front_member),
		cmocka_unit_test(search_takes_a_third_objective),
		cmocka_unit_test(search_keeps_failures_off_the_front),
		cmocka_unit_test(search_ends_in_order_when_everything_fails),
		cmocka_unit_test(search_finds_the_feasible_part),
		cmocka_unit_test(search_goes_on_when_nothing_can_be_predicted),
		cmocka_unit_test(search_runs_without_what_may_be_null),
		cmocka_unit_test(search_ends_with_the_error_when_models_are_damaged),
		cmocka_unit_test(search_ends_when_the_space_is_exhausted),
		cmocka_unit_test(search_stops_by_every_rule),
		cmocka_unit_test(search_run_refuses_when_options_are_bad),
		cmocka_unit_test(search_initial_sample_spans_the_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
