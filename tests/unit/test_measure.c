#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/measure_fixture.h"

static void builds_are_checked_before_any_is_timed(void **state)
{
	struct bench *b = new_bench(3);
	int timed = 0;

	(void)state;
	b->d.golden_verdict[2] = VERDICT_WRONG_OUTPUT;
	assert_int_equal(run_bench(b, 3), ERR_OK);
	for (int i = 0; i < b->d.n_runs; i++) {
		timed += b->d.calls[i].mode == RUN_TIME;
		if (b->d.calls[i].mode == RUN_GOLDEN)
			assert_int_equal(timed, 0);
		else
			assert_int_not_equal(b->d.calls[i].image, 2);
	}
	assert_int_equal(b->jobs[1].verdict, VERDICT_WRONG_OUTPUT);
	assert_string_equal(b->jobs[1].detail, "scripted");
	assert_true(b->jobs[1].done);
	assert_int_equal(b->jobs[1].m.n_runs, 0);
	assert_int_equal(b->done_order[0], 2);
	assert_int_equal(b->n_done, 3);
	assert_int_equal(b->jobs[0].verdict, VERDICT_OK);
	assert_true(b->jobs[2].golden_error == 3e-6);
	free_bench(b);
}

static void measurement_of_a_decoder_has_both_phases(void **state)
{
	struct bench *b = new_bench(2);
	const struct measurement *m = &b->jobs[1].m;

	(void)state;
	b->d.step_image = 2;
	assert_int_equal(run_bench(b, 2), ERR_OK);
	assert_true(m->resolved);
	assert_true(fabs(m->step_ns - m->latency_ns / 100) < 1e-4 * m->step_ns);
	assert_true(m->step_ci.lo <= m->step_ns && m->step_ns <= m->step_ci.hi);
	assert_int_equal(m->n_cached, 7);
	for (uint32_t i = 0; i < m->n_runs; i++) {
		assert_int_equal(m->runs[i].steps.n, 4);
		assert_true(m->runs[i].steps.cpu_ns[3] == m->runs[i].cpu_ns[3] / 100);
	}
	assert_true(isnan(b->jobs[0].m.step_ns));
	assert_int_equal(b->jobs[0].m.runs[0].steps.n, 0);
	free_bench(b);
}

static void measurement_says_what_was_seen_when_done(void **state)
{
	struct bench *b = new_bench(2);
	const struct measurement *m = &b->jobs[1].m;

	(void)state;
	assert_int_equal(run_bench(b, 2), ERR_OK);
	assert_int_equal(m->candidate.b[0], 51);
	assert_int_equal(m->build.b[0], 102);
	assert_int_equal(m->device.b[0], 99);
	assert_int_equal(m->protocol, MEASURE_PROTOCOL);
	assert_int_equal(m->look, 1);
	assert_true(m->resolved);
	assert_true(m->n_runs >= b->o.min_processes);
	/* noise is 1 % on one side of 30 us */
	assert_true(m->latency_ns > 30000 && m->latency_ns < 31000);
	assert_true(
		m->latency_ci.lo <= m->latency_ns && m->latency_ci.hi >= m->latency_ns);
	assert_true(m->latency_ci.hi - m->latency_ci.lo <=
		    2 * b->o.precision * m->latency_ns);
	assert_true(m->wall_p50_ns > m->latency_ns && m->wall_p99_ns >= m->wall_p90_ns);
	assert_int_equal(m->peak_rss_bytes, 1000002);
	assert_string_equal(m->energy_source, "fake:watts");
	assert_true(fabs(m->energy_uj - m->latency_ns / 1000) < 0.01);
	assert_true(isnan(b->jobs[0].m.energy_uj));
	for (uint32_t i = 0; i < m->n_runs; i++) {
		assert_int_equal(m->runs[i].index, i);
		assert_int_equal(m->runs[i].n, 4);
		assert_true(m->runs[i].reference_ratio > 2.7 &&
			    m->runs[i].reference_ratio < 3.3);
	}
	free_bench(b);
}

static void wall_time_counts_when_the_device_has_no_cpu_clock(void **state)
{
	struct bench *b = new_bench(1);

	(void)state;
	b->d.no_cpu_clock = 1;
	assert_int_equal(run_bench(b, 1), ERR_OK);
	assert_true(b->jobs[0].m.latency_ns > 1.1 * 20000);
	free_bench(b);
}

