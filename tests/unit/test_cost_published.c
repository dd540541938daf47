/* Cost models on published latency tables (HAT; Raspberry Pi, one GPU), where those are
 * present. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/transfer_curve.h"

#define HAT "../shared/data/hat/"
#define N_ROWS 2000
#define P 21

struct table {
	double x[N_ROWS * P], y[N_ROWS];
};

/* Ten published columns, and eleven products that the networks' phases suggest. */
static void features(const double *c, double *x)
{
	double e = c[0], l = c[1], f = c[2], h = c[3], d = c[4], dl = c[5], df = c[6];
	double dh = c[7], xh = c[8], reach = c[9];
	const double more[] = {e * l * f, l * h, d * dl, dl * df, d * dl * df, dl * dh,
		dl * xh, dl * reach, e * dl * reach, d * dl * xh, e * f};

	memcpy(x, c, 10 * sizeof(*x));
	memcpy(x + 10, more, sizeof(more));
}

static struct table *read_table(const char *path)
{
	FILE *in = fopen(path, "r");
	struct table *t;
	char line[1024];
	size_t n = 0;

	if (!in) {
		print_message("SKIP: '%s' is not here\n", path);
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	assert_non_null(t);
	assert_non_null(fgets(line, sizeof(line), in));
	while (n < N_ROWS && fgets(line, sizeof(line), in)) {
		double c[14];
		char *at = line;

		for (size_t i = 0; i < 14; i++) {
			c[i] = strtod(at, &at);
			at += *at == ',';
		}
		features(c, t->x + n * P);
		t->y[n++] = c[10] + c[11];
	}
	fclose(in);
	assert_int_equal(n, N_ROWS);
	return t;
}

/* Split S1: the first 1600 rows against the last 200. S2: i mod 10 < 8 against 9. */
static int role_of(int split, size_t i)
{
	if (split == 1)
		return i < 1600 ? 1 : i >= 1800 ? 2 : 0;
	return i % 10 < 8 ? 1 : i % 10 == 9 ? 2 : 0;
}

static struct cost_score score(
	const struct table *t, const char *kind, int split, size_t limit)
{
	struct table *part = calloc(1, sizeof(*part));
	struct cost_score s;
	size_t n = 0, at;

	assert_non_null(part);
	for (size_t i = 0; i < N_ROWS && n < limit; i++) {
		if (role_of(split, i) != 1)
			continue;
		memcpy(part->x + n * P, t->x + i * P, P * sizeof(double));
		part->y[n++] = t->y[i];
	}
	at = n;
	for (size_t i = 0; i < N_ROWS; i++) {
		if (role_of(split, i) != 2)
			continue;
		memcpy(part->x + at * P, t->x + i * P, P * sizeof(double));
		part->y[at++] = t->y[i];
	}
	assert_int_equal(cost_model_score_split(cost_model_find(kind), part->x, part->y,
				 n, P, part->x + n * P, part->y + n, at - n, &s, NULL),
		ERR_OK);
	free(part);
	print_message(
		"%s, split S%d, %zu rows: MAPE %.2f %%, tau %.3f, within 5 %% %.1f\n",
		kind, split, n, 100 * s.mape, s.tau, 100 * s.within_5);
	return s;
}

struct bar {
	const char *kind;
	int split;
	size_t limit;
	double mape, tau, within_5;
};

static void check_bars(const char *path, const struct bar *bars, size_t n)
{
	struct table *t = read_table(path);

	if (!t) {
		skip();
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct cost_score s =
			score(t, bars[i].kind, bars[i].split, bars[i].limit);

		assert_true(s.mape <= bars[i].mape);
		assert_true(s.tau >= bars[i].tau);
		assert_true(s.within_5 >= bars[i].within_5);
	}
	free(t);
}

static void clean_table_is_predicted_within_a_percent(void **state)
{
	static const struct bar bars[] = {
		{"huber", 2, 1600, 0.0060, 0.980, 0.995},
		{"ridge", 2, 1600, 0.0060, 0.980, 0.995},
		{"bayes", 2, 1600, 0.0060, 0.980, 0.995},
		{"ridge", 2, 100, 0.0075, 0.970, 0.990},
		{"ridge", 2, 20, 0.0120, 0.960, 0.980},
	};

	(void)state;
	check_bars(HAT "wmt14enfr_cpu_raspberrypi_all.csv", bars, 5);
}

static void contaminated_table_is_predicted_within_a_percent_by_huber(void **state)
{
	/* the first 200 rows were taken on a machine in another state */
	static const struct bar bars[] = {
		{"huber", 1, 1600, 0.0100, 0.970, 0.985},
	};

	(void)state;
	check_bars(HAT "wmt14ende_cpu_raspberrypi_all.csv", bars, 1);
}

/* How a prior from the first table does on rows of the second, which it never saw. */
static void check_prior(const char *from, const char *to, double at_5, double at_20)
{
	struct table *a = read_table(from), *b = read_table(to);
	struct transfer_point pt[TRANSFER_CURVE_MAX];
	struct fitted prior = {cost_model_find("huber"), NULL};
	size_t n = 0;

	if (!a || !b) {
		free(a);
		free(b);
		skip();
		return;
	}
	assert_int_equal(
		prior.kind->fit(a->x, a->y, N_ROWS, P, &prior.model, NULL), ERR_OK);
	assert_int_equal(
		transfer_curve(&prior, b->x, b->y, 400, P, 1, pt, &n, NULL), ERR_OK);
	assert_int_equal(n, TRANSFER_CURVE_MAX);
	for (size_t i = 0; i < n; i++)
		print_message("%zu rows: own %.2f %%, line %.2f %%, chosen %.2f %% "
			      "(sd %.1f %%), prior used %.1f\n",
			pt[i].n, 100 * pt[i].own, 100 * pt[i].line, 100 * pt[i].chosen,
			100 * pt[i].sd, pt[i].prior_used);
	/* A normal error's mean is 0.8 sd. From a GPU two rows give 1.1: not calibrated
	 * there, but within what two sd would allow. */
	for (size_t i = 0; i < 3; i++)
		assert_true(pt[i].chosen < 1.6 * pt[i].sd);
	assert_true(pt[2].chosen <= at_5);
	assert_true(pt[4].chosen <= at_20);
	fitted_release(&prior);
	free(a);
	free(b);
}

static void prior_helps_when_it_is_of_the_same_board(void **state)
{
	(void)state;
	check_prior(HAT "wmt14ende_cpu_raspberrypi_all.csv",
		HAT "wmt14enfr_cpu_raspberrypi_all.csv", 0.05, 0.02);
}

static void prior_does_no_harm_when_it_is_of_a_gpu(void **state)
{
	(void)state;
	check_prior(HAT "iwslt14deen_gpu_titanxp_all.csv",
		HAT "wmt14enfr_cpu_raspberrypi_all.csv", 0.5, 0.03);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prior_helps_when_it_is_of_the_same_board),
		cmocka_unit_test(prior_does_no_harm_when_it_is_of_a_gpu),
		cmocka_unit_test(clean_table_is_predicted_within_a_percent),
		cmocka_unit_test(
			contaminated_table_is_predicted_within_a_percent_by_huber),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
