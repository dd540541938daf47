/* Weights in a board's flash, on the host: the profile's lines, the board's word, the command, and
 * what fits nowhere. test_mcu_flash.c has the board. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>

#include "devices/flash.h"
#include "devices/transport/host_command.h"
#include "tests/unit/codegen_fixture.h"

#define GENOME(vocab)                                                                    \
	"enc;v=" vocab                                                                   \
	";t=12;d=64;e=64;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=1;"               \
	"rel=0;conv=0;opt=O2;kern=ref;L=h2k2x64f128r0b8"

static const struct task_shape task = {TASK_INTENT_SLOTS, 5, 7};

/* Profile */

static enum err load(const char *flash, struct device_profile *p, struct err_ctx *ctx)
{
	char path[4200], text[512];

	snprintf(path, sizeof(path), "%s/board.yaml", dir);
	snprintf(text, sizeof(text), "driver: serial\nport: /dev/x\n%s\n", flash);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), ERR_OK);
	memset(ctx, 0, sizeof(*ctx));
	return device_profile_load(p, path, ctx);
}

static void profile_says_where_weights_may_be(void **state)
{
	static const struct {
		const char *name, *write;
	} ours[] = {
		{"netduinoplus2", "probe"},
		{"nucleo-l4r5zi",
			"openocd -f board/st_nucleo_l4.cfg -c \"program {file} "},
		{"nrf52840-dk", "pyocd load --target nrf52840 "},
		{"pico2", "probe-rs download --chip RP235x "},
	};
	struct device_profile p;
	struct err_ctx ctx;

	(void)state;
	ASSERT_OK(
		load("flash: {base: 0x08010000, size: 65536, write: 'w {file} {address}'}",
			&p, &ctx),
		&ctx);
	assert_int_equal(p.flash.base, 0x08010000);
	assert_int_equal(p.flash.size, 65536);
	assert_string_equal(p.flash.write, "w {file} {address}");
	ASSERT_OK(load("flash: {base: 0, size: 0xffffffc0, write: '{address}{file}'}", &p,
			  &ctx),
		&ctx);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		ASSERT_OK(device_profile_load(&p, ours[i].name, &ctx), &ctx);
		assert_true(p.flash.size > 0);
		assert_memory_equal(p.flash.write, ours[i].write, strlen(ours[i].write));
	}
	ASSERT_OK(load("", &p, &ctx), &ctx);
	assert_int_equal(p.flash.size, 0);
}

static void profile_that_makes_no_sense_is_refused(void **state)
{
	static const struct {
		const char *flash, *why;
	} cases[] = {
		{"flash: 7", "'flash' is for driver 'serial', as {base: ADDRESS"},
		{"flash: {size: 64, write: probe}", "base"},
		{"flash: {base: 64, write: probe}", "size"},
		{"flash: {base: 64, size: 64}", "write"},
		{"flash: {base: 64, size: 64, wirte: x}", "wirte"},
		{"flash: {base: 0x0x, size: 64, write: x}", ":3:15: '0x0x' is no number"},
		{"flash: {base: -64, size: 64, write: x}", "is no number of 32 bits"},
		{"flash: {base: 0x100000000, size: 64, write: x}",
			"is no number of 32 bits"},
		{"flash: {base: 96, size: 64, write: x}",
			"'base' of 'flash' must be a multiple"},
		{"flash: {base: 64, size: 1, write: x}",
			"'size' of 'flash' must be a multiple"},
		{"flash: {base: 64, size: 0, write: x}", "'flash' is empty"},
		{"flash: {base: 64, size: 0xffffffc0, write: x}",
			"beyond the address space"},
		{"flash: {base: 64, size: 64, write: w {file}}", ":3:"},
		{"flash: {base: 64, size: 64, write: 'w {file}'}",
			"with {file} and {address}"},
		{"flash: {base: 64, size: 64, write: probe}", "is for emulators"},
		{"probe: lab:3333\nflash: {base: 64, size: 64, write: probe}",
			"is for emulators"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct device_profile p;
		struct err_ctx ctx;

		assert_int_not_equal(load(cases[i].flash, &p, &ctx), ERR_OK);
		if (!strstr(ctx.msg, cases[i].why))
			fail_msg("case %zu: %s", i, ctx.msg);
	}
}

static void board_has_to_let_images_read_it(void **state)
{
	static const struct {
		const char *readable;
		uint32_t base, size;
		const char *why;
	} cases[] = {
		{"readable: 08000000 00100000\n", 0x08010000, 0xf0000, NULL},
		{"readable: 08000000 00100000\n", 0x08020000, 0x1000, NULL},
		{"readable: 08000000 00100000\n", 0x08010000, 0xf0040, "lies elsewhere"},
		{"readable: 08000000 00100000\n", 0x0800ffc0, 0x1000, "lies elsewhere"},
		{"readable: 08000000 00100000\n", 0x07000000, 0x1000, "lies elsewhere"},
		{"readable: 08000000 00010000\n", 0x08010000, 0x40, "lies elsewhere"},
		{"readable: 08000000 00001000\n", 0x08010000, 0x40, "lies elsewhere"},
		{"readable: 08000000 zz\n", 0x08010000, 0x40, "does not say"},
		{"window: 20000000 00100000\n", 0x08010000, 0x40,
			"put the agent of this"},
		{"", 0, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct device_profile p = {.flash = {cases[i].base, cases[i].size, ""}};
		struct device_info info = {.simulated = 0};
		struct err_ctx ctx = {""};

		snprintf(info.description, sizeof(info.description), "%s",
			cases[i].readable);
		assert_int_equal(
			flash_check(&p, &info, &ctx), cases[i].why ? ERR_DEVICE : ERR_OK);
		if (cases[i].why && !strstr(ctx.msg, cases[i].why))
			fail_msg("case %zu: %s", i, ctx.msg);
	}
}

static void command_is_told_by_its_last_line(void **state)
{
	static const struct {
		const char *command, *why;
	} cases[] = {
		{"echo one; echo two >&2; echo; exit 3", "failed (exit code 3): two"},
		{"exit 1", "'exit 1' failed (exit code 1)"},
		{"no-such-flasher", "not found"},
		{"printf 'a\\033[1mb\\rlast'; exit 1", ": last"},
		{"kill -9 $$", "failed (exit code -1)"},
		{"echo waits; exec sleep 60", "does not end: waits"},
		{"yes | head -c 300000; echo end; exit 1", ": end"},
	};
	struct err_ctx ctx;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			host_command(cases[i].command, 1000, NULL, &ctx), ERR_TOOL);
		if (!strstr(ctx.msg, cases[i].why))
			fail_msg("case %zu: %s", i, ctx.msg);
	}
	assert_int_equal(
		host_command("exec >&- 2>&-; sleep 0.1", 5000, NULL, &ctx), ERR_OK);
	assert_int_equal(host_command("sleep 30 & exit 0", 5000, NULL, &ctx), ERR_OK);
}

