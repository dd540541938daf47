/* Stands in for cmocka where a unit test is compiled for another machine, which has no
 * cmocka: what the tests use of it that tests/unit/test_infer_arm.c compiles. A failed
 * assertion ends the program.
 */
#ifndef HAWSER_TESTS_CROSS_CMOCKA_H
#define HAWSER_TESTS_CROSS_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
	const char *name;
	void (*run)(void **state);
};

#define cmocka_unit_test(f)                                                              \
	{                                                                                \
		.name = #f, .run = f                                                     \
	}
#define print_message(...) printf("# " __VA_ARGS__)

static inline void cross_assert(int holds, const char *what, const char *file, int line)
{
	if (holds)
		return;
	printf("not ok - %s:%d: %s\n", file, line, what);
	exit(1);
}

#define assert_true(c) cross_assert(!!(c), #c, __FILE__, __LINE__)
#define assert_non_null(p) assert_true((p) != NULL)
#define assert_int_equal(a, b) assert_true((a) == (b))
#define assert_memory_equal(a, b, n) assert_true(memcmp(a, b, n) == 0)

#define cmocka_run_group_tests(tests, setup, teardown)                                   \
	cross_run(tests, sizeof(tests) / sizeof(tests[0]), setup, teardown)

static inline int cross_run(const struct CMUnitTest *tests, size_t n,
	int (*setup)(void **), int (*teardown)(void **))
{
	void *state = NULL;

	if (setup && setup(&state))
		return 1;
	for (size_t i = 0; i < n; i++) {
		tests[i].run(&state);
		printf("ok - %s\n", tests[i].name);
	}
	return teardown ? teardown(&state) : 0;
}

#endif
