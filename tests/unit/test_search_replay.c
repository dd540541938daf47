/* The same questions in the same order: run twice, killed anywhere, stopped, prolonged.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/search_world.h"

/* The log, and a hash of everything that was asked of the models. */
static void world_log(struct world *w, struct buf *out)
{
	char hex[HASH_HEX + 1];
	struct hash h;

	hash_final(&w->asked, &h);
	hash_to_hex(&h, hex);
	buf_printf(out, "%s%s\n", buf_str(&w->log), hex);
}

/* ---- replay */

static void search_is_the_same_when_run_twice(void **state)
{
	static const char *const names[] = {"model", "nsga2", "random"};
	struct space *s = parse(SPACE);

	(void)state;
	for (int a = 0; a < 3; a++) {
		struct buf log[3];

		for (int i = 0; i < 3; i++) {
			struct search_options o = options(names[a], i < 2 ? 5 : 6, 60);
			struct world *w = world_new();
			struct search_result r;

			w->noise = 0.05;
			w->fail_every = 9;
			r = run(w, s, &o);
			assert_int_equal(r.n, 60);
			assert_string_equal(r.stopped_by, "candidates");
			buf_init(&log[i]);
			world_log(w, &log[i]);
			search_result_release(&r);
			world_free(w);
		}
		assert_string_equal(buf_str(&log[0]), buf_str(&log[1]));
		assert_string_not_equal(buf_str(&log[0]), buf_str(&log[2]));
		for (int i = 0; i < 3; i++)
			buf_release(&log[i]);
	}
	space_close(s);
}

static void search_resumes_identically_when_killed_anywhere(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 3, 42);
	struct world *calm = world_new();
	struct buf want, got;
	struct search_result r;
	size_t calls, work;

	(void)state;
	calm->noise = 0.1;
	calm->fail_every = 11;
	r = run(calm, s, &o);
	search_result_release(&r);
	calls = calm->n_evaluate;
	work = calm->n_work;
	assert_true(calls >= 10);
	buf_init(&want);
	world_log(calm, &want);
	for (size_t at = 1; at <= calls; at++) {
		struct world *w = world_new();
		size_t before;

		w->noise = 0.1;
		w->fail_every = 11;
		w->abort_after = (int)at;
		assert_int_equal(search_run(s, &task, &o, &w->ev, &r, NULL), ERR_IO);
		before = w->n_work;
		assert_int_equal(
			strncmp(buf_str(&w->log), buf_str(&want), w->log.len), 0);
		world_restart(w);
		w->abort_after = 0;
		r = run(w, s, &o);
		buf_init(&got);
		world_log(w, &got);
		assert_string_equal(buf_str(&got), buf_str(&want));
		assert_int_equal(before + w->n_work, work); /* none lost, none repeated */
		buf_release(&got);
		search_result_release(&r);
		world_free(w);
	}
	buf_release(&want);
	world_free(calm);
	space_close(s);
}

static void search_goes_on_when_stopped_at_any_generation(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 3, 48);

	(void)state;
	for (int at = 1; at <= 6; at++) {
		struct world *w = world_new(), *calm = world_new();
		struct search_result r = run(calm, s, &o);

		search_result_release(&r);
		w->stop_after = at;
		r = run(w, s, &o);
		assert_string_equal(r.stopped_by, "request");
		assert_true(r.n > 0 && r.n < 48);
		search_result_release(&r);
		assert_int_equal(
			strncmp(buf_str(&w->log), buf_str(&calm->log), w->log.len), 0);
		world_restart(w);
		w->stop_after = 0;
		r = run(w, s, &o);
		assert_string_equal(buf_str(&w->log), buf_str(&calm->log));
		search_result_release(&r);
		world_free(w);
		world_free(calm);
	}
	space_close(s);
}

static void search_repeats_its_past_when_the_budget_grows(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options small = options("model", 8, 33),
			      large = options("model", 8, 60);
	struct world *w = world_new();
	struct search_result a = run(w, s, &small), b;
	size_t facts = w->n_facts;

	(void)state;
	assert_int_equal(a.n, 33);
	world_restart(w);
	b = run(w, s, &large);
	assert_int_equal(b.n, 60);
	for (size_t i = 0; i < a.n; i++)
		assert_true(genome_equal(&a.members[i].g, &b.members[i].g));
	assert_true(facts + w->n_work == w->n_facts);
	search_result_release(&a);
	search_result_release(&b);
	world_free(w);
	space_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(search_is_the_same_when_run_twice),
		cmocka_unit_test(search_resumes_identically_when_killed_anywhere),
		cmocka_unit_test(search_goes_on_when_stopped_at_any_generation),
		cmocka_unit_test(search_repeats_its_past_when_the_budget_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
