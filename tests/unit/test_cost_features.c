#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cost_models/features.h"

static const struct task_shape task = {TASK_INTENT_SLOTS, 7, 30};
static const char base[] =
	"enc;v=500;t=24;d=64;e=32;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=8;"
	"conv=3;opt=O2;kern=ref;L=h2k2x16f128r0b8,h2k2x16f64r16b4";

static void parse(struct genome *g, const char *text)
{
	struct err_ctx ctx = {{0}};

	if (genome_parse(g, text, &ctx))
		fail_msg("%s", ctx.msg);
}

static size_t index_of(const char *name)
{
	for (size_t i = 0; i < cost_features_count(); i++)
		if (strcmp(cost_features_name(i), name) == 0)
			return i;
	fail_msg("no feature '%s'", name);
	return 0;
}

static void features_start_with_macs_and_depth(void **state)
{
	double x[COST_FEATURES_MAX];
	struct graph_cost c;
	struct genome g;

	(void)state;
	parse(&g, base);
	cost_features(&g, &task, 10, x);
	graph_cost(&g, &task, 10, &c);
	assert_string_equal(cost_features_name(0), "macs");
	assert_string_equal(cost_features_name(1), "depth");
	assert_true(x[0] == c.macs && x[0] > 0);
	assert_true(x[1] == 2);
	assert_true(cost_features_count() <= COST_FEATURES_MAX);
	for (size_t i = 0; i < cost_features_count(); i++) {
		assert_true(x[i] >= 0 && isfinite(x[i]));
		assert_int_equal(index_of(cost_features_name(i)), i);
	}
	assert_true(x[index_of("macs_8")] > 0 && x[index_of("macs_4")] > 0);
	assert_true(x[index_of("embed_bytes")] == 500 * 32);
	assert_true(x[index_of("kv_bytes")] == 0);
}

static void features_tell_static_scales_apart(void **state)
{
	double x[COST_FEATURES_MAX], y[COST_FEATURES_MAX];
	struct genome g;

	(void)state;
	parse(&g, base);
	cost_features(&g, &task, 10, x);
	g.act_scales = SCALES_STATIC;
	cost_features(&g, &task, 10, y);
	assert_true(x[index_of("n_quant")] > 0 && x[index_of("n_static")] == 0);
	assert_true(y[index_of("n_static")] == x[index_of("n_quant")]);
}

static void features_grow_with_the_input(void **state)
{
	double a[COST_FEATURES_MAX], b[COST_FEATURES_MAX];
	struct genome g;

	(void)state;
	parse(&g, base);
	cost_features(&g, &task, 5, a);
	cost_features(&g, &task, 20, b);
	for (size_t i = 0; i < cost_features_count(); i++)
		assert_true(b[i] >= a[i]);
	assert_true(b[0] > a[0]);
}

static void features_tell_genes_apart_that_change_the_price(void **state)
{
	static const struct {
		const char *from, *to, *feature;
	} cases[] = {
		{"opt=O2", "opt=O3", "macs_o3"},
		{"opt=O2", "opt=Os", "macs_os"},
		{"kern=ref", "kern=opt", "macs_opt"},
		{"act=relu", "act=gelu", "n_gelu"},
		{"act=relu", "act=silu", "n_silu"},
		{"norm=ln", "norm=rms", "n_rms"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double a[COST_FEATURES_MAX], b[COST_FEATURES_MAX];
		const char *at = strstr(base, cases[i].from);
		size_t f = index_of(cases[i].feature);
		char text[GENOME_TEXT_MAX];
		struct genome g;

		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - base), base,
			cases[i].to, at + strlen(cases[i].from));
		parse(&g, base);
		cost_features(&g, &task, 10, a);
		parse(&g, text);
		cost_features(&g, &task, 10, b);
		assert_true(a[f] == 0 && b[f] > 0);
		assert_true(a[0] == b[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_start_with_macs_and_depth),
		cmocka_unit_test(features_tell_static_scales_apart),
		cmocka_unit_test(features_grow_with_the_input),
		cmocka_unit_test(features_tell_genes_apart_that_change_the_price),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
