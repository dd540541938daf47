/* Devices' states and first latencies in the store. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/store/store.h"
#include "tests/unit/store_fixture.h"

#define assert_ok(call) assert_int_equal((call), ERR_OK)

struct box {
	char dir[256], db[300];
	struct store *s;
};

static int setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	fixture_dir(b->dir, sizeof(b->dir));
	snprintf(b->db, sizeof(b->db), "%s/h.db", b->dir);
	assert_ok(store_open(&b->s, b->db, STORE_WRITE, NULL));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	store_close(b->s);
	assert_ok(file_remove_tree(b->dir, NULL));
	free(b);
	return 0;
}

static void states_are_replaced_by_name_and_read_by_others(void **state)
{
	struct box *b = *state;
	struct store_device_state pi = {.name = "pi",
		.state = DEVICE_LEASED,
		.job = "night",
		.seen_s = 100,
		.temp_mc = -2500};
	struct store_device_state nano = {.name = "nano", .temp_mc = INT32_MIN}, *list;
	struct store_device_state nameless = {.name = ""};
	struct store *reader;
	struct err_ctx ctx;
	int64_t since;
	size_t n;

	assert_ok(store_put_device_state(b->s, &pi, NULL));
	assert_ok(store_put_device_state(b->s, &nano, NULL));
	assert_int_equal(store_put_device_state(b->s, &nameless, &ctx), ERR_INVALID);
	assert_ok(store_list_device_states(b->s, &list, &n, NULL));
	assert_int_equal(n, 2);
	assert_string_equal(list[0].name, "nano");
	assert_int_equal(list[0].pid, 0); /* idle: nobody's */
	assert_int_equal(list[0].temp_mc, INT32_MIN);
	assert_int_equal(list[1].pid, getpid());
	assert_int_equal(list[1].temp_mc, -2500);
	assert_string_equal(list[1].job, "night");
	since = list[1].since_s;
	assert_true(since > 0);
	free(list);

	/* what was seen later stays seen */
	pi.state = DEVICE_QUARANTINED;
	pi.seen_s = 50;
	pi.n_recoveries = 3;
	snprintf(pi.reason, sizeof(pi.reason), "it is gone");
	assert_ok(store_put_device_state(b->s, &pi, NULL));
	assert_ok(store_open(&reader, b->db, STORE_READ, NULL));
	assert_ok(store_list_device_states(reader, &list, &n, NULL));
	assert_int_equal(n, 2);
	assert_int_equal(list[1].state, DEVICE_QUARANTINED);
	assert_string_equal(list[1].reason, "it is gone");
	assert_int_equal(list[1].seen_s, 100);
	assert_int_equal(list[1].n_recoveries, 3);
	assert_true(list[1].since_s >= since);
	free(list);
	store_close(reader);
}

static void latencies_of_a_build_on_a_device_are_replaced(void **state)
{
	static const double first[] = {1500}, later[] = {900, 1000, 1500},
			    bad[] = {1, NAN};
	struct box *b = *state;
	struct hash pi, nano, build;
	struct err_ctx ctx;
	double got[STORE_HEALTH_CHECKS];
	size_t n = 9;

	fixture_hash(&pi, "device", 1);
	fixture_hash(&nano, "device", 2);
	fixture_hash(&build, "build", 1);
	assert_ok(store_get_health(b->s, &pi, &build, got, &n, NULL));
	assert_int_equal(n, 0);
	assert_ok(store_put_health(b->s, &pi, &build, first, 1, NULL));
	assert_ok(store_put_health(b->s, &nano, &build, first, 1, NULL));
	assert_ok(store_put_health(b->s, &pi, &build, later, 3, NULL));
	assert_int_equal(store_put_health(b->s, &pi, &build, bad, 2, &ctx), ERR_INVALID);
	assert_ok(store_get_health(b->s, &pi, &build, got, &n, NULL));
	assert_int_equal(n, 3);
	assert_memory_equal(got, later, sizeof(later));
	assert_ok(store_get_health(b->s, &nano, &build, got, &n, NULL));
	assert_int_equal(n, 1);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(states_are_replaced_by_name_and_read_by_others),
		WITH(latencies_of_a_build_on_a_device_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
