#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/cost_model.h"
#include "src/base/hash.h"
#include "src/base/rng.h"
#include "src/base/stats.h"

#define P 8

/* Rows of a machine-like law: y = 5 + 3 macs + 2 depth x width ..., all positive. */
struct rows {
	size_t n;
	double *x, *y;
};

static double law(const double *x)
{
	return 40 + 0.5 * x[0] + 30 * x[1] + 0.8 * x[2] + 0.1 * x[3];
}

/* depth 2..6, macs over a factor of 20, six correlated or constant others. */
static struct rows make_rows(size_t n, double noise, uint64_t seed)
{
	struct rows r = {n, calloc(n * P, sizeof(double)), calloc(n, sizeof(double))};
	struct rng rng;

	rng_init(&rng, seed);
	for (size_t i = 0; i < n; i++) {
		double *x = r.x + i * P, width = 32 + 96 * rng_unit(&rng);

		x[1] = 2 + (double)rng_below(&rng, 5);
		x[0] = x[1] * width * width / 50;
		x[2] = x[1] * width;
		x[3] = 1000 * rng_unit(&rng);
		x[4] = 7;
		x[5] = x[0] + x[2];
		x[6] = x[1] * x[1];
		x[7] = rng_unit(&rng);
		r.y[i] = law(x) * exp(noise * rng_normal(&rng));
	}
	return r;
}

static void free_rows(struct rows *r)
{
	free(r->x);
	free(r->y);
}

/* Mean relative error against the law without noise, on rows of another seed. */
static double error_of(const struct fitted *f, uint64_t seed)
{
	struct rows test = make_rows(200, 0, seed);
	double sum = 0;

	for (size_t i = 0; i < test.n; i++)
		sum += fabs(fitted_predict(f, test.x + i * P, NULL) - test.y[i]) /
		       test.y[i];
	free_rows(&test);
	return sum / 200;
}

static struct fitted fit_kind(const char *name, const struct rows *r)
{
	struct fitted f = {cost_model_find(name), NULL};

	assert_non_null(f.kind);
	assert_int_equal(f.kind->fit(r->x, r->y, r->n, P, &f.model, NULL), ERR_OK);
	return f;
}

static void kinds_recover_a_law_when_rows_are_few_or_many(void **state)
{
	static const struct {
		const char *kind;
		size_t n;
		double noise, bound;
	} cases[] = {
		{"ridge", 200, 0, 1e-4},
		{"huber", 200, 0, 1e-4},
		{"bayes", 200, 0, 1e-4},
		{"gp", 200, 0, 0.01},
		{"trees", 200, 0, 0.06},
		{"macs", 200, 0, 0.20},
		{"depth", 200, 0, 0.45},
		{"mean", 200, 0, 0.80},
		{"ridge", 200, 0.05, 0.01},
		{"huber", 200, 0.05, 0.015},
		{"bayes", 200, 0.05, 0.01},
		{"gp", 200, 0.05, 0.03},
		{"ridge", 12, 0.02, 0.05},
		{"huber", 12, 0.02, 0.06},
		{"bayes", 12, 0.02, 0.05},
		{"gp", 12, 0.02, 0.10},
		{"ridge", 8, 0.02, 0.12},
		{"huber", 8, 0.02, 0.14},
		{"bayes", 8, 0.02, 0.12},
		{"gp", 8, 0.02, 0.20},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rows r = make_rows(cases[i].n, cases[i].noise, 11);
		struct fitted f = fit_kind(cases[i].kind, &r);
		double e = error_of(&f, 12);

		if (!(e <= cases[i].bound))
			fail_msg("%s on %zu rows: error %g, bound %g", cases[i].kind,
				cases[i].n, e, cases[i].bound);
		fitted_release(&f);
		free_rows(&r);
	}
}

static void huber_holds_when_rows_are_grossly_wrong(void **state)
{
	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		/* 5 % of the rows: 100 times, 1/100, 1.5 times too large, mixed */
		struct rows r = make_rows(120, 0.02, 21);
		struct fitted f, plain;
		double robust, squares;

		for (size_t i = 0; i < r.n; i += 20) {
			int how = kind == 3 ? (int)(i / 20) % 3 : kind;

			r.y[i] *= how == 0 ? 100 : how == 1 ? 0.01 : 1.5;
		}
		f = fit_kind("huber", &r);
		plain = fit_kind("ridge", &r);
		robust = error_of(&f, 22);
		squares = error_of(&plain, 22);
		if (!(robust < 0.01))
			fail_msg("case %d: error %g", kind, robust);
		/* rows that are too small carry the largest weight in plain squares */
		if (kind == 1)
			assert_true(squares > 10 * robust);
		fitted_release(&f);
		fitted_release(&plain);
		free_rows(&r);
	}
}