static void rounds_hold_each_build_once_in_drawn_order(void **state)
{
	struct bench *b = new_bench(3);
	uint32_t orders = 0;

	(void)state;
	b->o.precision = 1e-6; /* all run to the end */
	b->o.max_processes = 8;
	assert_int_equal(run_bench(b, 3), ERR_OK);
	assert_int_equal(b->d.n_runs, 4 + 8 * 4);
	for (int round = 0; round < 8; round++) {
		const struct call *c = &b->d.calls[4 + 4 * round];
		uint32_t seen = 0;

		for (int i = 0; i < 4; i++) {
			seen |= 1u << c[i].image;
			assert_int_equal(c[i].index, (c[i].image ? 1000 : 0) + round);
		}
		assert_int_equal(seen, 15);
		orders |= 1u << c[0].image;
	}
	assert_true(orders != 1u && orders != 2u && orders != 4u && orders != 8u);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(b->jobs[i].verdict, VERDICT_OK);
		assert_false(b->jobs[i].m.resolved);
		assert_int_equal(b->jobs[i].m.n_runs, 8);
	}
	free_bench(b);
}

static void same_measurement(const struct measurement *a, const struct measurement *b)
{
	assert_int_equal(a->n_runs, b->n_runs);
	assert_int_equal(a->resolved, b->resolved);
	assert_true(a->latency_ns == b->latency_ns);
	assert_true(a->latency_ci.lo == b->latency_ci.lo);
	assert_true(a->latency_ci.hi == b->latency_ci.hi);
	assert_true(a->wall_p99_ns == b->wall_p99_ns);
	for (uint32_t i = 0; i < a->n_runs; i++) {
		assert_memory_equal(a->runs[i].cpu_ns, b->runs[i].cpu_ns,
			a->runs[i].n * sizeof(float));
		assert_true(a->runs[i].reference_ratio == b->runs[i].reference_ratio);
	}
}

static void result_is_the_same_whatever_else_is_measured_or_lost(void **state)
{
	struct bench *all = new_bench(4), *lossy = new_bench(4);

	(void)state;
	all->d.noise = lossy->d.noise = 0.03;
	lossy->d.lose_every = 7;
	lossy->d.lose_upload_at = 9;
	assert_int_equal(run_bench(all, 4), ERR_OK);
	assert_int_equal(run_bench(lossy, 4), ERR_OK);
	assert_true(lossy->d.n_recovers > 5);
	for (size_t i = 0; i < 4; i++) {
		struct bench *one = new_bench(1);

		one->d.noise = 0.03;
		one->jobs[0].artefact = &one->artefacts[i + 1];
		assert_int_equal(run_bench(one, 1), ERR_OK);
		same_measurement(&all->jobs[i].m, &one->jobs[0].m);
		same_measurement(&all->jobs[i].m, &lossy->jobs[i].m);
		free_bench(one);
	}
	free_bench(all);
	free_bench(lossy);
}

static void second_look_draws_other_processes(void **state)
{
	struct bench *a = new_bench(1), *b = new_bench(1);

	(void)state;
	b->jobs[0].look = 2;
	assert_int_equal(run_bench(a, 1), ERR_OK);
	assert_int_equal(run_bench(b, 1), ERR_OK);
	assert_int_equal(b->jobs[0].m.look, 2);
	assert_true(a->jobs[0].m.latency_ns != b->jobs[0].m.latency_ns);
	for (int i = 0; i < b->d.n_runs; i++)
		if (b->d.calls[i].image == 1)
			assert_int_equal(b->d.calls[i].index / 1000, 2);
	free_bench(a);
	free_bench(b);
}

static void fault_of_a_candidate_is_its_verdict(void **state)
{
	static const enum verdict faults[] = {VERDICT_WRONG_OUTPUT, VERDICT_CRASH,
		VERDICT_EXIT, VERDICT_TIMEOUT, VERDICT_OOM};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct bench *b = new_bench(2);

		b->d.timed_verdict[1] = faults[i];
		b->d.timed_fault_at = 3;
		assert_int_equal(run_bench(b, 2), ERR_OK);
		assert_int_equal(b->jobs[0].verdict, faults[i]);
		assert_true(verdict_blames_candidate(b->jobs[0].verdict));
		assert_int_equal(b->jobs[0].m.n_runs, 0);
		assert_int_equal(b->jobs[1].verdict, VERDICT_OK);
		assert_int_equal(b->d.n_recovers, 0);
		free_bench(b);
	}
}