static volatile int cancel;

static void on_alarm(int number)
{
	(void)number;
	cancel = 1;
}

/* Also a part of it that wants to go on. Each holds an end of the pipe, as long as it is there. */
static void command_ends_with_all_of_its_group_when_cancelled(void **state)
{
	static const char *const commands[] = {
		"exec sleep 600",
		"sleep 600 & wait",
		"trap '' TERM; sleep 600 & while :; do sleep 600; done",
		"(trap '' TERM; sleep 600; sleep 600) & wait",
	};
	const struct itimerval soon = {.it_value = {.tv_usec = 200000}};
	struct err_ctx ctx;

	(void)state;
	signal(SIGALRM, on_alarm);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int ends[2];
		struct pollfd p = {.events = POLLIN};

		assert_int_equal(pipe(ends), 0);
		assert_int_equal(fcntl(ends[0], F_SETFD, FD_CLOEXEC), 0);
		cancel = 0;
		assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
		assert_int_equal(
			host_command(commands[i], 300000, &cancel, &ctx), ERR_CANCELLED);
		if (!strstr(ctx.msg, "' was interrupted"))
			fail_msg("case %zu: %s", i, ctx.msg);
		close(ends[1]);
		p.fd = ends[0];
		if (poll(&p, 1, 5000) != 1)
			fail_msg("case %zu: part of it goes on", i);
		close(ends[0]);
	}
}

/* Before anything is compiled: no compiler is asked for. */
static void what_fits_nowhere_is_told_with_all_memories(void **state)
{
	static const struct {
		struct memories m;
		const char *why;
	} cases[] = {
		{{0, 0, 114688, 0, 0},
			"322444 bytes of weights and vocabulary and 24624 of working memory, "
			"the board's window for both has 114688 and its profile names no "
			"'flash' for weights"},
		{{0, 0, 114688, 300032, 0x08010000},
			"322444 bytes of weights and vocabulary, the board's RAM window has "
			"114688 for all and its flash for weights 300032; working memory of "
			"24624"},
		{{0, 0, 16384, 983040, 0x08010000}, "RAM window has 16384"},
		{{300000, 0, 114688, 983040, 0x08010000}, "does not fit its flash"},
	};
	const struct target target = {"no-such-gcc", "", "", "mcu"};
	struct artefact a;
	struct fixture f;
	int hit;

	(void)state;
	assert_int_equal(fixture_init(&f, GENOME("4000"), task), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err_ctx ctx = {""};

		f.in.memories = cases[i].m;
		assert_int_equal(
			codegen_build(&f.in, &target, dir, &a, &hit, &ctx), ERR_NO_FIT);
		if (!strstr(ctx.msg, cases[i].why))
			fail_msg("case %zu: %s", i, ctx.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(profile_says_where_weights_may_be),
		cmocka_unit_test(profile_that_makes_no_sense_is_refused),
		cmocka_unit_test(board_has_to_let_images_read_it),
		cmocka_unit_test(command_is_told_by_its_last_line),
		cmocka_unit_test(command_ends_with_all_of_its_group_when_cancelled),
		cmocka_unit_test(what_fits_nowhere_is_told_with_all_memories),
	};

	return cmocka_run_group_tests_name("flash", tests, make_dir, remove_dir);
}
