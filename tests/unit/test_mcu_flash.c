/* Weights in the flash of an emulated board: what RAM cannot hold runs, and every way in which
 * the flash may not hold what the image wants. */
#include "tests/unit/mcu_board.h"

#include "devices/flash.h"
#include "src/eval/device_target.h"
#include "src/measure/measure.h"
#include "tests/unit/codegen_fixture.h"

#define GENOME(vocab)                                                                    \
	"enc;v=" vocab                                                                   \
	";t=12;d=64;e=64;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=1;"               \
	"rel=0;conv=0;opt=O2;kern=ref;L=h2k2x64f128r0b8"

/* Checking its weights takes longer than answering. */
#define QUICK(vocab)                                                                     \
	"enc;v=" vocab ";t=2;d=64;e=64;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=1;" \
	"rel=0;conv=0;opt=O2;kern=ref;L=h1k1x16f16r0b8"

static const char small_network[] =
	"enc;v=60;t=12;d=32;e=32;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=1;rel=0;"
	"conv=0;opt=O2;kern=ref;L=h2k2x16f48r0b8";
static const struct task_shape task = {TASK_INTENT_SLOTS, 5, 7};

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

/* The image looks through its weights before it runs: in its own time, while the clock feeds
 * the watchdog. The two differ in nothing else. */
static void checking_the_weights_is_part_of_the_run(void **state)
{
	struct artefact few, many;
	struct device *d = start(NULL);
	char detail[256];
	double count, more, less;

	(void)state;
	build(d, QUICK("1000"), &few);
	build(d, QUICK("12000"), &many);
	assert_true(many.placed_bytes > 700000);
	more = run_well(d, &many);
	less = run_well(d, &few);
	assert_true(more < 1.001 * less && less < 1.001 * more);
	d->profile.timeout_ms = 200;
	run_well(d, &few);
	assert_int_equal(run(d, &many, &count, detail), VERDICT_TIMEOUT);
	assert_int_equal(device_info(d)->boots, 1);
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
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_that_ram_cannot_hold_run_from_flash),
		cmocka_unit_test(what_is_too_large_when_linked_moves_too),
		cmocka_unit_test(checking_the_weights_is_part_of_the_run),
		cmocka_unit_test(flash_that_was_changed_is_written_again),
		cmocka_unit_test(command_that_fails_is_the_devices_fault),
		cmocka_unit_test(file_that_is_not_the_images_is_not_written),
		cmocka_unit_test(command_that_is_interrupted_is_repeated),
		cmocka_unit_test(measuring_writes_each_build_once),
		cmocka_unit_test(flash_is_only_read_by_payloads),
	};

	if (!mcu_has_tools())
		return 0;
	return cmocka_run_group_tests_name("mcu flash", tests, mcu_setup, mcu_teardown);
}