/* Every kind, on every awkward data set: finite, positive, mean and sd. */
static void check_sane(
	const char *what, const double *x, const double *y, size_t n, size_t p)
{
	static const double factors[] = {-1, 0, 1e-6, 0.5, 1, 3, 1e6};
	double *probe = calloc(p, sizeof(*probe));

	for (size_t k = 0; k < cost_model_count(); k++) {
		const struct cost_model_kind *kind = cost_model_at(k);
		struct cost_model *m;
		struct err_ctx ctx = {{0}};

		if (kind->fit(x, y, n, p, &m, &ctx))
			fail_msg("%s: %s: %s", what, kind->name, ctx.msg);
		for (size_t i = 0; i < n; i++) {
			for (size_t f = 0; f < sizeof(factors) / sizeof(*factors); f++) {
				double mean = NAN, sd = NAN;

				for (size_t j = 0; j < p; j++)
					probe[j] = x[i * p + j] * factors[f];
				kind->predict(m, probe, &mean, &sd);
				if (!(mean > 0) || !isfinite(mean) || !(sd >= 0) ||
					!isfinite(sd))
					fail_msg("%s: %s: factor %g gives %g +- %g", what,
						kind->name, factors[f], mean, sd);
			}
		}
		kind->free(m);
	}
	free(probe);
}

static void predictions_are_positive_and_finite_when_data_are_awkward(void **state)
{
	struct rows r = make_rows(12, 0.02, 31);
	double same[5 * 2] = {1, 2, 1, 2, 1, 2, 1, 2, 1, 2}, y5[] = {3, 4, 3, 5, 3};
	double wide[4 * 40], y4[] = {1, 2, 3, 4}, big[] = {1e12, 2e12, 3e12, 5e12};
	double tiny[] = {1e-9, 2e-9, 3e-9, 5e-9}, zero[4] = {0},
	       spread[] = {1, 1e3, 1e6, 1e9};
	struct rng rng;

	(void)state;
	rng_init(&rng, 5);
	for (size_t i = 0; i < 4 * 40; i++)
		wide[i] = rng_normal(&rng);
	check_sane("law", r.x, r.y, r.n, P);
	check_sane("one row", r.x, r.y, 1, P);
	check_sane("two rows", r.x, r.y, 2, P);
	check_sane("three rows", r.x, r.y, 3, P);
	check_sane("duplicates", same, y5, 5, 2);
	check_sane("p > n, negative features", wide, y4, 4, 40);
	check_sane("large", big, big, 4, 1);
	check_sane("tiny", tiny, tiny, 4, 1);
	check_sane("zero feature", zero, y4, 4, 1);
	check_sane("constant target", r.x, (const double[]){2, 2, 2, 2}, 4, P);
	check_sane("nine decades", spread, spread, 4, 1);
	free_rows(&r);
}

static void linear_kinds_rank_by_size_when_extrapolating(void **state)
{
	static const char *const names[] = {"macs", "ridge", "huber", "bayes"};
	struct rows r = make_rows(30, 0.02, 41);

	(void)state;
	for (size_t k = 0; k < 4; k++) {
		struct fitted f = fit_kind(names[k], &r);
		double last = 0, x[P];

		/* from a tenth of a row to five times it, all costs together */
		for (double s = 0.1; s < 5; s *= 1.3) {
			double v;

			for (size_t j = 0; j < P; j++)
				x[j] = r.x[j] * s;
			x[4] = 7;
			v = fitted_predict(&f, x, NULL);
			if (!(v > last))
				fail_msg("%s: %g at scale %g, %g before", names[k], v, s,
					last);
			last = v;
		}
		fitted_release(&f);
	}
	free_rows(&r);
}

