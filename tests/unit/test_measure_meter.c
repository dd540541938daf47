/* Measuring beside a meter: which processes it records, and void windows. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/measure_fixture.h"

static void meter_records_the_first_processes_and_no_reference(void **state)
{
	struct bench *b = new_bench(2);
	const struct measurement *m = &b->jobs[0].m;
	int n = 0;

	(void)state;
	b->d.meter = 1;
	b->d.noise = 0.2; /* so that more processes are needed */
	b->o.max_processes = 12;
	assert_int_equal(run_bench(b, 2), ERR_OK);
	assert_true(m->n_runs > b->o.min_processes);
	for (int i = 0; i < b->d.n_runs; i++) {
		const struct call *c = &b->d.calls[i];

		n += c->metered;
		assert_int_equal(
			c->metered, c->mode == RUN_TIME && c->image != 0 &&
					    c->index % 1000 < b->o.min_processes);
	}
	assert_int_equal(n, 2 * b->o.min_processes);
	assert_true(m->energy_uj == 30 && m->idle_uw == 4000 && m->window_ns == 10.4e9);
	assert_int_equal(b->jobs[0].n_void, 0);
	free_bench(b);

	b = new_bench(1);
	b->o.unmetered = 1;
	assert_int_equal(run_bench(b, 1), ERR_OK);
	for (int i = 0; i < b->d.n_runs; i++)
		assert_false(b->d.calls[i].metered);
	free_bench(b);
}

/* A window is taken anew twice; then there are fewer, or none. */
static void void_windows_are_no_energy_and_are_told(void **state)
{
	static const int every[] = {4, 1};

	(void)state;
	for (size_t k = 0; k < sizeof(every) / sizeof(every[0]); k++) {
		struct bench *b = new_bench(1);
		const struct measure_job *job = &b->jobs[0];
		uint32_t n = 0;

		b->d.meter = 1;
		b->d.void_every = every[k];
		assert_int_equal(run_bench(b, 1), ERR_OK);
		assert_int_equal(job->verdict, VERDICT_OK);
		assert_true(job->m.resolved && job->m.latency_ns > 0);
		for (uint32_t i = 0; i < job->m.n_runs; i++)
			n += isfinite(job->m.runs[i].energy_uj);
		assert_string_equal(job->energy_note, "2 samples are missing");
		if (every[k] == 1) {
			assert_true(isnan(job->m.energy_uj) && n == 0);
			assert_int_equal(job->n_void, b->o.min_processes + 2);
		} else {
			assert_true(job->m.energy_uj == 30);
			assert_int_equal(n, b->o.min_processes);
			assert_int_equal(job->n_void, 1);
		}
		free_bench(b);
	}
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meter_records_the_first_processes_and_no_reference),
		cmocka_unit_test(void_windows_are_no_energy_and_are_told),
	};

	return cmocka_run_group_tests_name("measure_meter", tests, NULL, NULL);
}