static void build_is_refused_unseen_when_it_does_not_fit(void **state)
{
	struct bench *b = new_bench(3);

	(void)state;
	b->d.profile.flash_bytes = 2000;
	b->d.profile.ram_bytes = 150;
	assert_int_equal(run_bench(b, 3), ERR_OK);
	assert_int_equal(b->jobs[0].verdict, VERDICT_OK);
	assert_int_equal(b->jobs[1].verdict, VERDICT_NO_FIT);
	assert_non_null(strstr(b->jobs[1].detail, "200 bytes"));
	assert_int_equal(b->jobs[2].verdict, VERDICT_NO_FIT);
	assert_non_null(strstr(b->jobs[2].detail, "flash"));
	for (int i = 0; i < b->d.n_runs; i++)
		assert_true(b->d.calls[i].image < 2);
	free_bench(b);
}

static void lost_device_blames_nobody_when_it_comes_back(void **state)
{
	struct bench *b = new_bench(2);

	(void)state;
	b->d.lose_image = 1; /* this build takes the device down each time */
	assert_int_equal(run_bench(b, 2), ERR_OK);
	assert_int_equal(b->jobs[0].verdict, VERDICT_DEVICE_LOST);
	assert_false(verdict_blames_candidate(b->jobs[0].verdict));
	assert_string_equal(b->jobs[0].detail, "agent is gone");
	assert_int_equal(b->d.n_recovers, b->o.retries + 1);
	assert_int_equal(b->jobs[1].verdict, VERDICT_OK);
	free_bench(b);
}

static void full_device_blames_nobody_and_waits_when_nothing_fits(void **state)
{
	struct bench *b = new_bench(2);

	(void)state;
	b->d.full = 1 << 1; /* the first build alone */
	assert_int_equal(run_bench(b, 2), ERR_OK);
	assert_int_equal(b->jobs[0].verdict, VERDICT_DEVICE_LOST);
	assert_string_equal(b->jobs[0].detail, "no space left");
	assert_int_equal(b->jobs[1].verdict, VERDICT_OK);
	free_bench(b);
	b = new_bench(2);
	b->d.full_after = 7;
	assert_int_equal(run_bench(b, 2), ERR_DEVICE);
	assert_string_equal(b->ctx.msg, "device 'fake': no space left");
	assert_false(b->jobs[0].done || b->jobs[1].done);
	b->d.full = 0;
	b->d.full_after = 0;
	assert_int_equal(run_bench(b, 2), ERR_OK);
	assert_int_equal(b->jobs[0].verdict, VERDICT_OK);
	free_bench(b);
}

static void lost_device_ends_the_run_when_it_stays_lost(void **state)
{
	struct bench *b = new_bench(2);

	(void)state;
	b->d.lose_every = 6;
	b->d.stays_lost = 1;
	assert_int_equal(run_bench(b, 2), ERR_DEVICE);
	assert_string_equal(b->ctx.msg, "device 'fake' stays lost");
	assert_false(b->jobs[0].done);
	assert_int_equal(b->jobs[0].m.n_runs, 0);
	assert_null(b->jobs[0].m.runs);
	assert_int_equal(b->n_done, 0);
	free_bench(b);
}

static void answer_without_samples_is_a_lost_link(void **state)
{
	struct bench *b = new_bench(1);

	(void)state;
	b->d.nonsense_at = 5;
	assert_int_equal(run_bench(b, 1), ERR_OK);
	assert_int_equal(b->d.n_recovers, 1);
	assert_int_equal(b->jobs[0].verdict, VERDICT_OK);
	free_bench(b);
}

static void throttled_process_is_taken_anew(void **state)
{
	struct bench *calm = new_bench(2), *b = new_bench(2);

	(void)state;
	b->d.throttled_at = 6;
	b->d.throttled_n = 5;
	assert_int_equal(run_bench(calm, 2), ERR_OK);
	assert_int_equal(run_bench(b, 2), ERR_OK);
	for (size_t i = 0; i < 2; i++) { /* as if nothing had been */
		const struct measurement *m = &b->jobs[i].m;

		assert_int_equal(m->n_throttled, 0);
		assert_int_equal(m->n_runs, calm->jobs[i].m.n_runs);
		assert_true(m->latency_ns == calm->jobs[i].m.latency_ns);
		assert_true(m->latency_ci.hi == calm->jobs[i].m.latency_ci.hi);
		for (uint32_t k = 0; k < m->n_runs; k++)
			assert_true(m->runs[k].reference_ratio < 1.2 * (double)(i + 2));
	}
	assert_true(b->d.n_runs > calm->d.n_runs);
	free_bench(calm);
	free_bench(b);
}

