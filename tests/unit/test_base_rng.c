#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "src/base/rng.h"

/* Output of the authors' xoshiro256starstar.c from state 1, 2, 3, 4. */
static void rng_agrees_with_the_reference(void **state)
{
	static const uint64_t expected[] = {11520u, 0u, 1509978240u, 1215971899390074240u,
		1216172134540287360u, 607988272756665600u, 16172922978634559625u,
		8476171486693032832u, 10595114339597558777u, 2904607092377533576u};
	struct rng r = {{1, 2, 3, 4}};

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_true(rng_u64(&r) == expected[i]);
}

/* The first four outputs of the authors' splitmix64.c from seed 0. */
static void rng_is_seeded_by_splitmix(void **state)
{
	static const uint64_t expected[] = {0xe220a8397b1dcdafu, 0x6e789e6aa1b965f4u,
		0x06c45d188009454fu, 0xf88bb8a8724c81ecu};
	struct rng r;

	(void)state;
	rng_init(&r, 0);
	for (size_t i = 0; i < 4; i++)
		assert_true(r.s[i] == expected[i]);
}

static void rng_repeats_for_the_same_seed_only(void **state)
{
	struct rng a, b, c;
	int same = 0;

	(void)state;
	rng_init(&a, 7);
	rng_init(&b, 7);
	rng_init(&c, 8);
	for (int i = 0; i < 1000; i++) {
		uint64_t x = rng_u64(&a);

		assert_true(x == rng_u64(&b));
		same += x == rng_u64(&c);
	}
	assert_int_equal(same, 0);
}

static void rng_split_depends_on_purpose_index_and_parent(void **state)
{
	struct rng parent, other, kept, child[6];

	(void)state;
	rng_init(&parent, 1);
	rng_init(&other, 2);
	kept = parent;
	rng_split(&parent, "sample", 0, &child[0]);
	rng_split(&parent, "sample", 0, &child[1]);
	rng_split(&parent, "sample", 1, &child[2]);
	rng_split(&parent, "mutate", 0, &child[3]);
	rng_split(&other, "sample", 0, &child[4]);
	rng_split(&parent, "", 0, &child[5]);
	assert_memory_equal(&kept, &parent, sizeof(parent)); /* not advanced */
	assert_memory_equal(&child[0], &child[1], sizeof(child[0]));
	for (int i = 2; i < 6; i++)
		for (int j = 0; j < i; j++)
			if (j != 1)
				assert_memory_not_equal(
					&child[i], &child[j], sizeof(child[0]));
}

/* Chi-squared of 6 and 13 cells, 99.9 % points 20.5 and 32.9; the seeds are fixed. */
static void rng_below_is_uniform_and_in_range(void **state)
{
	static const struct {
		uint64_t n;
		double limit;
	} rows[] = {{6, 20.5}, {13, 32.9}};
	double count[13], expected, chi;
	struct rng r;

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		rng_init(&r, 100 + k);
		memset(count, 0, sizeof(count));
		for (int i = 0; i < 60000; i++) {
			uint64_t x = rng_below(&r, rows[k].n);

			assert_true(x < rows[k].n);
			count[x]++;
		}
		expected = 60000.0 / (double)rows[k].n;
		chi = 0;
		for (uint64_t i = 0; i < rows[k].n; i++)
			chi += (count[i] - expected) * (count[i] - expected) / expected;
		assert_true(chi < rows[k].limit);
	}
	for (int i = 0; i < 100; i++)
		assert_true(rng_below(&r, 1) == 0);
}

/* With n = 3 * 2^62 a plain remainder returns the lower third twice as often. */
static void rng_below_has_no_modulo_bias(void **state)
{
	const uint64_t n = (uint64_t)3 << 62;
	double low = 0;
	struct rng r;

	(void)state;
	rng_init(&r, 5);
	for (int i = 0; i < 30000; i++)
		low += rng_below(&r, n) < n / 3;
	assert_true(fabs(low / 30000 - 1.0 / 3) < 0.012); /* over 4 sigma */
}

static void rng_unit_and_normal_have_their_moments(void **state)
{
	double sum = 0, square = 0, unit = 0;
	const int n = 50000;
	struct rng r;

	(void)state;
	rng_init(&r, 11);
	for (int i = 0; i < n; i++) {
		double u = rng_unit(&r), z = rng_normal(&r);

		assert_true(u >= 0 && u < 1);
		unit += u;
		sum += z;
		square += z * z;
	}
	assert_true(fabs(unit / n - 0.5) < 0.006);
	assert_true(fabs(sum / n) < 0.02);
	assert_true(fabs(square / n - 1) < 0.03);
}

static void rng_shuffle_permutes_evenly(void **state)
{
	double count[6] = {0}, chi = 0;
	struct rng r;

	(void)state;
	rng_init(&r, 3);
	for (int i = 0; i < 12000; i++) {
		uint32_t item[3] = {0, 1, 2};
		uint32_t seen = 0;

		rng_shuffle(&r, item, 3);
		for (int k = 0; k < 3; k++)
			seen |= 1u << item[k];
		assert_int_equal(seen, 7);
		count[item[0] * 2 + (item[1] > item[2])]++;
	}
	for (int i = 0; i < 6; i++)
		chi += (count[i] - 2000) * (count[i] - 2000) / 2000;
	assert_true(chi < 20.5);
	rng_shuffle(&r, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rng_agrees_with_the_reference),
		cmocka_unit_test(rng_is_seeded_by_splitmix),
		cmocka_unit_test(rng_repeats_for_the_same_seed_only),
		cmocka_unit_test(rng_split_depends_on_purpose_index_and_parent),
		cmocka_unit_test(rng_below_is_uniform_and_in_range),
		cmocka_unit_test(rng_below_has_no_modulo_bias),
		cmocka_unit_test(rng_unit_and_normal_have_their_moments),
		cmocka_unit_test(rng_shuffle_permutes_evenly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
