#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/pareto.h"
#include "src/base/rng.h"

#define MAX_N 200

/* ---- by the definition */

static int slow_dominates(const double *a, const double *b, size_t m)
{
	int no_worse = 1, better = 0, nan_a = 0, nan_b = 0;

	for (size_t k = 0; k < m; k++) {
		nan_a |= isnan(a[k]) != 0;
		nan_b |= isnan(b[k]) != 0;
		no_worse &= a[k] <= b[k];
		better |= a[k] < b[k];
	}
	if (nan_a || nan_b)
		return !nan_a && nan_b;
	return no_worse && better;
}

static size_t slow_sort(const double *x, size_t n, size_t m, unsigned *rank)
{
	size_t fronts = 0, left = n;
	unsigned char done[MAX_N] = {0}, now[MAX_N];

	while (left) {
		memcpy(now, done, n);
		for (size_t i = 0; i < n; i++) {
			int beaten = done[i];

			for (size_t j = 0; j < n; j++)
				beaten |= !done[j] &&
					  slow_dominates(&x[j * m], &x[i * m], m);
			if (!beaten) {
				rank[i] = (unsigned)fronts;
				now[i] = 1;
				left--;
			}
		}
		memcpy(done, now, n);
		fronts++;
	}
	return fronts;
}

/* Counts unit cells of an integer grid: exact for points on it. */
static double slow_hypervolume(const double *x, size_t n, size_t m, int side)
{
	size_t cells = 1, hit = 0;

	for (size_t k = 0; k < m; k++)
		cells *= (size_t)side;
	for (size_t c = 0; c < cells; c++) {
		int covered = 0;

		for (size_t i = 0; i < n && !covered; i++) {
			size_t rest = c;

			covered = 1;
			for (size_t k = 0; k < m; k++, rest /= (size_t)side)
				covered &= x[i * m + k] <= (double)(rest % (size_t)side);
		}
		hit += (size_t)covered;
	}
	return (double)hit;
}

enum fill { FILL_REAL, FILL_GRID, FILL_GRID_NAN, FILL_FRONT, N_FILLS };

static void fill(struct rng *rng, enum fill how, double *x, size_t n, size_t m)
{
	for (size_t i = 0; i < n; i++) {
		double norm = 0;

		for (size_t k = 0; k < m; k++) {
			double *v = &x[i * m + k];

			if (how == FILL_REAL || how == FILL_FRONT)
				*v = rng_unit(rng);
			else
				*v = (double)rng_below(rng, 5);
			if (how == FILL_GRID_NAN && rng_below(rng, 12) == 0)
				*v = NAN;
			norm += *v * *v;
		}
		for (size_t k = 0; how == FILL_FRONT && k < m; k++)
			x[i * m + k] = 1 - x[i * m + k] / sqrt(norm);
	}
}

static void pareto_dominates_agrees_with_definition(void **state)
{
	double x[2 * 4];
	struct rng rng;

	(void)state;
	rng_init(&rng, 1);
	for (int i = 0; i < 20000; i++) {
		size_t m = 1 + rng_below(&rng, 4);

		fill(&rng, FILL_GRID_NAN, x, 2, m);
		assert_int_equal(
			pareto_dominates(x, x + m, m), slow_dominates(x, x + m, m));
	}
}

static void pareto_sort_and_filter_agree_with_definition(void **state)
{
	double x[MAX_N * 4];
	unsigned rank[MAX_N], want[MAX_N];
	unsigned char keep[MAX_N];
	struct rng rng;

	(void)state;
	rng_init(&rng, 2);
	for (int round = 0; round < 600; round++) {
		size_t m = 1 + rng_below(&rng, 4), n = rng_below(&rng, MAX_N), kept = 0;

		fill(&rng, (enum fill)(round % N_FILLS), x, n, m);
		assert_int_equal(pareto_sort(x, n, m, rank), slow_sort(x, n, m, want));
		for (size_t i = 0; i < n; i++) {
			int nan = 0;

			for (size_t k = 0; k < m; k++)
				nan |= isnan(x[i * m + k]) != 0;
			assert_int_equal(rank[i], want[i]);
			want[i] = want[i] == 0 && !nan;
			kept += want[i];
		}
		assert_int_equal(pareto_filter(x, n, m, keep), kept);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(keep[i], want[i]);
	}
}