static void bayes_sd_covers_the_truth_when_rows_are_few(void **state)
{
	static const size_t sizes[] = {12, 30, 100};

	(void)state;
	for (size_t s = 0; s < 3; s++) {
		size_t inside = 0, total = 0;

		for (uint64_t seed = 0; seed < 20; seed++) {
			struct rows r = make_rows(sizes[s], 0.05, 100 + seed);
			struct rows test = make_rows(50, 0.05, 500 + seed);
			struct fitted f = fit_kind("bayes", &r);

			for (size_t i = 0; i < test.n; i++, total++) {
				double sd, mean = fitted_predict(&f, test.x + i * P, &sd);

				inside += fabs(mean - test.y[i]) <= 1.96 * sd;
			}
			fitted_release(&f);
			free_rows(&r);
			free_rows(&test);
		}
		/* nominal 95 % */
		if ((double)inside < 0.85 * (double)total ||
			(double)inside > 0.995 * (double)total)
			fail_msg("n = %zu: %zu of %zu inside", sizes[s], inside, total);
	}
}

static void models_predict_the_same_when_saved_and_loaded(void **state)
{
	struct rows r = make_rows(40, 0.03, 51), test = make_rows(50, 0, 52);

	(void)state;
	for (size_t k = 0; k < cost_model_count(); k++) {
		struct fitted f = fit_kind(cost_model_at(k)->name, &r), g = {NULL, NULL};
		struct buf a, b;

		buf_init(&a);
		buf_init(&b);
		assert_int_equal(fitted_save(&f, &a, NULL), ERR_OK);
		assert_int_equal(fitted_load(buf_str(&a), P, &g, NULL), ERR_OK);
		assert_ptr_equal(g.kind, f.kind);
		for (size_t i = 0; i < test.n; i++) {
			double s1, s2, m1 = fitted_predict(&f, test.x + i * P, &s1);
			double m2 = fitted_predict(&g, test.x + i * P, &s2);

			assert_true(m1 == m2 && s1 == s2);
		}
		assert_int_equal(fitted_save(&g, &b, NULL), ERR_OK);
		assert_string_equal(buf_str(&a), buf_str(&b));
		fitted_release(&g);
		assert_int_equal(fitted_load(buf_str(&a), P + 1, &g, NULL), ERR_INVALID);
		buf_release(&a);
		buf_release(&b);
		fitted_release(&f);
	}
	free_rows(&r);
	free_rows(&test);
}

static void refuse(const char *text, const char *what)
{
	struct fitted g = {NULL, NULL};
	struct err_ctx ctx = {{0}};

	if (fitted_load(text, P, &g, &ctx) == ERR_OK)
		fail_msg("accepted: %s", what);
	assert_true(ctx.msg[0] != '\0');
	assert_null(g.model);
}

static void loading_refuses_text_when_a_line_is_damaged(void **state)
{
	struct rows r = make_rows(10, 0.03, 61);

	(void)state;
	for (size_t k = 0; k < cost_model_count(); k++) {
		struct fitted f = fit_kind(cost_model_at(k)->name, &r);
		struct buf good, bad;
		size_t step;

		buf_init(&good);
		buf_init(&bad);
		assert_int_equal(fitted_save(&f, &good, NULL), ERR_OK);
		step = good.len / 60 + 1;
		for (const char *line = good.data; *line; line = strchr(line, '\n') + 1) {
			size_t at = (size_t)(line - good.data);
			const char *after = strchr(line, '\n') + 1;

			buf_reset(&bad); /* the line is missing */
			buf_append(&bad, good.data, at);
			buf_puts(&bad, after);
			refuse(buf_str(&bad), "missing line");
			buf_reset(&bad); /* its first byte differs */
			buf_append(&bad, good.data, good.len);
			bad.data[at] ^= 1;
			refuse(buf_str(&bad), "changed line");
			if (after - good.data > (ptrdiff_t)(4 * step) && k == 7)
				break; /* trees have 450 lines: the cuts below cover them
					*/
		}
		for (size_t cut = 0; cut < good.len; cut += step) {
			buf_reset(&bad);
			buf_append(&bad, good.data, cut);
			refuse(buf_str(&bad), "cut text");
		}
		buf_reset(&bad);
		buf_append(&bad, good.data, good.len);
		buf_puts(&bad, "more\n");
		refuse(buf_str(&bad), "longer text");
		buf_release(&good);
		buf_release(&bad);
		fitted_release(&f);
	}
	refuse("", "empty text");
	refuse("hawser-cost-model 2 ridge\n", "another version");
	refuse("hawser-cost-model 1 oracle\nsum 0\n", "unknown kind");
	free_rows(&r);
}

