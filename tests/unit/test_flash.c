/* Weights in a board's flash: the profile's line, what fits nowhere, and on an emulated board
 * every way in which the flash may not hold what the image wants. */
#include "tests/unit/mcu_board.h"

#include "devices/flash.h"
#include "devices/transport/host_command.h"
#include "src/eval/device_target.h"
#include "src/measure/measure.h"
#include "tests/unit/codegen_fixture.h"

#define GENOME(vocab)                                                                    \
	"enc;v=" vocab                                                                   \
	";t=12;d=64;e=64;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=1;"               \
	"rel=0;conv=0;opt=O2;kern=ref;L=h2k2x64f128r0b8"

static const char small_network[] =
	"enc;v=60;t=12;d=32;e=32;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=1;rel=0;"
	"conv=0;opt=O2;kern=ref;L=h2k2x16f48r0b8";
static const struct task_shape task = {TASK_INTENT_SLOTS, 5, 7};

/* Profile */

static enum err load(const char *flash, struct device_profile *p, struct err_ctx *ctx)
{
	char path[128], text[512];

	snprintf(path, sizeof(path), "%s/board.yaml", mcu_folder);
	snprintf(text, sizeof(text), "driver: serial\nport: /dev/x\n%s\n", flash);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), ERR_OK);
	memset(ctx, 0, sizeof(*ctx));
	return device_profile_load(p, path, ctx);
}

static void profile_says_where_weights_may_be(void **state)
{
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
	ASSERT_OK(
		load("probe: lab:3333\nflash: {base: 0, size: 0xffffffc0, write: probe}",
			&p, &ctx),
		&ctx);
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
		{"flash: {base: 64, size: 64, write: probe}", "needs a debug probe"},
		{"probe: none\nflash: {base: 64, size: 64, write: probe}",
			"needs a debug probe"},
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
		assert_int_equal(host_command(cases[i].command, 1000, &ctx), ERR_TOOL);
		if (!strstr(ctx.msg, cases[i].why))
			fail_msg("case %zu: %s", i, ctx.msg);
	}
	assert_int_equal(host_command("exec >&- 2>&-; sleep 0.1", 5000, &ctx), ERR_OK);
	assert_int_equal(host_command("sleep 30 & exit 0", 5000, &ctx), ERR_OK);
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
			codegen_build(&f.in, &target, mcu_folder, &a, &hit, &ctx),
			ERR_NO_FIT);
		if (!strstr(ctx.msg, cases[i].why))
			fail_msg("case %zu: %s", i, ctx.msg);
	}
}

/* On the board */

static struct device *start(const char *emulator)
{
	struct device *d = NULL;
	struct device_profile p;
	struct err_ctx ctx = {""};

	ASSERT_OK(device_profile_load(&p, "netduinoplus2", &ctx), &ctx);
	if (emulator)
		snprintf(p.emulator, sizeof(p.emulator), "%s", emulator);
	ASSERT_OK(device_open(&d, &p, &ctx), &ctx);
	return d;
}

static void build(const struct device *d, const char *genome, struct artefact *a)
{
	struct device_target t;
	struct fixture f;
	struct err_ctx ctx = {""};
	int hit;

	assert_int_equal(fixture_init(&f, genome, task), 0);
	ASSERT_OK(device_target(&t, d, &ctx), &ctx);
	f.in.memories = t.memories;
	ASSERT_OK(codegen_build(&f.in, &t.target, mcu_folder, a, &hit, &ctx), &ctx);
}

static enum verdict run(
	struct device *d, const struct artefact *a, double *count, char detail[256])
{
	const struct run_request rq = {
		.mode = RUN_TIME, .image = a->image, .n_samples = 1};
	struct run_result r;
	struct err_ctx ctx = {""};
	enum verdict v;

	ASSERT_OK(device_upload(d, a->path, &a->image, &ctx), &ctx);
	ASSERT_OK(device_run(d, &rq, &r, &ctx), &ctx);
	v = r.verdict;
	*count = r.run.instructions;
	memcpy(detail, r.detail, sizeof(r.detail));
	run_result_release(&r);
	return v;
}

static double run_well(struct device *d, const struct artefact *a)
{
	char detail[256];
	double count;

	if (run(d, a, &count, detail) != VERDICT_OK)
		fail_msg("%s", detail);
	assert_true(count > 10000);
	return count;
}

static void loses_device(struct device *d, const struct artefact *a, const char *why)
{
	char detail[256];
	double count;

	assert_int_equal(run(d, a, &count, detail), VERDICT_DEVICE_LOST);
	if (!strstr(detail, why))
		fail_msg("%s", detail);
	assert_true(count == 0);
}

