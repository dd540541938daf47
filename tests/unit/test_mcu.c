/* The agent of boards without an operating system, on emulated boards: payloads that
 * misbehave come back as a verdict that blames them, and the next one runs without a reset. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/handle.h"
#include "devices/transport/gdb_remote.h"
#include "devices/transport/transport.h"
#include "src/base/file.h"
#include "src/codegen/codegen.h"

static char folder[] = "/tmp/hawser-mcu-XXXXXX";

static const struct board {
	const char *name; /* of the profile */
	const char *cpu;
	uint32_t agent; /* a word of the agent's memory */
	int watchdog;	/* the emulator has it; of three kinds */
	int long_run;
	int keeps_code; /* through a reset, as what is written to a flash */
} boards[] = {
	{"mps2-an385", "-mcpu=cortex-m3", 0x20000010, 0, 0, 0},
	{"mps2-an386", "-mcpu=cortex-m4", 0x20000010, 1, 0, 0},
	{"mps2-an500", "-mcpu=cortex-m7", 0x20000010, 0, 0, 0},
	{"mps2-an505", "-mcpu=cortex-m33", 0x38000010, 1, 0, 0},
	{"mps3-an547", "-mcpu=cortex-m55", 0x31000010, 1, 0, 0},
	{"netduinoplus2", "-mcpu=cortex-m4", 0x20000010, 0, 1, 1},
	{"musca-b1", "-mcpu=cortex-m33", 0x30000010, 0, 0, 0},
};
#define N_BOARDS (sizeof(boards) / sizeof(boards[0]))

static const struct board *board; /* the one under test */
static struct device *device;

struct payload {
	char path[64];
	struct hash hash;
};

static uint32_t number_after(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	assert_non_null(at);
	return (uint32_t)strtoul(at + strlen(key), NULL, 16);
}

/* Base and size. */
static void find_window(uint32_t out[2])
{
	const char *text = device_info(device)->description;

	out[0] = number_after(text, "window: ");
	out[1] = (uint32_t)strtoul(strstr(text, "window: ") + 16, NULL, 16);
}

static int start(void **state)
{
	struct device_profile p;
	struct err_ctx ctx = {{0}};

	(void)state;
	if (device_profile_load(&p, board->name, &ctx)) {
		print_error("%s\n", ctx.msg);
		return -1;
	}
	p.timeout_ms = board->long_run ? 2000 : 300;
	if (device_open(&device, &p, &ctx)) {
		print_error("%s\n", ctx.msg);
		return -1;
	}
	return 0;
}

static int stop(void **state)
{
	(void)state;
	device_close(device);
	return 0;
}

/* Compiles tests/mcu/payload.c with a fault. */
static void make_payload(int fault, struct payload *p)
{
	char elf[64], define[16], agent[32], base[64], bytes[64], home[4096];
	const char *const cc[] = {"arm-none-eabi-gcc", board->cpu, "-mthumb", "-Os",
		"-std=c11", "-ffreestanding", "-nostdlib", "-I.", define, agent, base,
		bytes, "-T", "devices/boards/mcu/payload.ld", "tests/mcu/payload.c", "-o",
		elf, NULL};
	const char *const flatten[] = {
		"arm-none-eabi-objcopy", "-O", "binary", elf, p->path, NULL};
	struct err_ctx ctx = {{0}};
	struct buf image;
	uint32_t window[2];

	find_window(window);
	snprintf(base, sizeof(base), "-Wl,--defsym=WINDOW=0x%x", (unsigned)window[0]);
	snprintf(bytes, sizeof(bytes), "-Wl,--defsym=WINDOW_BYTES=0x%x",
		(unsigned)window[1]);
	snprintf(agent, sizeof(agent), "-DAGENT=0x%xu", (unsigned)board->agent);
	snprintf(define, sizeof(define), "-DFAULT=%d", fault);
	snprintf(elf, sizeof(elf), "%s/%d.elf", folder, fault);
	snprintf(p->path, sizeof(p->path), "%s/%d", folder, fault);
	assert_int_equal(file_home(home, sizeof(home), &ctx), ERR_OK);
	if (process_run_command(cc, home, 60, NULL, NULL, &ctx) ||
		process_run_command(flatten, home, 60, NULL, NULL, &ctx))
		fail_msg("%s", ctx.msg);
	buf_init(&image);
	assert_int_equal(file_read(p->path, 1 << 20, &image, &ctx), ERR_OK);
	hash_bytes(&p->hash, image.data, image.len);
	buf_release(&image);
}