static void pareto_hypervolume_agrees_with_cells(void **state)
{
	double x[60 * 4], ref[4] = {5, 5, 5, 5};
	struct rng rng;

	(void)state;
	rng_init(&rng, 3);
	for (int round = 0; round < 400; round++) {
		size_t m = 1 + rng_below(&rng, 4), n = rng_below(&rng, 60);

		fill(&rng, round % 2 ? FILL_GRID : FILL_GRID_NAN, x, n, m);
		assert_true(fabs(pareto_hypervolume(x, n, m, ref) -
				    slow_hypervolume(x, n, m, 5)) < 1e-9);
	}
}

static void pareto_hypervolume_agrees_with_inclusion_exclusion(void **state)
{
	double x[9 * 4], ref[4] = {1.1, 1.2, 1.3, 1.05};
	struct rng rng;

	(void)state;
	rng_init(&rng, 4);
	for (int round = 0; round < 300; round++) {
		size_t m = 2 + rng_below(&rng, 3), n = 1 + rng_below(&rng, 9);
		double want = 0;

		fill(&rng, FILL_FRONT, x, n, m);
		for (unsigned set = 1; set < 1u << n; set++) {
			double box = -1;

			for (size_t k = 0; k < m; k++) {
				double worst = -INFINITY;

				for (size_t i = 0; i < n; i++)
					if (set >> i & 1)
						worst = fmax(worst, x[i * m + k]);
				box *= ref[k] - worst;
			}
			want += __builtin_popcount(set) % 2 ? -box : box;
		}
		assert_true(fabs(pareto_hypervolume(x, n, m, ref) - want) < 1e-9);
	}
}

static void pareto_hypervolume_knows_simple_sets(void **state)
{
	static const double ref[] = {1, 1, 1, 1};
	static const double two[] = {0.25, 0.5, 0.5, 0.25, 0.5, 0.5, 2, 0, NAN, 0};
	static const double three[] = {0, 0.5, 0.5, 0.5, 0, 0.5, 0.5, 0.5, 0};
	static const double corner[] = {0, 0, 0, 0};

	(void)state;
	assert_true(fabs(pareto_hypervolume(two, 5, 2, ref) - 0.5) < 1e-12);
	assert_true(fabs(pareto_hypervolume(three, 3, 3, ref) - 0.5) < 1e-12);
	for (size_t m = 1; m <= 4; m++) {
		assert_true(pareto_hypervolume(corner, 1, m, ref) == 1);
		assert_true(pareto_hypervolume(ref, 1, m, ref) == 0);
		assert_true(pareto_hypervolume(NULL, 0, m, ref) == 0);
	}
}

/* The hypervolume of a fine sample of the unit circle's and sphere's front. */
static void pareto_hypervolume_nears_the_sphere(void **state)
{
	enum { N = 3000 };
	static double x[N * 4];
	static const double ball[] = {
		0, 0, 3.14159265358979 / 4, 4.18879020478639 / 8, 4.93480220054468 / 16};
	struct rng rng;

	(void)state;
	rng_init(&rng, 5);
	for (size_t m = 2; m <= 4; m++) {
		double ref[4] = {1, 1, 1, 1}, hv,
		       gap = m == 2   ? 0.002
			     : m == 3 ? 0.03
				      : 0.06;

		fill(&rng, FILL_FRONT, x, N, m);
		hv = pareto_hypervolume(x, N, m, ref);
		assert_true(hv < ball[m] && hv > ball[m] - gap);
	}
}

static void pareto_crowding_ends_are_infinite(void **state)
{
	static const double x[] = {0, 4, 1, 3, 4, 0, 2, 1};
	double d[4];

	(void)state;
	pareto_crowding(x, 4, 2, d);
	assert_true(isinf(d[0]) && isinf(d[2]));
	assert_true(fabs(d[1] - (2.0 / 4 + 3.0 / 4)) < 1e-12);
	assert_true(fabs(d[3] - (3.0 / 4 + 3.0 / 4)) < 1e-12);
	pareto_crowding(x, 1, 2, d);
	assert_true(isinf(d[0]));
	pareto_crowding(x, 0, 2, d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pareto_dominates_agrees_with_definition),
		cmocka_unit_test(pareto_sort_and_filter_agree_with_definition),
		cmocka_unit_test(pareto_hypervolume_agrees_with_cells),
		cmocka_unit_test(pareto_hypervolume_agrees_with_inclusion_exclusion),
		cmocka_unit_test(pareto_hypervolume_knows_simple_sets),
		cmocka_unit_test(pareto_hypervolume_nears_the_sphere),
		cmocka_unit_test(pareto_crowding_ends_are_infinite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
