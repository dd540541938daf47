/* The serial line, on a pseudo-terminal. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/transport/serial_rate.h"
#include "devices/transport/transport.h"

struct line {
	int master;
	char path[64];
};

static int open_line(void **state)
{
	static struct line l;
	const char *name;

	l.master = posix_openpt(O_RDWR | O_NOCTTY);
	if (l.master < 0 || grantpt(l.master) || unlockpt(l.master) ||
		!(name = ptsname(l.master))) {
		print_message("SKIP: no pseudo-terminal here\n");
		return -1;
	}
	strncpy(l.path, name, sizeof(l.path) - 1);
	*state = &l;
	return 0;
}

static int close_line(void **state)
{
	struct line *l = *state;

	if (l->master >= 0)
		close(l->master);
	return 0;
}

static void serial_carries_every_byte_as_it_is(void **state)
{
	struct line *l = *state;
	struct err_ctx ctx = {{0}};
	uint8_t sent[256], got[256];
	struct transport *t;
	size_t n, have = 0;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)i;
	assert_int_equal(transport_serial_open(&t, l->path, 115200, &ctx), ERR_OK);
	assert_int_equal(t->ops->write(t, sent, sizeof(sent), 1000, &ctx), ERR_OK);
	while (have < sizeof(got)) {
		ssize_t k = read(l->master, got + have, sizeof(got) - have);

		assert_true(k > 0);
		have += (size_t)k;
	}
	assert_memory_equal(sent, got, sizeof(sent));
	assert_int_equal(write(l->master, sent, sizeof(sent)), (ssize_t)sizeof(sent));
	for (have = 0; have < sizeof(got); have += n)
		assert_int_equal(
			t->ops->read(t, got + have, sizeof(got) - have, 1000, &n, &ctx),
			ERR_OK);
	assert_memory_equal(sent, got, sizeof(sent));
	assert_int_equal(t->ops->read(t, got, sizeof(got), 10, &n, &ctx), ERR_TIMEOUT);
	t->ops->close(t);
}

/* Also those without a name of the system's. */
static void serial_takes_any_rate(void **state)
{
	static const uint32_t rates[] = {300, 115200, 3686400, 3864000, 4000000};
	struct line *l = *state;
	struct err_ctx ctx = {{0}};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct transport *t;
		uint32_t taken = 0;

		assert_int_equal(
			transport_serial_open(&t, l->path, rates[i], &ctx), ERR_OK);
		assert_int_equal(serial_rate_get(l->master, &taken), 0);
		assert_int_equal(taken, rates[i]);
		t->ops->close(t);
	}
}

static void serial_is_for_one_controller(void **state)
{
	struct line *l = *state;
	struct transport *t, *other;
	struct err_ctx ctx = {{0}};
	char holder[64];

	assert_int_equal(transport_serial_open(&t, l->path, 9600, &ctx), ERR_OK);
	assert_int_equal(transport_serial_open(&other, l->path, 9600, &ctx), ERR_DEVICE);
	snprintf(holder, sizeof(holder), "is in use by test_serial (pid %d)",
		(int)getpid());
	assert_non_null(strstr(ctx.msg, holder));
	t->ops->close(t);
	assert_int_equal(transport_serial_open(&t, l->path, 9600, &ctx), ERR_OK);
	t->ops->close(t);
}

static void serial_that_is_unplugged_is_a_lost_link(void **state)
{
	struct line *l = *state;
	struct transport *t;
	struct err_ctx ctx = {{0}};
	uint8_t b[8];
	size_t n;

	assert_int_equal(transport_serial_open(&t, l->path, 115200, &ctx), ERR_OK);
	close(l->master);
	l->master = -1;
	assert_int_equal(t->ops->read(t, b, sizeof(b), 1000, &n, &ctx), ERR_LINK);
	assert_int_equal(t->ops->read(t, b, sizeof(b), 1000, &n, &ctx), ERR_LINK);
	assert_int_equal(t->ops->write(t, b, sizeof(b), 1000, &ctx), ERR_LINK);
	t->ops->close(t);
}

static void serial_says_why_it_cannot_be_had(void **state)
{
	struct line *l = *state;
	struct transport *t;
	struct err_ctx ctx = {{0}};

	assert_int_equal(transport_serial_open(&t, l->path, 12, &ctx), ERR_USAGE);
	assert_non_null(strstr(ctx.msg, "12 baud"));
	assert_int_equal(
		transport_serial_open(&t, "/dev/no-such-line", 9600, &ctx), ERR_DEVICE);
	assert_non_null(strstr(ctx.msg, "no serial line '/dev/no-such-line'"));
	assert_int_equal(transport_serial_open(&t, "/dev/null", 9600, &ctx), ERR_DEVICE);
	assert_non_null(strstr(ctx.msg, "is not a serial line"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			serial_carries_every_byte_as_it_is, open_line, close_line),
		cmocka_unit_test_setup_teardown(
			serial_takes_any_rate, open_line, close_line),
		cmocka_unit_test_setup_teardown(
			serial_is_for_one_controller, open_line, close_line),
		cmocka_unit_test_setup_teardown(
			serial_that_is_unplugged_is_a_lost_link, open_line, close_line),
		cmocka_unit_test_setup_teardown(
			serial_says_why_it_cannot_be_had, open_line, close_line),
	};

	return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}