/* Uploads and runs; the verdict, and its detail to `detail`. */
static enum verdict run(const struct payload *p, char detail[256])
{
	struct run_request rq = {.mode = RUN_GOLDEN, .image = p->hash};
	struct err_ctx ctx = {{0}};
	struct run_result r;
	enum verdict v;

	if (device_upload(device, p->path, &p->hash, &ctx) ||
		device_run(device, &rq, &r, &ctx))
		fail_msg("%s", ctx.msg);
	v = r.verdict;
	memcpy(detail, r.detail, sizeof(r.detail));
	run_result_release(&r);
	return v;
}

/* Where the program was, told by the core; the overflow of a stack leaves no frame. */
static void fault_names_its_place_and_the_next_payload_runs(void **state)
{
	static const struct {
		int fault;
		enum verdict verdict;
		int place;
	} cases[] = {
		{1, VERDICT_CRASH, 1},
		{2, VERDICT_CRASH, 1},
		{3, VERDICT_CRASH, 1},
		{4, VERDICT_CRASH, 0},
		{5, VERDICT_TIMEOUT, 1},
		{6, VERDICT_TIMEOUT, 1},
		{7, VERDICT_CRASH, 1},
		{8, VERDICT_EXIT, 0},
		{9, VERDICT_EXIT, 0},
	};
	struct payload bad, good;
	char detail[256];
	uint32_t window[2];

	(void)state;
	find_window(window);
	make_payload(0, &good);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum verdict v;

		make_payload(cases[i].fault, &bad);
		v = run(&bad, detail);
		if (v != cases[i].verdict)
			fail_msg("%s: fault %d: %s: %s", board->name, cases[i].fault,
				verdict_names[v], detail);
		if (cases[i].place)
			assert_true(number_after(detail, "pc ") - window[0] < 4096);
		assert_int_equal(run(&good, detail), VERDICT_EXIT);
		assert_int_equal(number_after(detail, "exit code "), 0x42);
	}
	/* All that without a reset: the boot is still the first. */
	assert_int_equal(device_info(device)->boots, 1);
	assert_int_equal(device_recover(device, NULL), ERR_OK);
	assert_int_equal(device_info(device)->boots, 1);
}

/* Its bytes are no longer those of its hash: it is sent again before it runs again. */
static void payload_that_wrote_over_itself_is_sent_again(void **state)
{
	struct payload bad;
	char detail[256];

	(void)state;
	make_payload(10, &bad);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run(&bad, detail), VERDICT_EXIT);
		assert_int_equal(number_after(detail, "exit code "), 0x42);
	}
}

/* The stack is painted, and what is gone of the paint was used. */
static void run_tells_how_deep_its_stack_was(void **state)
{
	struct run_request rq = {.mode = RUN_GOLDEN};
	struct err_ctx ctx = {{0}};
	struct payload p;
	struct run_result r;
	uint32_t deep[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		make_payload(i ? 11 : 0, &p);
		rq.image = p.hash;
		if (device_upload(device, p.path, &p.hash, &ctx) ||
			device_run(device, &rq, &r, &ctx))
			fail_msg("%s", ctx.msg);
		assert_int_equal(r.verdict, VERDICT_EXIT);
		deep[i] = r.run.stack_bytes;
		run_result_release(&r);
	}
	assert_in_range(deep[0], 16, 400); /* the frame of an exception, at least */
	assert_in_range(deep[1], 3000, 3200);
}

/* Each run takes the same ticks, whatever this host does and after a new start too.
 * HAWSER_MCU_RUNS: how many instead of a few. */
static void same_payload_takes_the_same_ticks(void **state)
{
	const char *wanted = getenv("HAWSER_MCU_RUNS");
	int n = wanted ? atoi(wanted) : 24;
	char first[256] = "", detail[256];
	struct payload p;

	/* On that board the long one takes several turns of the clock, and BEATs. */
	make_payload(board->long_run ? 13 : 12, &p);
	for (int i = 0; i < n; i++) {
		if (i && i % (n / 3) == 0) {
			stop(state);
			assert_int_equal(start(state), 0);
		}
		assert_int_equal(run(&p, detail), VERDICT_EXIT);
		if (!i)
			memcpy(first, detail, sizeof(first));
		if (strcmp(first, detail) != 0)
			fail_msg(
				"%s: run %d: %s after %s", board->name, i, detail, first);
	}
}