static void use(struct device *d, const char *write)
{
	snprintf(d->profile.flash.write, sizeof(d->profile.flash.write), "%s", write);
}

/* What somebody else wrote there since. */
static void spoil(struct device *d, const struct artefact *a)
{
	const uint8_t other[4] = {0xde, 0xad, 0xbe, 0xef};
	struct err_ctx ctx = {""};

	ASSERT_OK(probe_write(d, d->profile.flash.base + a->placed_bytes / 2, other,
			  sizeof(other), &ctx),
		&ctx);
}

static void weights_that_ram_cannot_hold_run_from_flash(void **state)
{
	struct artefact a, b, small;
	struct device *d = start(NULL);
	double first, second;

	(void)state;
	build(d, GENOME("4000"), &a);
	build(d, GENOME("3000"), &b);
	build(d, small_network, &small);
	assert_true(a.placed_bytes > 300000 && a.image_bytes < 114688);
	assert_true(b.placed_bytes > 200000);
	assert_int_equal(small.placed_bytes, 0);
	first = run_well(d, &a);
	run_well(d, &small);
	second = run_well(d, &b);
	assert_true(run_well(d, &a) == first);
	assert_true(run_well(d, &b) == second);
	assert_int_equal(device_info(d)->boots, 1);
	device_close(d);
	d = start(NULL); /* empty again */
	assert_true(run_well(d, &a) == first);
	device_close(d);
}

/* The plan lets it into the window; code and golden data are too much. */
static void what_is_too_large_when_linked_moves_too(void **state)
{
	struct artefact a, again;
	struct device *d = start(NULL);

	(void)state;
	build(d, GENOME("200"), &a);
	assert_true(a.weight_bytes + a.arena_bytes < 114688);
	assert_true(a.placed_bytes > 0);
	run_well(d, &a);
	build(d, GENOME("200"), &again);
	assert_true(hash_equal(&a.build, &again.build));
	device_close(d);
}

static void flash_that_was_changed_is_written_again(void **state)
{
	struct artefact a;
	struct device *d = start(NULL);
	double first;

	(void)state;
	build(d, GENOME("4000"), &a);
	first = run_well(d, &a);
	spoil(d, &a);
	assert_true(run_well(d, &a) == first);
	spoil(d, &a);
	use(d, "true {file} {address}"); /* says that it did, and did not */
	loses_device(d, &a, "flash does not keep what is written there");
	use(d, "probe");
	assert_true(run_well(d, &a) == first);
	device_close(d);
}

static void command_that_fails_is_the_devices_fault(void **state)
{
	struct artefact a;
	struct device *d = start(NULL);

	(void)state;
	build(d, GENOME("4000"), &a);
	use(d, "echo {file} {address}; echo Error: no device found >&2; exit 3");
	loses_device(d, &a, "failed (exit code 3): Error: no device found");
	use(d, "no-such-flasher {file} {address}");
	loses_device(d, &a, "its flash is not written");
	loses_device(d, &a, "not found");
	use(d, "probe");
	run_well(d, &a);
	device_close(d);
}

static void file_that_is_not_the_images_is_not_written(void **state)
{
	struct artefact a;
	struct device *d = start(NULL);
	struct err_ctx ctx = {""};
	char path[4200];
	struct run_request rq = {.mode = RUN_GOLDEN};
	struct run_result r;

	(void)state;
	build(d, GENOME("4000"), &a);
	snprintf(path, sizeof(path), "%.*s/flash.bin",
		(int)(strrchr(a.path, '/') - a.path), a.path);
	assert_int_equal(file_write_atomic(path, "other", 5, 0644, &ctx), ERR_OK);
	rq.image = a.image;
	ASSERT_OK(device_upload(d, a.path, &a.image, &ctx), &ctx);
	assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "is not what the image beside it wants"));
	build(d, GENOME("4000"), &a); /* the cache sees it, and makes it anew */
	run_well(d, &a);
	device_close(d);
}

/* A board whose tool resets it: here it starts another emulator with the file in its flash, and
 * notes that. `cut`: the first time it is interrupted. */
static struct device *start_with_tool(int cut)
{
	char emulator[512], write[512], flash[88];
	const uint8_t empty[64] = {0};
	struct device *d;

