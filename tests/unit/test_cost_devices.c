/* Priors between simulated devices, from scaled copies of each other to such that pay for
 * other things: is the stated sd true, and does a prior never harm? */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "cost_models/features.h"
#include "cost_models/kinds.h"
#include "cost_models/transfer.h"
#include "search/space/space.h"
#include "src/base/rng.h"

#define N_PRIOR 60 /* rows of the prior */
#define N_OWN 8	   /* rows that a device has at most */
#define N_HELD 60
#define N_ROWS (N_PRIOR + N_OWN + N_HELD)
#define N_PAIRS 40

/* What a device takes for one of each, ns; the order of a small core. */
static const struct {
	const char *feature;
	double ns;
} prices[] = {
	{"macs_32", 0.25},
	{"macs_8", 0.08},
	{"macs_4", 0.11},
	{"macs_attention", 0.4},
	{"n_norm", 1.2},
	{"n_act", 2.5},
	{"n_softmax", 4},
	{"n_quant", 0.8},
	{"weight_bytes", 0.02},
	{"n_ops", 60},
};
#define N_PRICES (sizeof(prices) / sizeof(prices[0]))

static const struct task_shape task = {
	.kind = TASK_INTENT_SLOTS, .n_intents = 7, .n_tags = 20};
static size_t price_at[N_PRICES];

static struct rows {
	double x[N_ROWS * COST_FEATURES_MAX], prior[N_ROWS], own[N_ROWS];
} rows;

static void find_prices(void)
{
	for (size_t k = 0; k < N_PRICES; k++)
		for (size_t i = 0; i < cost_features_count(); i++)
			if (!strcmp(cost_features_name(i), prices[k].feature))
				price_at[k] = i;
}

static void draw_networks(struct space *space, struct rng *rng)
{
	size_t p = cost_features_count();
	struct genome g;

	for (size_t i = 0; i < N_ROWS; i++) {
		space_sample(space, &task, rng, &g);
		cost_features(&g, &task, 16, rows.x + i * p);
	}
}

/* One that pays for starting and for operators, hardly for what grows with a network. */
static const double other[N_PRICES] = {
	0.01, 0.3, 0.01, 0.01, 1.2, 2.5, 4, 0.8, 0.5, 4000};

/* A device: the prices, each by a lognormal factor of that spread; base and clock by more. */
static void draw_device(double spread, struct rng *rng, double *y)
{
	double ns[N_PRICES], clock = exp(1.2 * rng_normal(rng)), base;
	size_t p = cost_features_count();

	base = spread < 0 ? 50000 : 1500 * exp(spread * rng_normal(rng));
	for (size_t k = 0; k < N_PRICES; k++)
		ns[k] = spread < 0 ? other[k] * exp(0.3 * rng_normal(rng))
				   : prices[k].ns * exp(spread * rng_normal(rng));
	for (size_t i = 0; i < N_ROWS; i++) {
		y[i] = base;
		for (size_t k = 0; k < N_PRICES; k++)
			y[i] += ns[k] * rows.x[i * p + price_at[k]];
		y[i] *= clock * exp(0.01 * rng_normal(rng));
	}
}

struct tally {
	double chosen, macs;	       /* sum of the pairs' mean relative errors */
	double within_1, within_2, zz; /* of the errors of the log over the sd */
};

static struct fitted fit_kind(const char *name, const double *y, size_t n)
{
	struct fitted f = {cost_model_find(name), NULL};

	assert_int_equal(
		f.kind->fit(rows.x, y, n, cost_features_count(), &f.model, NULL), ERR_OK);
	return f;
}

static void score(
	const struct transfer_choice *c, const struct fitted *macs, struct tally *t)
{
	size_t p = cost_features_count();

	for (size_t i = N_ROWS - N_HELD; i < N_ROWS; i++) {
		const double *x = rows.x + i * p;
		double sd, v = transfer_choice_predict(c, x, &sd), z;

		z = log(rows.own[i] / v) / (sd / v);
		t->chosen += fabs(v / rows.own[i] - 1) / N_HELD;
		if (macs)
			t->macs += fabs(fitted_predict(macs, x, NULL) / rows.own[i] - 1) /
				   N_HELD;
		t->within_1 += (fabs(z) < 1) / (double)N_HELD;
		t->within_2 += (fabs(z) < 2) / (double)N_HELD;
		t->zz += z * z / N_HELD;
	}
}

static struct tally run_pairs(struct space *space, double spread, size_t n)
{
	size_t p = cost_features_count();
	struct tally t = {0, 0, 0, 0, 0};
	struct rng root, rng;

	rng_init(&root, 7);
	for (uint32_t i = 0; i < N_PAIRS; i++) {
		struct fitted prior, macs = {NULL, NULL};
		struct transfer_choice c;
		double *own = rows.own;

		rng_split(&root, "pair", i, &rng);
		draw_networks(space, &rng);
		draw_device(0.5, &rng, rows.prior);
		draw_device(spread, &rng, own);
		if (spread == 0) /* a copy: another clock only */
			for (size_t k = 0; k < N_ROWS; k++)
				own[k] = 7 * rows.prior[k] * exp(0.01 * rng_normal(&rng));
		prior = fit_kind("bayes", rows.prior, N_PRIOR);
		/* own rows are networks that the prior has not seen */
		if (n) {
			macs.kind = &cost_kind_macs;
			assert_int_equal(macs.kind->fit(rows.x + N_PRIOR * p,
						 own + N_PRIOR, n, p, &macs.model, NULL),
				ERR_OK);
		}
		assert_int_equal(transfer_choose(&prior, rows.x + N_PRIOR * p,
					 own + N_PRIOR, n, p, 1, &c, NULL),
			ERR_OK);
		score(&c, n ? &macs : NULL, &t);
		transfer_choice_release(&c);
		fitted_release(&prior);
		fitted_release(&macs);
	}
	t.chosen /= N_PAIRS;
	t.macs /= N_PAIRS;
	t.within_1 /= N_PAIRS;
	t.within_2 /= N_PAIRS;
	t.zz /= N_PAIRS;
	return t;
}

/* How unlike the prior's device: -1, one that pays for other things. */
static const double spreads[] = {0, 0.3, 1, 2, -1};

static void stated_sd_is_true_and_no_prior_is_worse_than_macs(void **state)
{
	struct space *space;

	(void)state;
	assert_int_equal(space_open(&space, "home-small", NULL), ERR_OK);
	find_prices();
	for (size_t k = 0; k < sizeof(spreads) / sizeof(spreads[0]); k++)
		for (size_t n = 1; n < TRANSFER_MIN_ROWS; n++) {
			struct tally t = run_pairs(space, spreads[k], n);

			print_message("# spread %.1f, %zu rows: %.1f %% (macs %.1f %%), "
				      "within 1 sd %.2f, 2 sd %.2f, rms z %.2f\n",
				spreads[k], n, 100 * t.chosen, 100 * t.macs, t.within_1,
				t.within_2, sqrt(t.zz));
			assert_true(t.chosen <= 1.05 * t.macs);
			assert_true(t.within_1 > 0.65);
			assert_true(t.within_2 > 0.88);
			assert_true(sqrt(t.zz) < 1.6);
			/* nor is it wide for want of courage */
			if (spreads[k] == 0 && n >= 3) {
				assert_true(t.chosen < 0.03);
				assert_true(sqrt(t.zz) > 0.1);
			}
		}
	space_close(space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stated_sd_is_true_and_no_prior_is_worse_than_macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