/* Address of a function of the running firmware. */
static uint32_t find_symbol(const char *name)
{
	char command[512], line[256], exe[256], want[64];
	uint32_t at = 0;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	FILE *f;

	assert_true(n > 0);
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	snprintf(command, sizeof(command), "arm-none-eabi-nm '%s/../hawser-agent-%s.elf'",
		exe, board->name);
	snprintf(want, sizeof(want), " %s\n", name);
	f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, want))
			at = (uint32_t)strtoul(line, NULL, 16);
	assert_int_equal(pclose(f), 0);
	assert_int_not_equal(at, 0);
	return at;
}

/* The agent executes these four bytes next, with each frame that comes. */
static void break_agent(const uint8_t *code)
{
	struct err_ctx ctx = {{0}};
	struct gdb_remote *g;
	enum err e = gdb_remote_open(&g, device->link.t->probe, &ctx);

	if (!e)
		e = gdb_remote_write(g, find_symbol("crc32_update"), code, 4, &ctx);
	if (e || gdb_remote_close(g, &ctx))
		fail_msg("%s", ctx.msg);
}

static void is_reset(const uint8_t *code, const char *reason)
{
	struct run_request rq = {.mode = RUN_GOLDEN};
	struct err_ctx ctx = {{0}};
	struct payload good;
	struct run_result r;
	char detail[256];
	uint32_t boots = device_info(device)->boots;

	make_payload(0, &good);
	assert_int_equal(run(&good, detail), VERDICT_EXIT);
	break_agent(code);
	rq.image = good.hash;
	assert_int_equal(device_run(device, &rq, &r, &ctx), ERR_OK);
	if (r.verdict != VERDICT_DEVICE_LOST)
		fail_msg("%s: verdict %d: %s", board->name, (int)r.verdict, r.detail);
	run_result_release(&r);
	if (device_recover(device, &ctx))
		fail_msg("%s", ctx.msg);
	assert_int_equal(device_info(device)->boots, boots + 1);
	if (!strstr(device_info(device)->reset, reason))
		fail_msg("%s: '%s', not '%s'", board->name, device_info(device)->reset,
			reason);
	assert_int_equal(run(&good, detail), VERDICT_EXIT);
}

static void hung_agent_is_reset_by_its_watchdog(void **state)
{
	static const uint8_t code[] = {0x72, 0xb6, 0xfe, 0xe7}; /* cpsid i; b . */

	(void)state;
	if (board->watchdog)
		is_reset(code, "its watchdog bit");
}

static void agent_that_fails_resets_itself(void **state)
{
	static const uint8_t code[] = {0x00, 0xde, 0x00, 0xde}; /* udf 0 */

	(void)state;
	if (!board->keeps_code) /* else it would fail for ever */
		is_reset(code, "the agent itself failed");
}

static int is_there(const char *program)
{
	const char *const argv[] = {program, "--version", NULL};

	return process_run_command(argv, NULL, 30, NULL, NULL, NULL) == ERR_OK;
}

int main(void)
{
	int failed = 0;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fault_names_its_place_and_the_next_payload_runs),
		cmocka_unit_test(payload_that_wrote_over_itself_is_sent_again),
		cmocka_unit_test(run_tells_how_deep_its_stack_was),
		cmocka_unit_test(same_payload_takes_the_same_ticks),
		cmocka_unit_test(hung_agent_is_reset_by_its_watchdog),
		cmocka_unit_test(agent_that_fails_resets_itself),
	};

	if (!is_there("qemu-system-arm") || !is_there("arm-none-eabi-gcc")) {
		printf("SKIP: no qemu-system-arm or no arm-none-eabi-gcc\n");
		return 0;
	}
	if (!mkdtemp(folder))
		return 1;
	for (board = boards; board < boards + N_BOARDS; board++)
		failed += cmocka_run_group_tests_name(board->name, tests, start, stop);
	file_remove_tree(folder, NULL);
	return failed;
}