	snprintf(flash, sizeof(flash), "%s/flash", mcu_folder);
	assert_int_equal(
		file_write_atomic(flash, empty, sizeof(empty), 0600, NULL), ERR_OK);
	snprintf(emulator, sizeof(emulator),
		"qemu-system-arm -M netduinoplus2 -icount shift=6,sleep=off -pidfile %s/pid "
		"-device loader,file=%s,addr=0x08010000,force-raw=on",
		mcu_folder, flash);
	d = start(emulator);
	snprintf(write, sizeof(write),
		"cd %s; echo {address} {size} >>log; if [ $(wc -l <log) = %d ]; "
		"then head -c 1000 {file} >flash; else cp {file} flash; fi; "
		"kill $(cat pid)",
		mcu_folder, cut);
	use(d, write);
	return d;
}

/* What the tool was called with, since the last look. */
static void was_written(const struct artefact *const *a, size_t n)
{
	char path[88], want[256] = "";
	struct buf log;

	for (size_t i = 0; i < n; i++)
		snprintf(want + strlen(want), sizeof(want) - strlen(want),
			"0x08010000 %u\n", (unsigned)a[i]->placed_bytes);
	snprintf(path, sizeof(path), "%s/log", mcu_folder);
	buf_init(&log);
	assert_int_equal(file_read(path, 1000, &log, NULL), ERR_OK);
	assert_string_equal(buf_str(&log), want);
	buf_release(&log);
	assert_int_equal(unlink(path), 0);
}

static void command_that_is_interrupted_is_repeated(void **state)
{
	struct device *d = start_with_tool(1);
	struct artefact a;
	const struct artefact *const writes[] = {&a, &a};

	(void)state;
	build(d, GENOME("4000"), &a);
	run_well(d, &a);
	run_well(d, &a);
	device_close(d);
	was_written(writes, 2);
}

/* Whatever the number of processes: flash wears off. */
static void measuring_writes_each_build_once(void **state)
{
	struct device *d = start_with_tool(0);
	struct artefact a, b, small;
	const struct artefact *const writes[] = {&a, &b};
	struct measure_job jobs[3] = {
		{.artefact = &a}, {.artefact = &small}, {.artefact = &b}};
	struct measure_options o;
	struct err_ctx ctx = {""};

	(void)state;
	build(d, GENOME("4000"), &a);
	build(d, GENOME("3000"), &b);
	build(d, small_network, &small);
	measure_options_default(&o);
	ASSERT_OK(measure_run(d, NULL, jobs, 3, &o, NULL, NULL, NULL, NULL, &ctx), &ctx);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(jobs[i].verdict, VERDICT_OK);
		assert_true(jobs[i].m.n_runs >= 2 && jobs[i].m.resolved);
		measurement_release(&jobs[i].m);
	}
	device_close(d);
	was_written(writes, 2);
}

static void flash_is_only_read_by_payloads(void **state)
{
	struct payload bad, good;
	struct device *d;
	char detail[256];

	(void)state;
	mcu_board = &mcu_boards[2];
	d = mcu_open("");
	mcu_payload(&bad, "bad", 14, "", 0);
	mcu_payload(&good, "good", 0, "", 0);
	mcu_upload(d, &bad);
	assert_int_equal(mcu_run(d, &bad, detail), VERDICT_CRASH);
	assert_non_null(strstr(detail, "address 08020000"));
	mcu_upload(d, &good);
	mcu_run_well(d, &good);
	device_close(d);
}

int main(void)
{
	const struct CMUnitTest here[] = {
		cmocka_unit_test(profile_says_where_weights_may_be),
		cmocka_unit_test(profile_that_makes_no_sense_is_refused),
		cmocka_unit_test(board_has_to_let_images_read_it),
		cmocka_unit_test(command_is_told_by_its_last_line),
		cmocka_unit_test(what_fits_nowhere_is_told_with_all_memories),
	};
	const struct CMUnitTest there[] = {
		cmocka_unit_test(weights_that_ram_cannot_hold_run_from_flash),
		cmocka_unit_test(what_is_too_large_when_linked_moves_too),
		cmocka_unit_test(flash_that_was_changed_is_written_again),
		cmocka_unit_test(command_that_fails_is_the_devices_fault),
		cmocka_unit_test(file_that_is_not_the_images_is_not_written),
		cmocka_unit_test(command_that_is_interrupted_is_repeated),
		cmocka_unit_test(measuring_writes_each_build_once),
		cmocka_unit_test(flash_is_only_read_by_payloads),
	};
	int failed = cmocka_run_group_tests_name("flash", here, mcu_setup, mcu_teardown);

	if (mcu_has_tools())
		failed += cmocka_run_group_tests_name(
			"flash of an emulated board", there, mcu_setup, mcu_teardown);
	return failed;
}