/* Text with a right sum but wrong content: the reader itself must refuse. */
static void loading_refuses_text_when_only_its_content_is_wrong(void **state)
{
	static const char *const bodies[] = {
		"hawser-cost-model 1 mean\n",
		"hawser-cost-model 1 mean\np 8\n",
		"hawser-cost-model 1 mean\np 8\nvalue 1\n",
		"hawser-cost-model 1 mean\np 8\nvalue 1 0.1 3\n",
		"hawser-cost-model 1 mean\np 8\nvalue -1 0.1\n",
		"hawser-cost-model 1 mean\np 8\nvalue 1 nan\n",
		"hawser-cost-model 1 mean\np 8\nvalue 1 inf\n",
		"hawser-cost-model 1 mean\np 8\nvalue 1 x\n",
		"hawser-cost-model 1 mean\np 8\nvalues 1 0.1\n",
		"hawser-cost-model 1 mean\np 0\nvalue 1 0.1\n",
		"hawser-cost-model 1 mean\np -8\nvalue 1 0.1\n",
		"hawser-cost-model 1 mean\np 99999999999999999999\nvalue 1 0.1\n",
		"hawser-cost-model 1 mean\np 8\nvalue 1 0.1\nvalue 1 0.1\n",
		"hawser-cost-model 1 depth\np 8\nn 2\nspread 0.1\ndepth 2 1\nvalue 1 1\n",
		"hawser-cost-model 1 depth\np 8\nn 900000000\nspread 0.1\n",
		"hawser-cost-model 1 ridge\np 8\nintercept,lambda,sigma,var0,lo,hi 1 1 1 "
		"1 1\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		char hex[HASH_HEX + 1];
		struct hash h;
		struct buf b;

		hash_bytes(&h, bodies[i], strlen(bodies[i]));
		hash_to_hex(&h, hex);
		buf_init(&b);
		buf_printf(&b, "%ssum %.16s\n", bodies[i], hex);
		refuse(buf_str(&b), bodies[i]);
		buf_release(&b);
	}
}

static void fitting_refuses_data_when_they_are_bad(void **state)
{
	static const double bad[] = {0, -1, NAN, INFINITY};
	struct rows r = make_rows(6, 0, 71);

	(void)state;
	for (size_t k = 0; k < cost_model_count(); k++) {
		const struct cost_model_kind *kind = cost_model_at(k);
		struct cost_model *m = NULL;
		struct err_ctx ctx = {{0}};
		double kept = r.y[3];

		for (size_t i = 0; i < 4; i++) {
			r.y[3] = bad[i];
			assert_int_equal(
				kind->fit(r.x, r.y, 6, P, &m, &ctx), ERR_INVALID);
		}
		r.y[3] = kept;
		kept = r.x[9];
		r.x[9] = NAN;
		assert_int_equal(kind->fit(r.x, r.y, 6, P, &m, &ctx), ERR_INVALID);
		assert_non_null(strstr(ctx.msg, "feature 1"));
		r.x[9] = kept;
		assert_int_equal(kind->fit(r.x, r.y, 0, P, &m, &ctx), ERR_INVALID);
		assert_int_equal(kind->fit(r.x, r.y, 6, 0, &m, &ctx), ERR_INVALID);
		assert_null(m);
	}
	free_rows(&r);
}

static void choose_takes_a_model_when_it_beats_the_baselines(void **state)
{
	struct rows r = make_rows(40, 0.03, 81);
	struct cost_score scores[16];
	struct fitted f = {NULL, NULL};
	size_t count = cost_model_count();

	(void)state;
	assert_true(count <= 16);
	assert_int_equal(
		cost_model_choose(r.x, r.y, r.n, P, 1, &f, scores, NULL), ERR_OK);
	assert_false(f.kind->baseline);
	assert_ptr_equal(f.kind, scores[0].kind);
	for (size_t i = 1; i < count; i++) {
		assert_true(scores[i].kind->baseline >= scores[i - 1].kind->baseline);
		if (scores[i].kind->baseline == scores[i - 1].kind->baseline)
			assert_true(scores[i].mape >= scores[i - 1].mape);
	}
	assert_true(scores[0].mape < 0.05 && scores[0].tau > 0.9);
	assert_true(scores[0].within_10 >= scores[0].within_5);
	assert_int_equal(scores[0].n, 40);
	fitted_release(&f);
	free_rows(&r);
}

