/* The ways of an image into an emulated board: by its debugger, over its UART, and only what
 * differs; and what happens when the one that was wanted does not work. */
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "devices/handle.h"
#include "src/base/rng.h"
#include "tests/unit/mcu_board.h"

#define PAD 60000
#define LONG_PAD (12 << 20)

static uint8_t pad[LONG_PAD];

static void fill(uint64_t seed, size_t at, size_t len)
{
	struct rng rng;

	rng_init(&rng, seed);
	for (size_t i = at; i < at + len; i++)
		pad[i] = (uint8_t)rng_below(&rng, 256);
}

/* Bytes on the line for one upload and its run. */
static uint64_t send_and_run(struct device *d, const struct payload *p)
{
	uint64_t before = d->link.sent;

	mcu_upload(d, p);
	mcu_run_well(d, p);
	return d->link.sent - before;
}

/* What was sent over the line is the requests alone. */
static void send_by_probe(struct device *d, unsigned seed, const char *name, size_t n)
{
	struct payload a;

	fill(seed, 0, n);
	mcu_payload(&a, name, 0, pad, n);
	assert_true(send_and_run(d, &a) < 1000);
	assert_string_equal(device_upload_note(d), "");
}

static void image_goes_by_the_debugger_of_the_emulator(void **state)
{
	struct device *d = mcu_open("");

	(void)state;
	send_by_probe(d, 1, "probed", PAD);
	device_close(d);
}

/* None of them counts as a failure of the probe. */
static void inputs_go_by_the_debugger_as_well(void **state)
{
	struct device *d = mcu_open("");
	uint64_t before;

	(void)state;
	fill(6, 0, PAD);
	before = d->link.sent;
	for (size_t i = 0; i < 6; i++) {
		const struct run_request rq = {.input = pad + i, .input_len = 20000};
		struct err_ctx ctx = {{0}};
		struct hash hash;

		hash_bytes(&hash, rq.input, rq.input_len);
		if (upload_input(d, &rq, &hash, &ctx) != ERR_OK)
			fail_msg("%s", ctx.msg);
	}
	assert_true(d->link.sent - before < 6 * 500);
	device_close(d);
}

static void image_goes_over_the_line_where_the_probe_is_not_there(void **state)
{
	struct device *d = mcu_open("/nowhere/gdb");
	const char *note;
	struct payload a;

	(void)state;
	mcu_payload(&a, "unprobed", 0, pad, 3000);
	assert_true(send_and_run(d, &a) > 3000);
	note = device_upload_note(d);
	assert_non_null(strstr(note, "'/nowhere/gdb' cannot be reached"));
	assert_non_null(strstr(note, "images go over the serial line"));
	assert_string_equal(device_upload_note(d), "");
	device_close(d);
}

static void only_what_differs_goes_over_the_line(void **state)
{
	struct device *d = mcu_open("none");
	struct payload a, b;

	(void)state;
	fill(2, 0, PAD);
	mcu_payload(&a, "first", 0, pad, 20000);
	assert_true(send_and_run(d, &a) > 20000);
	memmove(pad + 9000, pad + 8000, 12000);
	fill(3, 8000, 1000);
	mcu_payload(&b, "second", 0, pad, 21000);
	assert_in_range(send_and_run(d, &b), 1000, 2500);
	assert_true(send_and_run(d, &a) < 2500);
	device_close(d);
}

/* A program that writes over itself spoils what is copied: the hash tells. */
static void image_that_was_written_over_is_not_copied(void **state)
{
	struct device *d = mcu_open("none");
	struct payload a, b;
	char detail[256];

	(void)state;
	fill(4, 0, PAD);
	mcu_payload(&a, "spoilt", 10, pad, 6000);
	mcu_payload(&b, "after", 0, pad, 6000);
	mcu_upload(d, &a);
	assert_int_equal(mcu_run(d, &a, detail), VERDICT_EXIT);
	send_and_run(d, &b);
	device_close(d);
}

/* Copying, checking and moving it each take more than the watchdog's 3 s of the board's time,
 * and so does checking it again before the run. */
static void image_that_takes_long_to_check_does_not_wake_the_watchdog(void **state)
{
	struct device *d = mcu_open("");

	(void)state;
	send_by_probe(d, 7, "long", LONG_PAD);
	assert_int_equal(device_info(d)->boots, 1);
	device_close(d);
}

/* A GDB server whose answers are all there before it is asked. */
static pid_t serve(const char *path, const char *says)
{
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), one;
	char byte;
	pid_t pid;

	snprintf(u.sun_path, sizeof(u.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&u, sizeof(u)), 0);
	assert_int_equal(listen(fd, 4), 0);
	pid = fork();
	if (pid == 0) {
		while ((one = accept(fd, NULL, NULL)) >= 0) {
			if (write(one, says, strlen(says)) > 0)
				while (read(one, &byte, 1) > 0)
					;
			close(one);
		}
		_exit(0);
	}
	close(fd);
	return pid;
}

static void probe_that_lies_or_is_on_another_board_is_told(void **state)
{
	/* What it can do, no X, its CPUID, a stop. */
	static const struct {
		const char *says, *why;
	} cases[] = {
		{"+$#00+$#00+$#00+$7122d60f#fc+$OK#9a+$OK#9a", "is on another board"},
		/* Takes everything, keeps nothing: the agent's hash tells. */
		{"+$#00+$#00+$#00+$40c20f41#f4"
		 "+$OK#9a+$OK#9a+$OK#9a+$OK#9a+$OK#9a+$OK#9a+$OK#9a+$OK#9a+$OK#9a+$OK#9a",
			""},
		{"+$#00+$#00+$#00+$40c20f41#f4+$E0e#da+$OK#9a+$OK#9a",
			"cannot write memory"},
		{"SSH-2.0-OpenSSH_9.2\r\n+$E#45+$E#45+$E#45+$E#45", "cannot read memory"},
	};

	(void)state;
	fill(5, 0, PAD);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[90], name[16];
		const char *note;
		struct payload a;
		struct device *d;
		pid_t pid;

		snprintf(name, sizeof(name), "lie%zu", i);
		snprintf(path, sizeof(path), "%s/%s.gdb", mcu_folder, name);
		pid = serve(path, cases[i].says);
		d = mcu_open(path);
		mcu_payload(&a, name, 0, pad + 10 * i, 3000);
		assert_true(send_and_run(d, &a) > 3000);
		note = device_upload_note(d);
		if (!strstr(note, cases[i].why))
			fail_msg("case %zu: %s", i, note);
		device_close(d);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* Of the board that is the state. */
static int setup(void **state)
{
	mcu_board = *state;
	return mcu_setup(state);
}

#define ON(board, test)                                                                  \
	{                                                                                \
#test " " #board, test, setup, mcu_teardown,                             \
			(void *)(uintptr_t)&mcu_boards[board]                            \
	}
#define ON_ALL(test) ON(0, test), ON(1, test), ON(2, test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ALL(image_goes_by_the_debugger_of_the_emulator),
		ON(0, inputs_go_by_the_debugger_as_well),
		ON(0, image_goes_over_the_line_where_the_probe_is_not_there),
		ON_ALL(only_what_differs_goes_over_the_line),
		ON(0, image_that_was_written_over_is_not_copied),
		ON(0, image_that_takes_long_to_check_does_not_wake_the_watchdog),
		ON(0, probe_that_lies_or_is_on_another_board_is_told),
	};

	if (!mcu_has_tools())
		return 0;
	return cmocka_run_group_tests_name("mcu upload", tests, NULL, NULL);
}
