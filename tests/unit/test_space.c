#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "search/space/space.h"
#include "src/model/graph.h"

static const char *const shipped[] = {"home-small", "snips", "lm-small", "kitchen-sink"};
#define N_SHIPPED (sizeof(shipped) / sizeof(*shipped))

static struct task_shape task_of(const struct space *s)
{
	if (space_arch(s) == ARCH_DECODER)
		return (struct task_shape){.kind = TASK_LM};
	return (struct task_shape){
		.kind = TASK_INTENT_SLOTS, .n_intents = 7, .n_tags = 72};
}

static struct space *open_shipped(const char *name)
{
	char path[128];
	struct err_ctx ctx = {""};
	struct space *s = NULL;

	snprintf(path, sizeof(path), "search/spaces/%s.yaml", name);
	if (space_open(&s, path, &ctx))
		fail_msg("%s", ctx.msg);
	return s;
}

static struct space *parse(const char *text)
{
	struct err_ctx ctx = {""};
	struct space *s = NULL;

	if (space_parse(&s, text, "t.yaml", &ctx))
		fail_msg("%s", ctx.msg);
	return s;
}

#define SIZES                                                                            \
	"  vocab_size: 100\n  seq_len: 8\n  n_layers: 1\n  n_heads: [1, 2]\n"            \
	"  d_head: 8\n"
#define TOP "name: t\narch: enc\ngenes:\n" SIZES
#define GOOD TOP "  d_model: [16, 32]\n  d_ff: [16, 32]\n"

static void check_point(
	const struct space *s, const struct genome *g, const struct task_shape *task)
{
	char text[GENOME_TEXT_MAX];
	struct err_ctx ctx = {""};
	struct genome back;

	if (space_contains(s, g, task, &ctx))
		fail_msg("%s: %s", space_name(s), ctx.msg);
	genome_format(g, text);
	assert_int_equal(genome_parse(&back, text, &ctx), ERR_OK);
	assert_true(genome_equal(&back, g));
}

static void space_sample_is_valid_for_every_shipped_space(void **state)
{
	(void)state;
	for (size_t k = 0; k < N_SHIPPED; k++) {
		struct space *s = open_shipped(shipped[k]);
		struct task_shape task = task_of(s);
		struct rng rng;
		struct genome g;

		rng_init(&rng, k);
		for (int i = 0; i < 10000; i++) {
			space_sample(s, &task, &rng, &g);
			check_point(s, &g, &task);
		}
		space_close(s);
	}
}

static void space_mutate_is_valid_and_different(void **state)
{
	(void)state;
	for (size_t k = 0; k < N_SHIPPED; k++) {
		struct space *s = open_shipped(shipped[k]);
		struct task_shape task = task_of(s);
		struct genome g, m;
		struct rng rng;

		rng_init(&rng, 7 + k);
		space_sample(s, &task, &rng, &g);
		for (int i = 0; i < 3000; i++) {
			space_mutate(s, &task, &rng, &g, &m);
			check_point(s, &m, &task);
			assert_false(genome_equal(&g, &m));
			space_mutate(s, &task, &rng, &m, &m); /* in place */
			check_point(s, &m, &task);
			g = m;
		}
		space_close(s);
	}
}

static void space_cross_is_valid_and_takes_genes_of_both(void **state)
{
	(void)state;
	for (size_t k = 0; k < N_SHIPPED; k++) {
		struct space *s = open_shipped(shipped[k]);
		struct task_shape task = task_of(s);
		struct genome a, b, c;
		struct rng rng;
		int from_a = 0, from_b = 0;

		rng_init(&rng, 70 + k);
		for (int i = 0; i < 2000; i++) {
			space_sample(s, &task, &rng, &a);
			space_sample(s, &task, &rng, &b);
			space_cross(s, &task, &rng, &a, &b, &c);
			check_point(s, &c, &task);
			assert_true(c.d_model == a.d_model || c.d_model == b.d_model);
			assert_true(c.n_layers == a.n_layers || c.n_layers == b.n_layers);
			if (a.d_model != b.d_model) {
				from_a += c.d_model == a.d_model;
				from_b += c.d_model == b.d_model;
			}
		}
		assert_true(from_a > 400 && from_b > 400);
		space_close(s);
	}
}

