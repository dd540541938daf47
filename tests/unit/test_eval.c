#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/eval/expected.h"
#include "src/eval/parallel.h"
#include "tests/unit/eval_fixture.h"

/* ---- a build that answers wrongly */

static void broken_kernel_is_a_wrong_output_and_never_timed(void **state)
{
	struct fixture f;
	struct session s;
	struct genome g;
	struct hardware h, *of_device[] = {&h};
	struct store_measurement *taken;
	struct store_failure *failed;
	struct err_ctx ctx = {""};
	struct buf kernel;
	char *at;
	size_t n;

	(void)state;
	prepare(&f, "local");
	snprintf(f.kernel, sizeof(f.kernel), "%s/act_relu.c", f.dir);
	buf_init(&kernel);
	assert_int_equal(file_read("src/infer/ref/act_relu.c", 0, &kernel, NULL), ERR_OK);
	at = strstr(kernel.data, "> 0");
	assert_non_null(at);
	*at = '<';
	assert_int_equal(
		file_write_atomic(f.kernel, kernel.data, kernel.len, 0644, NULL), ERR_OK);
	buf_release(&kernel);
	f.o.broken_kernel = f.kernel;
	open_session(&s, &f);
	space_largest(s.space, &g);
	assert_int_equal(
		store_put_candidate(s.store, s.job_id, &g, "user", 0, NULL), ERR_OK);
	if (session_measure(&s, &g, NULL, 1, 1, of_device, &ctx))
		fail_msg("%s", ctx.msg);
	assert_int_equal(h.verdict, VERDICT_WRONG_OUTPUT);
	assert_true(isnan(h.latency_us));
	assert_int_equal(
		store_list_measurements(s.store, s.job_id, 0, &taken, &n, NULL), ERR_OK);
	assert_int_equal(n, 0);
	store_measurements_free(taken, n);
	assert_int_equal(
		store_list_failures(s.store, s.job_id, &failed, &n, NULL), ERR_OK);
	assert_int_equal(n, 1);
	assert_int_equal(failed[0].verdict, VERDICT_WRONG_OUTPUT);
	free(failed);
	/* asked again, it is recalled, not run again */
	assert_int_equal(session_measure(&s, &g, NULL, 1, 1, of_device, NULL), ERR_OK);
	assert_int_equal(h.verdict, VERDICT_WRONG_OUTPUT);
	assert_int_equal(
		store_list_failures(s.store, s.job_id, &failed, &n, NULL), ERR_OK);
	assert_int_equal(n, 1);
	free(failed);
	session_close(&s);
	file_remove_tree(f.dir, NULL);
}

/* ---- a device that is not what it was */

static enum err open_when_known(struct fixture *f, const struct hash *fingerprint,
	const struct hash *build, double latency_ns, int i)
{
	struct err_ctx ctx = {""};
	struct store *store;
	struct session s;
	char database[128];
	enum err e;

	snprintf(database, sizeof(database), "%s/other-%d.db", f->dir, i);
	assert_int_equal(store_open(&store, database, STORE_WRITE, NULL), ERR_OK);
	assert_int_equal(
		store_put_health(store, fingerprint, build, &latency_ns, 1, NULL),
		ERR_OK);
	store_close(store);
	f->o.database = database;
	e = session_open(&s, &f->o, &ctx);
	if (e)
		assert_non_null(strstr(ctx.msg, "is slower than it was"));
	else
		session_close(&s);
	return e;
}

static void device_that_became_much_slower_is_refused(void **state)
{
	static const double factors[] = {0.1, 0.5, 2, 10};
	struct session_device d;
	struct fixture f;
	struct session s;
	struct hash fingerprint;
	double latency[STORE_HEALTH_CHECKS];
	size_t n = 0;

	(void)state;
	prepare(&f, "sim");
	strcat(f.text, "device_wait_s: 0\n");
	open_session(&s, &f);
	d = s.device[0];
	fingerprint = device_info(d.dev)->fingerprint;
	assert_int_equal(store_get_health(s.store, &fingerprint, &d.reference.build,
				 latency, &n, NULL),
		ERR_OK);
	assert_int_equal(n, 1);
	assert_true(latency[0] > 1);
	session_close(&s);
	for (int i = 0; i < 4; i++)
		assert_int_equal(open_when_known(&f, &fingerprint, &d.reference.build,
					 factors[i] * latency[0], i),
			factors[i] > 0.3 ? ERR_OK : ERR_DEVICE);
	file_remove_tree(f.dir, NULL);
}