static void throttling_without_end_is_told(void **state)
{
	struct bench *b = new_bench(1);
	const struct measurement *m = &b->jobs[0].m;

	(void)state;
	b->d.throttled_n = MAX_CALLS;
	b->o.retakes = 4;
	b->o.min_processes = b->o.max_processes = 5;
	assert_int_equal(run_bench(b, 1), ERR_OK);
	assert_int_equal(b->jobs[0].verdict, VERDICT_OK);
	assert_int_equal(m->n_runs, 5);
	assert_int_equal(m->n_throttled, 5);
	assert_int_equal(b->d.n_runs, 2 + 2 * (4 + 5)); /* golden; rounds of two */
	for (uint32_t k = 0; k < 5; k++)
		assert_true(m->runs[k].reference_ratio == 0);
	free_bench(b);
}

static void failing_reference_is_the_device_s_fault(void **state)
{
	struct bench *b = new_bench(2);

	(void)state;
	b->d.golden_verdict[0] = VERDICT_WRONG_OUTPUT;
	assert_int_equal(run_bench(b, 2), ERR_DEVICE);
	assert_non_null(strstr(b->ctx.msg, "reference"));
	assert_int_equal(b->n_done, 0);
	free_bench(b);
}

static void fault_of_this_host_ends_the_run(void **state)
{
	struct bench *b = new_bench(2);

	(void)state;
	b->d.upload_error = ERR_IO;
	assert_int_equal(run_bench(b, 2), ERR_IO);
	assert_int_equal(b->d.n_recovers, 0);
	assert_string_equal(b->ctx.msg, "upload of 'image' failed");
	free_bench(b);
}

static void cancel_keeps_what_is_done(void **state)
{
	struct bench *b = new_bench(3);

	(void)state;
	b->d.golden_verdict[1] = VERDICT_CRASH;
	b->d.cancel_at = 10;
	assert_int_equal(run_bench(b, 3), ERR_CANCELLED);
	assert_int_equal(b->d.n_runs, 10);
	assert_true(b->jobs[0].done);
	assert_false(b->jobs[1].done);
	assert_null(b->jobs[1].m.runs);
	b->d.cancelled = 0; /* and goes on with the rest */
	assert_int_equal(run_bench(b, 3), ERR_OK);
	assert_int_equal(b->jobs[0].verdict, VERDICT_CRASH);
	assert_int_equal(b->jobs[2].verdict, VERDICT_OK);
	assert_int_equal(b->n_done, 3);
	free_bench(b);
}

static void options_are_refused_when_absurd(void **state)
{
	struct measure_options bad[6];

	(void)state;
	for (int i = 0; i < 6; i++)
		measure_options_default(&bad[i]);
	bad[0].min_processes = 0;
	bad[1].max_processes = bad[1].min_processes - 1;
	bad[2].max_processes = 1000;
	bad[3].n_samples = 0;
	bad[4].precision = NAN;
	bad[5].retakes = -1;
	for (int i = 0; i < 6; i++) {
		struct bench *b = new_bench(1);

		b->o = bad[i];
		assert_int_equal(run_bench(b, 1), ERR_INVALID);
		assert_int_equal(b->d.n_runs, 0);
		free_bench(b);
	}
}

/* A/A: the same law under two names. Coverage of the interval, and intervals of equal
 * builds that do not meet, over seeded experiments on a noisy, stalling device. */