static void space_mutate_finds_the_only_neighbour(void **state)
{
	struct space *s = parse(TOP "  d_model: 16\n  d_ff: 16\n");
	struct space *lonely =
		parse("name: t\narch: enc\ngenes: {vocab_size: 9, seq_len: 8, "
		      "d_model: 8, n_layers: 1, n_heads: 1, d_head: 8, d_ff: "
		      "8}\n");
	struct task_shape task = task_of(s);
	struct genome g, m;
	struct rng rng;

	(void)state;
	rng_init(&rng, 1);
	space_smallest(s, &g);
	for (int i = 0; i < 50; i++) {
		space_mutate(s, &task, &rng, &g, &m);
		assert_int_not_equal(g.layer[0].n_heads, m.layer[0].n_heads);
		g = m;
	}
	space_smallest(lonely, &g);
	space_mutate(lonely, &task, &rng, &g, &m);
	assert_true(genome_equal(&g, &m));
	assert_true(space_size(lonely) == 1);
	space_close(s);
	space_close(lonely);
}

/* Counts the different genomes of a small space by drawing very often. */
static size_t count_by_drawing(const struct space *s)
{
	static struct hash seen[4096];
	struct task_shape task = task_of(s);
	struct genome g;
	struct rng rng;
	size_t n = 0;

	rng_init(&rng, 3);
	for (int i = 0; i < 60000; i++) {
		struct hash h;
		size_t k = 0;

		space_sample(s, &task, &rng, &g);
		genome_hash(&g, &h);
		while (k < n && !hash_equal(&h, &seen[k]))
			k++;
		if (k == n && n < 4096)
			seen[n++] = h;
	}
	return n;
}

static void space_size_counts_distinct_genomes(void **state)
{
	static const char *const texts[] = {
		GOOD,
		GOOD "  d_embed: [full, 16, 8]\n",
		GOOD "  d_embed: [16, 8]\n  bits: [8, 8, 4]\n",
		GOOD "  n_kv_heads: [same, 1, 2]\n  conv: [0, 0, 3]\n",
		GOOD "  ffn_rank: [0, 4, 12]\n",
		"name: t\narch: enc\ngenes: {vocab_size: 100, seq_len: 8, n_layers: [1, "
		"3], "
		"n_heads: [1, 2], d_head: 8, d_model: 16, d_ff: [16, 32], shared: [no, "
		"yes]}",
		"name: t\narch: enc\ngenes: {vocab_size: 100, seq_len: 8, n_layers: [2, "
		"3], "
		"n_heads: [1, 2], d_head: 8, d_model: 16, d_ff: [16, 32], shared: yes}",
	};
	static const size_t sizes[] = {8, 20, 32, 24, 18, 4 + 4 * 25, 4 + 4};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct space *s = parse(texts[i]);

		assert_int_equal((size_t)space_size(s), sizes[i]);
		assert_int_equal(count_by_drawing(s), sizes[i]);
		space_close(s);
	}
}

static void space_hash_tells_content_not_writing(void **state)
{
	static const char *const same[] = {
		GOOD "limits: [\"params<=9000\", \"macs<=1e6\"]\n",
		"# other words\narch: enc\nname: other\nsummary: x\n"
		"limits: [\"macs<=1000000\", \"params<=9e3\", \"params<=9000\"]\n"
		"genes: {d_ff: [32, 16], n_layers: [1], d_model: [32, 16], seq_len: 8, "
		"vocab_size: 100, n_heads: [2, 1], d_head: 8, bits: 32, act: relu}\n",
	};
	static const char *const other[] = {GOOD,
		GOOD "limits: [\"params<9000\", \"macs<=1e6\"]\n",
		GOOD "  bits: 8\nlimits: [\"params<=9000\", \"macs<=1e6\"]\n"};
	struct hash first, h;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct space *s = parse(same[i]);

		space_hash(s, i ? &h : &first);
		space_close(s);
	}
	assert_true(hash_equal(&first, &h));
	for (size_t i = 0; i < 3; i++) {
		struct space *s = parse(other[i]);

		space_hash(s, &h);
		space_close(s);
		assert_false(hash_equal(&first, &h));
	}
}

static void space_sample_is_the_same_for_equal_spaces(void **state)
{
	struct space *a = parse(GOOD),
		     *b = parse("arch: enc\nname: q\ngenes: {d_ff: [32, 16], "
				"n_layers: [1], d_model: [32, 16], seq_len: 8, "
				"vocab_size: 100, n_heads: [2, 1], d_head: 8}");
	struct task_shape task = task_of(a);
	struct genome x, y;
	struct rng r, q;

	(void)state;
	rng_init(&r, 5);
	rng_init(&q, 5);
	for (int i = 0; i < 200; i++) {
		space_sample(a, &task, &r, &x);
		space_sample(b, &task, &q, &y);
		assert_true(genome_equal(&x, &y));
	}
	space_close(a);
	space_close(b);
}