static void expected_latency_is_not_one_slow_moment(void **state)
{
	static const struct {
		double now;
		int sound;
		double expected; /* afterwards */
	} checks[] = {
		{2000, 1, 2000}, /* a slow moment, the very first */
		{100, 1, 100},	 /* forgotten: too fast to be the same */
		{290, 1, 195},	 /* another one, within the factor */
		{110, 1, 110},
		{305, 1, 200},
		{105, 1, 110},
		{100, 1, 105}, /* as fast as the best: the slowest goes */
		{102, 1, 102},
		{316, 0, 102}, /* too slow */
		{200, 1, 102}, /* sound, but none of the best */
		{10, 1, 10},   /* never too fast */
		{100, 0, 10},
	};
	struct expected e = {{0}, 0};

	(void)state;
	assert_true(isnan(expected_latency(&e)));
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		assert_int_equal(expected_take(&e, checks[i].now, 3), checks[i].sound);
		if (fabs(expected_latency(&e) - checks[i].expected) > 1e-9)
			fail_msg("check %zu: %g", i, expected_latency(&e));
	}
	assert_true(expected_take(&e, 1e9, 0));
}

/* ---- the evaluator is a function of the facts */

static void evaluator_recalls_everything_when_reopened(void **state)
{
	struct fixture f;
	struct session s;
	struct evaluator ev;
	struct search_result a, b;
	struct err_ctx ctx = {""};
	uint32_t measured;

	(void)state;
	prepare(&f, "sim");
	open_session(&s, &f);
	session_evaluator(&s, &ev);
	if (search_run(s.space, &s.task, &s.job.search, &ev, &a, &ctx))
		fail_msg("%s", ctx.msg);
	measured = s.n_measured;
	session_close(&s);
	open_session(&s, &f);
	session_evaluator(&s, &ev);
	assert_int_equal(
		search_run(s.space, &s.task, &s.job.search, &ev, &b, &ctx), ERR_OK);
	assert_int_equal(s.n_measured, measured);
	assert_int_equal(a.n, b.n);
	assert_true(a.n >= 6);
	for (size_t i = 0; i < a.n; i++) {
		assert_true(genome_equal(&a.members[i].g, &b.members[i].g));
		for (size_t k = 0; k < 2; k++)
			assert_true(a.members[i].last.v[k].value ==
				    b.members[i].last.v[k].value);
		assert_int_equal(a.members[i].last.v[1].prov, PROV_SIMULATED);
		assert_int_equal(a.members[i].last.v[0].prov, PROV_INHERITED);
	}
	session_close(&s);
	search_result_release(&a);
	search_result_release(&b);
	file_remove_tree(f.dir, NULL);
}

/* ---- job files */

