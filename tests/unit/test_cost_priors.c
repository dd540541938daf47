/* Which stored measurements a model begins with. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "src/eval/cost_priors.h"

#define PI                                                                               \
	{                                                                                \
		{                                                                        \
			1                                                                \
		}                                                                        \
	}
#define NANO                                                                             \
	{                                                                                \
		{                                                                        \
			2                                                                \
		}                                                                        \
	}
#define SIM                                                                              \
	{                                                                                \
		{                                                                        \
			3                                                                \
		}                                                                        \
	}

/* Jobs are listed oldest first. */
static struct cost_set first[] = {
	{.target = "latency_us@pi", .provenance = "measured", .device = PI, .n = 20},
	{.target = "flash_bytes@pi", .provenance = "measured", .device = PI, .n = 90},
};
static struct cost_set second[] = {
	{.target = "latency_us@sim", .provenance = "simulated", .device = SIM, .n = 500},
	{.target = "latency_us@nano", .provenance = "measured", .device = NANO, .n = 20},
};
static struct cost_set third[] = {
	{.target = "latency_us@pi2", .provenance = "measured", .device = PI, .n = 30},
	{.target = "latency_us@few", .provenance = "measured", .device = {{9}}, .n = 11},
};
static struct cost_prior_job jobs[] = {
	{"first", 1, first, 2}, {"second", 2, second, 2}, {"third", 3, third, 2}};
static const struct cost_priors all = {jobs, 3};

static const struct hash pi = PI, nano = NANO, sim = SIM, unknown = {{7}};

static const struct {
	const char *why;
	struct cost_prior_query q;
	const char *found, *job; /* NULL: nothing */
} cases[] = {
	{"a new device: most rows, measured as it is",
		{.target = "latency_us@new", .device = &unknown}, "latency_us@pi2",
		"third"},
	{"a new simulated one",
		{.target = "latency_us@new", .device = &unknown, .simulated = 1},
		"latency_us@sim", "second"},
	{"the device itself, though others have more",
		{.target = "latency_us@nano", .device = &nano}, "latency_us@nano",
		"second"},
	{"itself by fingerprint, whatever its name",
		{.target = "latency_us@x", .device = &nano}, "latency_us@nano", "second"},
	{"not of the job that asks",
		{.target = "latency_us@nano", .device = &nano, .not_job = 2},
		"latency_us@pi2", "third"},
	{"others only: as if it had never been measured",
		{.target = "latency_us@pi", .device = &pi, .others_only = 1},
		"latency_us@nano", "second"},
	{"others only, and none is alike",
		{.target = "latency_us@sim",
			.device = &sim,
			.simulated = 1,
			.others_only = 1},
		"latency_us@pi2", "third"},
	{"a name", {.target = "latency_us@nano", .device = &nano, .from = "pi"},
		"latency_us@pi", "first"},
	{"too few rows", {.target = "latency_us@nano", .device = &nano, .from = "few"},
		NULL, NULL},
	{"another quantity", {.target = "flash_bytes@nano", .device = &nano},
		"flash_bytes@pi", "first"},
	{"a quantity that begins alike", {.target = "latency@nano", .device = &nano},
		NULL, NULL},
};

static void one_rule_finds_the_prior(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cost_prior_job *job = NULL;
		const struct cost_set *set = cost_priors_find(&all, &cases[i].q, &job);

		if (!set != !cases[i].found ||
			(set && (strcmp(set->target, cases[i].found) != 0 ||
					strcmp(job->name, cases[i].job) != 0)))
			fail_msg("%s: %s", cases[i].why, set ? set->target : "nothing");
	}
}

static void older_job_goes_first_when_rows_are_as_many(void **state)
{
	const struct cost_prior_query q = {
		.target = "latency_us@new", .device = &unknown, .not_job = 3};
	const struct cost_prior_job *job = NULL;

	(void)state;
	assert_non_null(cost_priors_find(&all, &q, &job));
	assert_string_equal(job->name, "first");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_rule_finds_the_prior),
		cmocka_unit_test(older_job_goes_first_when_rows_are_as_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
