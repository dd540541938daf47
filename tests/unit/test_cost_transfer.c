#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "cost_models/transfer.h"
#include "src/base/rng.h"

#define P 6
#define N_TEST 200

typedef double law_fn(const double *x);

struct rows {
	double x[N_TEST * P], y[N_TEST];
};

static double one_law(const double *x)
{
	return 40 + 0.5 * x[0] + 30 * x[1] + 0.8 * x[2];
}

/* Six times slower, everything alike. */
static double scaled_law(const double *x)
{
	return 6 * one_law(x);
}

/* A machine that pays for what the first one does not see, and gains from what costs there. */
static double unrelated_law(const double *x)
{
	return 20 + 0.3 * x[3] + 2000 / x[1];
}

/* The same machine with a dear x[3]: 10 % on average. */
static double similar_law(const double *x)
{
	return 3 * one_law(x) * (0.8 + 0.0005 * x[3]);
}

static void draw(struct rows *r, law_fn *law, double noise, uint64_t seed)
{
	struct rng rng;

	rng_init(&rng, seed);
	for (size_t i = 0; i < N_TEST; i++) {
		double *x = r->x + i * P, width = 32 + 96 * rng_unit(&rng);

		x[1] = 2 + (double)rng_below(&rng, 5);
		x[0] = x[1] * width * width / 50;
		x[2] = x[1] * width;
		x[3] = 1000 * rng_unit(&rng);
		x[4] = x[0] + x[2];
		x[5] = x[1] * x[1];
		r->y[i] = law(x) * exp(noise * rng_normal(&rng));
	}
}

static struct fitted fit_prior(void)
{
	static struct rows r;
	struct fitted f = {NULL, NULL};

	draw(&r, one_law, 0.01, 1);
	assert_int_equal(cost_model_choose(r.x, r.y, 100, P, 1, &f, NULL, NULL), ERR_OK);
	assert_false(f.kind->baseline);
	return f;
}

/* Mean relative error on other rows, without noise; *z: root mean square of the error
 * over the stated sd. */
static double error_of(const struct transfer_choice *c, law_fn *law, double *z)
{
	static struct rows test;
	double sum = 0, zz = 0;

	draw(&test, law, 0, 99);
	for (size_t i = 0; i < N_TEST; i++) {
		double sd, mean = transfer_choice_predict(c, test.x + i * P, &sd);

		assert_true(mean > 0 && isfinite(mean) && sd > 0 && isfinite(sd));
		sum += fabs(mean - test.y[i]) / test.y[i];
		zz += (mean - test.y[i]) / sd * ((mean - test.y[i]) / sd);
	}
	if (z)
		*z = sqrt(zz / N_TEST);
	return sum / N_TEST;
}

static struct transfer_choice choose(
	const struct fitted *prior, law_fn *law, size_t n, uint64_t seed)
{
	static struct rows own;
	struct transfer_choice c;

	draw(&own, law, 0.01, seed);
	assert_int_equal(transfer_choose(prior, n ? own.x : NULL, n ? own.y : NULL, n, P,
				 1, &c, NULL),
		ERR_OK);
	return c;
}

static void three_rows_suffice_when_the_device_is_a_scaled_copy(void **state)
{
	struct fitted prior = fit_prior();

	(void)state;
	for (uint64_t seed = 10; seed < 30; seed++) {
		struct transfer_choice c = choose(&prior, scaled_law, 3, seed);
		char label[64];
		double z;

		assert_true(error_of(&c, scaled_law, &z) < 0.03);
		assert_true(z < 1);
		transfer_label(&c, "pi", label, sizeof(label));
		assert_string_equal(label, "prior of pi, 3 rows");
		transfer_choice_release(&c);
	}
	fitted_release(&prior);
}