static void space_contains_names_the_gene(void **state)
{
	struct space *s = open_shipped("home-small");
	struct task_shape task = task_of(s);
	struct err_ctx ctx = {""};
	struct genome g, h;

	(void)state;
	space_largest(s, &g);
	check_point(s, &g, &task);
	h = g;
	h.layer[1].d_ff = 100;
	assert_int_equal(space_contains(s, &h, &task, &ctx), ERR_INVALID);
	assert_string_equal(ctx.msg,
		"layer 1: gene 'd_ff' is '100', space 'home-small' has: 32 "
		"64 96 128 192");
	h = g;
	h.d_embed = 16;
	assert_int_equal(space_contains(s, &h, &task, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "gene 'd_embed' is '16'"));
	h = g;
	h.layer[1].shared = 1;
	assert_int_equal(space_contains(s, &h, &task, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "'shared' is 'yes'"));
	h = g;
	h.arch = ARCH_DECODER;
	assert_int_equal(space_contains(s, &h, &task, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "'arch'"));
	space_close(s);
}

static double macs_of(const struct genome *g, const struct task_shape *task)
{
	struct graph_cost c;

	graph_cost(g, task, g->seq_len, &c);
	return c.macs;
}

static void space_corners_bound_every_draw(void **state)
{
	(void)state;
	for (size_t k = 0; k < 3; k++) { /* kitchen-sink's corners break its limits */
		struct space *s = open_shipped(shipped[k]);
		struct task_shape task = task_of(s);
		struct genome large, small, g;
		struct rng rng;

		rng_init(&rng, 9);
		space_largest(s, &large);
		space_smallest(s, &small);
		assert_int_equal(space_contains(s, &large, NULL, NULL), ERR_OK);
		check_point(s, &small, &task);
		for (int i = 0; i < 500; i++) {
			space_sample(s, &task, &rng, &g);
			assert_true(macs_of(&g, &task) <= macs_of(&large, &task));
			assert_true(macs_of(&g, &task) >= macs_of(&small, &task));
		}
		space_close(s);
	}
}

static void check_cover(const struct genome *e, size_t n, const struct genome *g)
{
	int embed = 0, rank = 0, heads = 0, ff = 0, kv = 0, place = 0;

	for (size_t i = 0; i < n; i++) {
		const struct layer_genes *a = &g->layer[0], *b = &e[i].layer[0];

		place |= e[i].norm_place == g->norm_place;
		embed |= (g->d_embed < g->d_model) == (e[i].d_embed < e[i].d_model) &&
			 e[i].d_embed >= g->d_embed && e[i].d_model >= g->d_model;
		heads |= b->n_heads * b->d_head >= a->n_heads * a->d_head;
		kv |= b->n_kv_heads * b->d_head >= a->n_kv_heads * a->d_head;
		ff |= b->d_ff >= a->d_ff && e[i].d_model >= g->d_model;
		rank |= a->ffn_rank ? b->ffn_rank >= a->ffn_rank : !b->ffn_rank;
	}
	assert_true(place && embed && heads && kv && ff && rank);
}

static void space_extremes_cover_every_draw(void **state)
{
	(void)state;
	for (size_t k = 0; k < N_SHIPPED; k++) {
		struct space *s = open_shipped(shipped[k]);
		struct task_shape task = task_of(s);
		struct genome e[24], g;
		struct rng rng;
		size_t n = space_extremes(s, e, 24);

		assert_in_range(n, 1, 23);
		assert_int_equal(space_extremes(s, e, 1), 1);
		n = space_extremes(s, e, 24);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(space_contains(s, &e[i], NULL, NULL), ERR_OK);
			assert_int_equal(e[i].norm, e[0].norm);
		}
		rng_init(&rng, 11);
		for (int i = 0; i < 1000; i++) {
			space_sample(s, &task, &rng, &g);
			check_cover(e, n, &g);
		}
		space_close(s);
	}
}

static void space_sample_reaches_a_rare_region(void **state)
{
	/* Only the very smallest of 4 layers' combinations holds the limit. */
	struct space *s =
		parse("name: t\narch: enc\ngenes: {vocab_size: [100, 5000], seq_len: 8,"
		      " n_layers: [1, 8], n_heads: [1, 8], d_head: [8, 64], d_model: "
		      "[8, 256], d_ff: [8, 512]}\nlimits: [\"params<=2000\"]\n");
	struct task_shape task = {.kind = TASK_CLASSIFY, .n_intents = 2};
	struct genome g;
	struct rng rng;

	(void)state;
	rng_init(&rng, 2);
	for (int i = 0; i < 100; i++) {
		space_sample(s, &task, &rng, &g);
		check_point(s, &g, &task);
	}
	space_close(s);
}

