/* How many evaluations an algorithm needs where the true front is known. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "search/pareto.h"
#include "src/base/stats.h"
#include "tests/unit/search_world.h"

static const unsigned vocabs[] = {300, 600, 1000}, widths[] = {16, 32, 48, 64, 96},
		      heads[] = {1, 2, 4}, ff_widths[] = {32, 64, 96, 128, 192};

/* ---- how good it is */

static double share_of(const double *x, size_t n)
{
	static const double ref[2] = {1, 1};

	return pareto_hypervolume(x, n, 2, ref);
}

/* Quality 40 to 95, log latency 12 to 400 us: the corners of the law, roughly. */
static void to_box(const struct genome *g, double *x)
{
	x[0] = (95 - law_quality(g)) / 55;
	x[1] = log(law_latency(g) / 12) / log(400.0 / 12);
}

static void add_layers(struct genome *g, unsigned from, double *x, size_t *n)
{
	for (unsigned c = 0; c < 30; c++) {
		g->layer[from] = (struct layer_genes){(uint16_t)heads[c % 3],
			(uint16_t)heads[c % 3], 16, (uint16_t)ff_widths[c / 3 % 5], 0,
			c / 15 ? 8 : 32, 0};
		g->n_layers = (uint8_t)(from + 1);
		to_box(g, &x[2 * (*n)++]);
		if (from == 0)
			add_layers(g, 1, x, n);
	}
	memset(&g->layer[from], 0, sizeof(g->layer[from]));
}

static double whole_hypervolume(const struct space *s)
{
	double *x = calloc(2 * 14000, sizeof(*x)), hv;
	struct genome g;
	size_t n = 0;

	assert_non_null(x);
	space_smallest(s, &g);
	for (int v = 0; v < 3; v++)
		for (int d = 0; d < 5; d++) {
			g.vocab_size = vocabs[v];
			g.d_model = g.d_embed = (uint16_t)widths[d];
			add_layers(&g, 0, x, &n);
		}
	assert_int_equal(n, 13950);
	assert_int_equal((size_t)space_size(s), n);
	hv = share_of(x, n);
	free(x);
	return hv;
}

/* Evaluations until the true hypervolume of what was evaluated reaches a share. */
static double evaluations_to(const struct search_result *r, double target)
{
	double *x = calloc(2 * (r->n + 1), sizeof(*x));
	size_t n = 0;

	assert_non_null(x);
	while (n < r->n && share_of(x, n) < target) {
		to_box(&r->members[n].g, &x[2 * n]);
		n++;
	}
	if (share_of(x, n) < target)
		n = 2 * r->n; /* never */
	free(x);
	return (double)n;
}

static double median_to(
	const char *algorithm, double noise, uint32_t budget, double share)
{
	struct space *s = parse(SPACE);
	double target = share * whole_hypervolume(s), n[5];

	for (uint64_t seed = 0; seed < 5; seed++) {
		struct search_options o = options(algorithm, seed + 1, budget);
		struct world *w = world_new();
		struct search_result r;

		w->noise = noise;
		r = run(w, s, &o);
		n[seed] = evaluations_to(&r, target);
		search_result_release(&r);
		world_free(w);
	}
	space_close(s);
	return stats_median(n, 5);
}

static void search_model_needs_far_fewer_evaluations_than_random(void **state)
{
	double model, nsga2, chance;

	(void)state;
	model = median_to("model", 0, 120, 0.99);
	nsga2 = median_to("nsga2", 0, 500, 0.99);
	chance = median_to("random", 0, 500, 0.99);
	print_message("evaluations to 99 %%: model %g, nsga2 %g, random %g\n", model,
		nsga2, chance);
	assert_true(model <= 60);
	assert_true(5 * model <= chance);
	assert_true(nsga2 < chance);
}

static void search_model_beats_random_when_looks_are_noisy(void **state)
{
	double model, chance;

	(void)state;
	model = median_to("model", 0.1, 150, 0.98);
	chance = median_to("random", 0.1, 400, 0.98);
	print_message("noisy, to 98 %%: model %g, random %g\n", model, chance);
	assert_true(3 * model <= chance);
}

/* ---- NSGA-II where the front is known */

static double zdt_share(const char *algorithm, uint64_t seed)
{
	static const double ref[2] = {1.1, 1.1};
	struct space *s =
		parse("name: z\narch: enc\ngenes: {vocab_size: 300, seq_len: 8, d_model: "
		      "8, n_layers: 8, n_heads: 1, d_head: 8, d_ff: [10, 20, 30, 40, "
		      "50, 60, 70, 80, 90, 100]}\n");
	struct search_options o = options(algorithm, seed, 900);
	struct world *w = world_new();
	double best[20], *x, share;
	struct search_result r;

	assert_int_equal(
		objective_parse(&w->objectives[0], "cross_entropy", NULL), ERR_OK);
	assert_int_equal(objective_parse(&w->objectives[1], "perplexity", NULL), ERR_OK);
	w->zdt = 1;
	o.n_initial = 30;
	o.batch = 30;
	r = run(w, s, &o);
	x = calloc(r.n * 2, sizeof(*x));
	assert_non_null(x);
	for (size_t i = 0; i < r.n; i++)
		law_zdt(&r.members[i].g, &x[2 * i]);
	for (int i = 0; i < 10; i++) {
		best[2 * i] = i / 9.0;
		best[2 * i + 1] = 1 - sqrt(i / 9.0);
	}
	share = pareto_hypervolume(x, r.n, 2, ref) / pareto_hypervolume(best, 10, 2, ref);
	free(x);
	search_result_release(&r);
	world_free(w);
	space_close(s);
	return share;
}

static void search_nsga2_nears_the_front_of_zdt1(void **state)
{
	double nsga2[5], chance[5];

	(void)state;
	for (uint64_t seed = 0; seed < 5; seed++) {
		nsga2[seed] = zdt_share("nsga2", seed);
		chance[seed] = zdt_share("random", seed);
	}
	print_message("ZDT1, 900 evaluations: nsga2 %g, random %g of the hypervolume\n",
		stats_median(nsga2, 5), stats_median(chance, 5));
	assert_true(stats_median(nsga2, 5) > 0.9);
	assert_true(stats_median(chance, 5) < 0.6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(search_model_needs_far_fewer_evaluations_than_random),
		cmocka_unit_test(search_model_beats_random_when_looks_are_noisy),
		cmocka_unit_test(search_nsga2_nears_the_front_of_zdt1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