static void choose_falls_back_to_a_baseline_when_nothing_beats_it(void **state)
{
	size_t models = 0;

	(void)state;
	/* pure noise: the target knows nothing of the features */
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct rows r = make_rows(40, 0, 200 + seed);
		struct fitted f = {NULL, NULL};
		struct rng rng;

		rng_init(&rng, 300 + seed);
		for (size_t i = 0; i < r.n; i++)
			r.y[i] = exp(0.5 * rng_normal(&rng));
		assert_int_equal(
			cost_model_choose(r.x, r.y, r.n, P, 1, &f, NULL, NULL), ERR_OK);
		models += !f.kind->baseline;
		fitted_release(&f);
		free_rows(&r);
	}
	/* five kinds try their luck at two standard errors each */
	if (models > 2)
		fail_msg("%zu of 20 noise targets were believed", models);
}

static void choose_takes_macs_when_macs_are_the_law(void **state)
{
	struct rows r = make_rows(40, 0, 91);
	struct fitted f = {NULL, NULL};
	struct rng rng;

	(void)state;
	rng_init(&rng, 92);
	for (size_t i = 0; i < r.n; i++)
		r.y[i] = 3 * pow(r.x[i * P], 0.7) * exp(0.1 * rng_normal(&rng));
	assert_int_equal(cost_model_choose(r.x, r.y, r.n, P, 1, &f, NULL, NULL), ERR_OK);
	assert_string_equal(f.kind->name, "macs");
	assert_true(
		fabs(fitted_predict(&f, r.x, NULL) / (3 * pow(r.x[0], 0.7)) - 1) < 0.1);
	fitted_release(&f);
	free_rows(&r);
}

static void scores_are_the_same_when_repeated_and_undefined_for_one_row(void **state)
{
	struct rows r = make_rows(23, 0.05, 95);
	struct cost_score a, b;
	struct fitted f = {NULL, NULL};

	(void)state;
	for (size_t k = 0; k < cost_model_count(); k++) {
		const struct cost_model_kind *kind = cost_model_at(k);

		cost_model_score(kind, r.x, r.y, r.n, P, 5, 3, &a, NULL);
		cost_model_score(kind, r.x, r.y, r.n, P, 5, 3, &b, NULL);
		assert_true(a.mape == b.mape && a.within_5 == b.within_5);
		assert_int_equal(
			cost_model_score(kind, r.x, r.y, 1, P, 5, 3, &a, NULL), ERR_OK);
		assert_true(isnan(a.mape) && isnan(a.tau));
		assert_int_equal(
			cost_model_score(kind, r.x, r.y, 2, P, 5, 3, &a, NULL), ERR_OK);
		assert_true(isfinite(a.mape));
	}
	assert_int_equal(cost_model_choose(r.x, r.y, 1, P, 1, &f, NULL, NULL), ERR_OK);
	assert_string_equal(f.kind->name, "mean");
	assert_true(fitted_predict(&f, r.x + 3 * P, NULL) == r.y[0]);
	fitted_release(&f);
	free_rows(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_recover_a_law_when_rows_are_few_or_many),
		cmocka_unit_test(huber_holds_when_rows_are_grossly_wrong),
		cmocka_unit_test(
			predictions_are_positive_and_finite_when_data_are_awkward),
		cmocka_unit_test(linear_kinds_rank_by_size_when_extrapolating),
		cmocka_unit_test(bayes_sd_covers_the_truth_when_rows_are_few),
		cmocka_unit_test(models_predict_the_same_when_saved_and_loaded),
		cmocka_unit_test(loading_refuses_text_when_a_line_is_damaged),
		cmocka_unit_test(loading_refuses_text_when_only_its_content_is_wrong),
		cmocka_unit_test(fitting_refuses_data_when_they_are_bad),
		cmocka_unit_test(choose_takes_a_model_when_it_beats_the_baselines),
		cmocka_unit_test(choose_falls_back_to_a_baseline_when_nothing_beats_it),
		cmocka_unit_test(choose_takes_macs_when_macs_are_the_law),
		cmocka_unit_test(
			scores_are_the_same_when_repeated_and_undefined_for_one_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
