/* Objectives over several devices. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/model/objective.h"

static void groups_are_parsed_and_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text;
		int ok;
		const char *says;
	} cases[] = {
		{"pi", 1, ""},
		{"worst(pi,nano)", 1, ""},
		{"mean(pi:2,nano:0.5,local)", 1, ""},
		{"worst(pi)", 1, ""},
		{"worst(pi", 0, "does not end in ')'"},
		{"worst()", 0, "has no name"},
		{"worst(pi,)", 0, "has no name"},
		{"worst(pi,pi)", 0, "twice"},
		{"worst(pi:2,nano)", 0, "weight"},
		{"mean(pi:0,nano)", 0, "weight"},
		{"mean(pi:nan,nano)", 0, "weight"},
		{"mean(pi:2x,nano)", 0, "weight"},
		{"mean(:2,nano)", 0, "has no name"},
		{"worst(a,b,c,d,e)", 0, "more than 4"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err_ctx ctx = {""};
		struct device_group g;
		struct objective o;
		char text[200];

		if ((device_group_parse(&g, cases[i].text, &ctx) == ERR_OK) !=
				cases[i].ok ||
			!strstr(ctx.msg, cases[i].says))
			fail_msg("'%s': %s", cases[i].text, ctx.msg);
		snprintf(text, sizeof(text), "latency_us@%s", cases[i].text);
		assert_int_equal(
			objective_parse(&o, text, NULL) == ERR_OK, cases[i].ok);
	}
}

static struct value value(double v, double lo, double hi, enum provenance prov)
{
	return (struct value){v, {lo, hi}, prov, 0};
}

static void values_of_a_group_become_one(void **state)
{
	struct value v[2] = {value(10, 8, 13, PROV_MEASURED), value(40, 36, 43, PROV_MEASURED)};
	struct device_group worst, mean, one;
	struct value r;

	(void)state;
	assert_int_equal(device_group_parse(&worst, "worst(a,b)", NULL), ERR_OK);
	assert_int_equal(device_group_parse(&mean, "mean(a:3,b)", NULL), ERR_OK);
	assert_int_equal(device_group_parse(&one, "a", NULL), ERR_OK);
	r = device_group_value(&one, v);
	assert_true(r.value == 10 && r.ci.lo == 8 && r.ci.hi == 13);
	r = device_group_value(&worst, v);
	assert_true(r.value == 40 && r.ci.lo == 36 && r.ci.hi == 43);
	assert_int_equal(r.prov, PROV_MEASURED);
	r = device_group_value(&mean, v);
	assert_true(fabs(r.value - 17.5) < 1e-12);
	assert_true(fabs(r.value - r.ci.lo - hypot(0.75 * 2, 0.25 * 4)) < 1e-12);
	assert_true(fabs(r.ci.hi - r.value - hypot(0.75 * 3, 0.25 * 3)) < 1e-12);

	v[1].prov = PROV_SIMULATED;
	v[0].unresolved = 1;
	r = device_group_value(&worst, v);
	assert_int_equal(r.prov, PROV_SIMULATED);
	assert_true(r.unresolved);
	for (int i = 0; i < 2; i++) {
		struct value lost[2] = {v[0], v[1]};

		lost[i].value = NAN;
		assert_true(isnan(device_group_value(&worst, lost).value));
		assert_true(isnan(device_group_value(&mean, lost).value));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_are_parsed_and_refused_with_a_reason),
		cmocka_unit_test(values_of_a_group_become_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
