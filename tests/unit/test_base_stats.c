#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "src/base/stats.h"

static void near(double got, double expected, double tol)
{
	if (!(fabs(got - expected) <= tol))
		fail_msg("got %.12g, expected %.12g", got, expected);
}

static void stats_of_a_small_sample(void **state)
{
	const double x[] = {4, 1, 3, 2};

	(void)state;
	near(stats_mean(x, 4), 2.5, 1e-15);
	near(stats_sd(x, 4), sqrt(5.0 / 3), 1e-15);
	near(stats_min(x, 4), 1, 0);
	near(stats_max(x, 4), 4, 0);
	near(stats_median(x, 4), 2.5, 1e-15);
	near(stats_median(x, 3), 3, 0);
	near(stats_quantile(x, 4, 0), 1, 0);
	near(stats_quantile(x, 4, 0.25), 1.75, 1e-15); /* type 7 */
	near(stats_quantile(x, 4, 0.9), 3.7, 1e-12);
	near(stats_quantile(x, 4, 1), 4, 0);
	near(x[0], 4, 0); /* inputs are not sorted in place */
}

static void stats_of_nothing_are_nan(void **state)
{
	const double one[] = {5}, flat[] = {1, 1, 1}, up[] = {1, 2, 3};
	struct interval i;
	struct rng r;

	(void)state;
	rng_init(&r, 1);
	assert_true(isnan(stats_mean(NULL, 0)));
	assert_true(isnan(stats_sd(one, 1)));
	assert_true(isnan(stats_min(NULL, 0)));
	assert_true(isnan(stats_max(NULL, 0)));
	assert_true(isnan(stats_median(NULL, 0)));
	assert_true(isnan(stats_kendall_tau(one, one, 1)));
	assert_true(isnan(stats_kendall_tau(flat, up, 3)));
	assert_true(isnan(stats_kendall_tau(up, flat, 3)));
	assert_true(isnan(stats_mape(NULL, NULL, 0)));
	assert_true(isnan(stats_within(NULL, NULL, 0, 0.1)));
	i = stats_median_interval(NULL, 0, 0.95, &r);
	assert_true(isnan(i.lo) && isnan(i.hi));
	i = stats_binomial_interval(0, 0);
	assert_true(isnan(i.lo) && isnan(i.hi));
	near(stats_median(one, 1), 5, 0);
}

/* Wilson 1927; values by hand from its formula with z = 1.96 (four digits). */
static void stats_binomial_interval_is_wilsons(void **state)
{
	static const struct {
		double k, n, lo, hi;
	} rows[] = {
		{8, 10, 0.4902, 0.9433},
		{0, 10, 0, 0.2775},
		{10, 10, 0.7225, 1},
		{50, 100, 0.4038, 0.5962},
		{970, 1000, 0.9575, 0.9789},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct interval w = stats_binomial_interval(rows[i].k, rows[i].n);

		near(w.lo, rows[i].lo, 6e-5);
		near(w.hi, rows[i].hi, 6e-5);
	}
}

static void stats_kendall_tau_counts_ties(void **state)
{
	static const struct {
		double x[5], y[5];
		size_t n;
		double tau;
	} rows[] = {
		{{1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}, 5, 1},
		{{1, 2, 3, 4, 5}, {5, 4, 3, 2, 1}, 5, -1},
		{{1, 2, 3, 4, 5}, {1, 2, 3, 5, 4}, 5, 0.8},
		/* 4 concordant; one tie on each side: 4 / sqrt(5 * 5) */
		{{1, 1, 2, 3}, {1, 2, 2, 3}, 4, 0.8},
		/* 2 concordant, 2 discordant, one tie in x: 0 */
		{{1, 1, 2, 2}, {1, 2, 1, 2}, 4, 0},
		/* 4 concordant, 1 discordant, one tie in x: 3 / sqrt(5 * 6) */
		{{1, 2, 2, 3}, {1, 4, 2, 3}, 4, 0.547722557505166},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		near(stats_kendall_tau(rows[i].x, rows[i].y, rows[i].n), rows[i].tau,
			1e-12);
}

static void stats_prediction_errors(void **state)
{
	const double truth[] = {10, 20, -40}, predicted[] = {11, 18, -40};

	(void)state;
	near(stats_mape(predicted, truth, 3), 0.2 / 3, 1e-15);
	near(stats_within(predicted, truth, 3, 0.05), 1.0 / 3, 1e-15);
	near(stats_within(predicted, truth, 3, 0.101), 1, 0);
}

static void stats_median_interval_repeats_and_covers(void **state)
{
	double x[40];
	int covered = 0;
	struct interval a, b;
	struct rng r, seed;

	(void)state;
	rng_init(&r, 9);
	for (int i = 0; i < 40; i++)
		x[i] = 100 + rng_normal(&r);
	rng_init(&seed, 1);
	a = stats_median_interval(x, 40, 0.95, &seed);
	rng_init(&seed, 1);
	b = stats_median_interval(x, 40, 0.95, &seed);
	near(a.lo, b.lo, 0);
	near(a.hi, b.hi, 0);
	assert_true(a.lo <= stats_median(x, 40) && stats_median(x, 40) <= a.hi);
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 40; i++)
			x[i] = rng_normal(&r);
		a = stats_median_interval(x, 40, 0.95, &r);
		covered += a.lo <= 0 && 0 <= a.hi;
	}
	assert_in_range(covered, 88, 100);
}

static void stats_median_interval_narrows_with_confidence(void **state)
{
	double x[30];
	struct interval wide, narrow;
	struct rng r, seed;

	(void)state;
	rng_init(&r, 2);
	for (int i = 0; i < 30; i++)
		x[i] = rng_unit(&r);
	rng_init(&seed, 1);
	wide = stats_median_interval(x, 30, 0.99, &seed);
	rng_init(&seed, 1);
	narrow = stats_median_interval(x, 30, 0.5, &seed);
	assert_true(wide.lo < narrow.lo && narrow.hi < wide.hi);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stats_of_a_small_sample),
		cmocka_unit_test(stats_of_nothing_are_nan),
		cmocka_unit_test(stats_binomial_interval_is_wilsons),
		cmocka_unit_test(stats_kendall_tau_counts_ties),
		cmocka_unit_test(stats_prediction_errors),
		cmocka_unit_test(stats_median_interval_repeats_and_covers),
		cmocka_unit_test(stats_median_interval_narrows_with_confidence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