static void prior_is_labelled_and_wide_when_there_are_no_rows(void **state)
{
	struct fitted prior = fit_prior();
	struct transfer_choice c = choose(&prior, scaled_law, 0, 10);
	double x[P] = {100, 3, 200, 500, 300, 9}, sd, mean;
	char label[64];

	(void)state;
	mean = transfer_choice_predict(&c, x, &sd);
	assert_true(fabs(mean / fitted_predict(&prior, x, NULL) - 1) < 1e-12);
	assert_true(sd > 2 * mean);
	transfer_label(&c, "local", label, sizeof(label));
	assert_string_equal(label, "prior of local");
	assert_true(c.use == TRANSFER_LINE && isnan(c.mape[TRANSFER_OWN]));
	transfer_choice_release(&c);
	fitted_release(&prior);
}

static void sd_shrinks_when_rows_come(void **state)
{
	struct fitted prior = fit_prior();
	double x[P] = {100, 3, 200, 500, 300, 9}, last = INFINITY;

	(void)state;
	for (size_t n = 0; n < TRANSFER_MIN_ROWS; n++) {
		struct transfer_choice c = choose(&prior, scaled_law, n, 10);
		double sd, mean = transfer_choice_predict(&c, x, &sd);

		assert_true(sd / mean < last);
		last = sd / mean;
		transfer_choice_release(&c);
	}
	fitted_release(&prior);
}

static void own_model_is_used_when_the_devices_are_unrelated(void **state)
{
	struct fitted prior = fit_prior();

	(void)state;
	for (uint64_t seed = 10; seed < 20; seed++) {
		struct transfer_choice few = choose(&prior, unrelated_law, 4, seed);
		struct transfer_choice c = choose(&prior, unrelated_law, 40, seed);

		assert_int_equal(few.use, TRANSFER_LINE);
		assert_int_equal(c.use, TRANSFER_OWN);
		assert_true(error_of(&c, unrelated_law, NULL) < 0.05);
		transfer_choice_release(&few);
		transfer_choice_release(&c);
	}
	fitted_release(&prior);
}

static void prior_is_not_worse_than_own_when_devices_are_similar(void **state)
{
	static const size_t sizes[] = {8, 12, 20, 40, 80};
	struct fitted prior = fit_prior();

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		double with = 0, without = 0;

		for (uint64_t seed = 10; seed < 20; seed++) {
			struct transfer_choice c =
				choose(&prior, similar_law, sizes[i], seed);

			with += error_of(&c, similar_law, NULL) / 10;
			c.use = TRANSFER_OWN;
			without += error_of(&c, similar_law, NULL) / 10;
			transfer_choice_release(&c);
		}
		print_message("# similar, %zu rows: own %.2f %%, with prior %.2f %%\n",
			sizes[i], 100 * without, 100 * with);
		assert_true(with < 1.1 * without + 0.002);
	}
	fitted_release(&prior);
}

static void bad_rows_are_refused_when_fitting(void **state)
{
	struct fitted prior = fit_prior(), none = {NULL, NULL};
	double x[P] = {1, 1, 1, 1, 1, 1}, y = -1;
	struct transfer_choice c;
	struct transfer t;

	(void)state;
	assert_int_equal(transfer_choose(&prior, x, &y, 1, P, 1, &c, NULL), ERR_INVALID);
	assert_int_equal(
		transfer_choose(&none, NULL, NULL, 0, P, 1, &c, NULL), ERR_INVALID);
	assert_int_equal(
		transfer_fit(&prior, NULL, NULL, 0, P, 1, &t, NULL), ERR_INVALID);
	fitted_release(&prior);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_rows_suffice_when_the_device_is_a_scaled_copy),
		cmocka_unit_test(prior_is_labelled_and_wide_when_there_are_no_rows),
		cmocka_unit_test(sd_shrinks_when_rows_come),
		cmocka_unit_test(own_model_is_used_when_the_devices_are_unrelated),
		cmocka_unit_test(prior_is_not_worse_than_own_when_devices_are_similar),
		cmocka_unit_test(bad_rows_are_refused_when_fitting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