static void preset_has_the_size_its_paper_tells(void **state)
{
	static const struct {
		const char *name;
		double params;
	} want[] = {{"tinybert-4", 14.5e6}, {"minilm-l6", 22.7e6}, {"mobilebert", 25.3e6},
		{"distilgpt-2", 82e6}, {"phi-1", 1.3e9}};
	struct task_shape enc = {.kind = TASK_CLASSIFY, .n_intents = 2},
			  dec = {.kind = TASK_LM};
	struct err_ctx ctx = {""};

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		struct graph_cost c;
		struct genome g;

		if (preset_find(want[i].name, &g, &ctx))
			fail_msg("%s", ctx.msg);
		graph_cost(&g, g.arch == ARCH_DECODER ? &dec : &enc, 16, &c);
		if (c.n_params < 0.95 * want[i].params ||
			c.n_params > 1.05 * want[i].params)
			fail_msg("%s has %.4g parameters", want[i].name, c.n_params);
	}
}

static void preset_find_hints_when_unknown(void **state)
{
	struct err_ctx ctx = {""};
	struct genome g;
	size_t n = 0;

	(void)state;
	while (preset_name(n))
		assert_int_equal(preset_find(preset_name(n++), &g, &ctx), ERR_OK);
	assert_true(n >= 5);
	assert_int_equal(preset_find("tinybert4", &g, &ctx), ERR_NOTFOUND);
	assert_non_null(strstr(ctx.msg, "did you mean 'tinybert-4'?"));
	assert_int_equal(preset_find("gpt-5", &g, &ctx), ERR_NOTFOUND);
}

static void space_preset_lists_points_of_the_space(void **state)
{
	struct space *s = open_shipped("home-small");
	struct task_shape task = task_of(s);
	struct genome g;

	(void)state;
	assert_string_equal(space_preset(s, 0, &g), "tiny");
	check_point(s, &g, &task);
	assert_null(space_preset(s, 99, &g));
	space_close(s);
}

static void space_draws_static_scales_where_something_is_quantised(void **state)
{
	struct space *s =
		parse(TOP "  d_model: [16, 32]\n  d_ff: [16, 32]\n  embed_bits: [32, "
			  "8]\n  bits: [32, 4]\n  act_scales: static\n");
	struct task_shape task = task_of(s);
	unsigned n[2] = {0};
	struct rng rng;

	(void)state;
	rng_init(&rng, 4);
	for (int i = 0; i < 200; i++) {
		struct genome g;

		space_sample(s, &task, &rng, &g);
		check_point(s, &g, &task);
		assert_int_equal(g.act_scales, !genome_is_fp32(&g));
		n[g.act_scales]++;
	}
	assert_true(n[SCALES_DYNAMIC] > 0 && n[SCALES_STATIC] > n[SCALES_DYNAMIC]);
	space_close(s);
}

static void space_draws_networks_without_floating_point(void **state)
{
	struct space *s =
		parse(TOP "  d_model: [16, 32]\n  d_ff: [16, 32]\n  bits: [8, 4]\n"
			  "  act_scales: [static, integer]\n");
	struct task_shape task = task_of(s);
	unsigned n[N_SCALE_CHOICES] = {0};
	struct rng rng;

	(void)state;
	rng_init(&rng, 4);
	for (int i = 0; i < 200; i++) {
		struct genome g;

		space_sample(s, &task, &rng, &g);
		check_point(s, &g, &task);
		n[g.act_scales]++;
	}
	assert_true(n[SCALES_STATIC] > 50 && n[SCALES_INTEGER] > 50);
	space_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(space_sample_is_valid_for_every_shipped_space),
		cmocka_unit_test(space_mutate_is_valid_and_different),
		cmocka_unit_test(space_cross_is_valid_and_takes_genes_of_both),
		cmocka_unit_test(space_mutate_finds_the_only_neighbour),
		cmocka_unit_test(space_size_counts_distinct_genomes),
		cmocka_unit_test(space_hash_tells_content_not_writing),
		cmocka_unit_test(space_sample_is_the_same_for_equal_spaces),
		cmocka_unit_test(space_contains_names_the_gene),
		cmocka_unit_test(space_corners_bound_every_draw),
		cmocka_unit_test(space_extremes_cover_every_draw),
		cmocka_unit_test(space_sample_reaches_a_rare_region),
		cmocka_unit_test(preset_has_the_size_its_paper_tells),
		cmocka_unit_test(preset_find_hints_when_unknown),
		cmocka_unit_test(space_preset_lists_points_of_the_space),
		cmocka_unit_test(space_draws_static_scales_where_something_is_quantised),
		cmocka_unit_test(space_draws_networks_without_floating_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