static void intervals_hold_over_many_experiments(void **state)
{
	static const struct {
		double noise, stall_share, precision;
	} cases[] = {{0.02, 0, 0.01}, {0.02, 0.1, 0.02}};
	const size_t n = 200;

	(void)state;
	for (size_t c = 0; c < 2; c++) {
		size_t covered = 0, apart = 0, resolved = 0, processes = 0;
		double truth, many[2001];

		for (size_t e = 0; e < n; e++) {
			struct bench *b = new_bench(2);
			const struct measurement *m[2] = {&b->jobs[0].m, &b->jobs[1].m};

			b->d.noise = cases[c].noise;
			b->d.stall_share = cases[c].stall_share;
			b->d.seed = 1000 + e;
			b->d.latency_ns[2] = b->d.latency_ns[1];
			b->o.precision = cases[c].precision;
			b->o.seed = e;
			for (uint32_t i = 0; i < 2001; i++)
				many[i] = process_factor(&b->d, 1, 5000 + i);
			truth = stats_median(many, 2001) * b->d.latency_ns[1];
			assert_int_equal(run_bench(b, 2), ERR_OK);
			for (int k = 0; k < 2; k++) {
				covered += m[k]->latency_ci.lo <= truth * (1 + 1e-6) &&
					   m[k]->latency_ci.hi >= truth * (1 - 1e-6);
				resolved += m[k]->resolved != 0;
				processes += m[k]->n_runs;
			}
			apart += m[0]->latency_ci.hi < m[1]->latency_ci.lo ||
				 m[1]->latency_ci.hi < m[0]->latency_ci.lo;
			free_bench(b);
		}
		print_message("noise %g, stalls %g, precision %g: covered %.1f %%, false "
			      "differences %.1f %%, resolved %.1f %%, %.1f processes\n",
			cases[c].noise, cases[c].stall_share, cases[c].precision,
			100 * (double)covered / (2.0 * (double)n),
			100 * (double)apart / (double)n,
			100 * (double)resolved / (2.0 * (double)n),
			(double)processes / (2.0 * (double)n));
		assert_true((double)covered >= 0.93 * 2 * (double)n);
		assert_true((double)covered <= 0.985 * 2 * (double)n);
		assert_true((double)apart <= 0.05 * (double)n);
	}
}

static void summary_is_empty_without_runs(void **state)
{
	struct measurement m;
	struct process_run *r;
	struct rng rng;

	(void)state;
	rng_init(&rng, 1);
	measurement_init(&m);
	measurement_summarise(&m, &rng);
	assert_true(isnan(m.latency_ns) && isnan(m.latency_ci.lo) && isnan(m.energy_uj));
	r = measurement_add_run(&m, 1);
	assert_non_null(r);
	r->cpu_ns[0] = r->wall_ns[0] = 5;
	measurement_summarise(&m, &rng);
	assert_true(m.latency_ns == 5 && m.latency_ci.lo == 5 && m.latency_ci.hi == 5);
	measurement_release(&m);
	assert_null(m.runs);
	for (int v = 0; v < N_VERDICTS; v++)
		assert_non_null(verdict_names[v]);
	assert_false(verdict_blames_candidate(VERDICT_OK));
	assert_true(verdict_blames_candidate(VERDICT_BUILD_ERROR));
	assert_true(verdict_blames_candidate(VERDICT_OOM));
	assert_false(verdict_blames_candidate(VERDICT_LINK_LOST));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds_are_checked_before_any_is_timed),
		cmocka_unit_test(measurement_of_a_decoder_has_both_phases),
		cmocka_unit_test(measurement_says_what_was_seen_when_done),
		cmocka_unit_test(wall_time_counts_when_the_device_has_no_cpu_clock),
		cmocka_unit_test(rounds_hold_each_build_once_in_drawn_order),
		cmocka_unit_test(result_is_the_same_whatever_else_is_measured_or_lost),
		cmocka_unit_test(second_look_draws_other_processes),
		cmocka_unit_test(fault_of_a_candidate_is_its_verdict),
		cmocka_unit_test(build_is_refused_unseen_when_it_does_not_fit),
		cmocka_unit_test(lost_device_blames_nobody_when_it_comes_back),
		cmocka_unit_test(full_device_blames_nobody_and_waits_when_nothing_fits),
		cmocka_unit_test(lost_device_ends_the_run_when_it_stays_lost),
		cmocka_unit_test(answer_without_samples_is_a_lost_link),
		cmocka_unit_test(throttled_process_is_taken_anew),
		cmocka_unit_test(throttling_without_end_is_told),
		cmocka_unit_test(failing_reference_is_the_device_s_fault),
		cmocka_unit_test(fault_of_this_host_ends_the_run),
		cmocka_unit_test(cancel_keeps_what_is_done),
		cmocka_unit_test(options_are_refused_when_absurd),
		cmocka_unit_test(intervals_hold_over_many_experiments),
		cmocka_unit_test(summary_is_empty_without_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