static void job_parse_refuses_with_the_place_when_wrong(void **state)
{
	static const struct {
		const char *text, *expect;
	} cases[] = {
		{"", ""},
		{"job: a\n", "data"},
		{"job: a\ndata: x\nspace: y\n", "objectives"},
		{"job: a/b\ndata: x\nspace: y\nobjectives: [slot_f1, macs]\n",
			"t:1:6: job name"},
		{"job: a\ndata: x\nspace: y\nobjectives: [slot_f1]\n",
			"t:4:13: 'objectives'"},
		{"job: a\ndata: x\nspace: y\nobjectives: [slot_f1, slot_f1]\n", "twice"},
		{"job: a\ndata: x\nspace: y\nobjectives: [slot_f1, speed]\n",
			"t:4:23: unknown metric 'speed'"},
		{"job: a\ndata: x\nspace: y\nobjectives: [slot_f1, latency_us]\n",
			"needs a device"},
		{"job: a\ndata: x\nspace: y\nobjectives: [slot_f1, macs]\nlimits: [macs]\n",
			"t:5:10: limit"},
		{"job: a\ndata: x\nspace: y\nobjectives: [slot_f1, macs]\nstpo: {}\n",
			"stop"},
		{"job: a\ndata: x\nspace: y\nobjectives: [slot_f1, macs]\nstop: {hours: nan}\n",
			"t:5:15"},
		{"job: a\ndata: x\nspace: y\nobjectives: [slot_f1, macs]\nstop: {hours: -1}\n",
			"t:5:15"},
		{"job: a\ndata: x\nspace: y\nobjectives: [slot_f1, macs]\n"
		 "search: {batch: 1.5}\n",
			"whole number"},
		{"job: a\ndata: x\nspace: y\nobjectives: [slot_f1, macs]\n"
		 "search: {algorithm: magic}\n",
			"unknown algorithm 'magic'"},
		{"job: a\ndata: x\nspace: y\nobjectives: [slot_f1, macs]\n"
		 "supernet: {epoch: 3}\n",
			"epoch"},
		{"job: a\ndata: x\nspace: y\nobjectives: [slot_f1, macs]\n"
		 "measure: {min_processes: 9, max_processes: 3}\n",
			"max_processes 3"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err_ctx ctx = {""};
		struct job j;

		assert_true(job_parse(&j, cases[i].text, "t", &ctx) != ERR_OK);
		if (!strstr(ctx.msg, cases[i].expect))
			fail_msg("case %zu says '%s', not '%s'", i, ctx.msg,
				cases[i].expect);
	}
}

static void job_spec_ignores_stop_rules_only(void **state)
{
	static const char base[] =
		"job: a\ndata: x\nspace: y\nobjectives: [slot_f1, macs]\n";
	char text[512];
	struct job a, b;

	(void)state;
	assert_int_equal(job_parse(&a, base, "t", NULL), ERR_OK);
	snprintf(text, sizeof(text), "%sstop: {candidates: 9, hours: 2}\n", base);
	assert_int_equal(job_parse(&b, text, "t", NULL), ERR_OK);
	assert_true(hash_equal(&a.spec, &b.spec));
	snprintf(text, sizeof(text), "%sseed: 2\n", base);
	assert_int_equal(job_parse(&b, text, "t", NULL), ERR_OK);
	assert_false(hash_equal(&a.spec, &b.spec));
	snprintf(text, sizeof(text), "%smeasure: {precision: 0.5}\n", base);
	assert_int_equal(job_parse(&b, text, "t", NULL), ERR_OK);
	assert_false(hash_equal(&a.spec, &b.spec));
}

/* ---- threads */

static enum err square(void *self, size_t i, struct err_ctx *ctx)
{
	((size_t *)self)[i] = i * i;
	return i == 70 || i == 90 ? err_set(ctx, ERR_INVALID, "item %zu", i) : ERR_OK;
}

static void parallel_for_reports_the_first_item_that_fails(void **state)
{
	size_t out[100] = {0};
	struct err_ctx ctx = {""};

	(void)state;
	assert_int_equal(parallel_for(60, 3, square, out, &ctx), ERR_OK);
	for (size_t i = 0; i < 60; i++)
		assert_int_equal(out[i], i * i);
	assert_int_equal(parallel_for(100, 1, square, out, &ctx), ERR_INVALID);
	assert_string_equal(ctx.msg, "item 70");
	assert_int_equal(out[71], 0);
}

static void parallel_all_goes_on_when_an_item_fails(void **state)
{
	size_t out[100] = {0};
	struct err_ctx ctx = {""};

	(void)state;
	assert_int_equal(parallel_all(100, square, out, &ctx), ERR_INVALID);
	assert_string_equal(ctx.msg, "item 70");
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(out[i], i * i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_kernel_is_a_wrong_output_and_never_timed),
		cmocka_unit_test(device_that_became_much_slower_is_refused),
		cmocka_unit_test(expected_latency_is_not_one_slow_moment),
		cmocka_unit_test(evaluator_recalls_everything_when_reopened),
		cmocka_unit_test(job_parse_refuses_with_the_place_when_wrong),
		cmocka_unit_test(job_spec_ignores_stop_rules_only),
		cmocka_unit_test(parallel_for_reports_the_first_item_that_fails),
		cmocka_unit_test(parallel_all_goes_on_when_an_item_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
