/* The same candidate many times on each emulated board: one count, whatever the host does
 * meanwhile, also after the board was started again. MCU_COUNTS=N runs on each board
 * (`make counts-mcu N=1000`) instead of the few of `make test`. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/eval/device_target.h"
#include "tests/unit/codegen_fixture.h"

#define FEW 4
#define STEP_RUNS 20 /* of a decoder, which is counted on one board */
#define PER_START 100 /* runs between two starts of the board, at most */

static const char *const boards[] = {"mps2-an385", "mps2-an386", "mps2-an500",
	"mps2-an505", "mps3-an547", "netduinoplus2"};
#define N_BOARDS (sizeof(boards) / sizeof(boards[0]))

static const char network[] =
	"enc;v=60;t=12;d=32;e=32;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=1;rel=0;"
	"conv=0;opt=O2;kern=opt;L=h2k2x16f48r0b8,h2k2x16f48r0b4";

static unsigned n_runs(void)
{
	const char *text = getenv("MCU_COUNTS");
	unsigned n = text ? (unsigned)strtoul(text, NULL, 10) : 0;

	return n ? n : FEW;
}

static struct device *start(const char *board)
{
	struct device_profile p;
	struct device *d = NULL;
	struct err_ctx ctx = {""};

	ASSERT_OK(device_profile_load(&p, board, &ctx), &ctx);
	ASSERT_OK(device_open(&d, &p, &ctx), &ctx);
	return d;
}

static void build(
	const struct device *d, const char *text, struct task_shape task, struct artefact *a)
{
	struct device_target t;
	struct fixture f;
	struct err_ctx ctx = {""};
	int hit;

	assert_int_equal(fixture_init(&f, text, task), 0);
	ASSERT_OK(device_target(&t, d, &ctx), &ctx);
	ASSERT_OK(codegen_build(&f.in, &t.target, shared_cache(), a, &hit, &ctx), &ctx);
}

/* `tokens` at once, or single ones after so many; `detail`: why it ends with an exit code. */
static struct process_run run_timed(struct device *d, const struct artefact *a,
	uint32_t tokens, uint32_t phase, char detail[256])
{
	const struct run_request rq = {.mode = RUN_TIME,
		.image = a->image,
		.n_samples = 1,
		.n_tokens = tokens,
		.phase = phase};
	struct run_result r;
	struct process_run run;
	struct err_ctx ctx = {""};

	ASSERT_OK(device_upload(d, a->path, &a->image, &ctx), &ctx);
	ASSERT_OK(device_run(d, &rq, &r, &ctx), &ctx);
	assert_int_equal(r.verdict, detail ? VERDICT_EXIT : VERDICT_OK);
	if (detail)
		memcpy(detail, r.detail, sizeof(r.detail));
	run = r.run;
	run_result_release(&r);
	return run;
}

static double count(struct device *d, const struct artefact *a)
{
	return run_timed(d, a, 12, 0, NULL).instructions;
}

/* A neighbour that takes a processor. */
static pid_t load(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(600);
		for (;;)
			;
	}
	assert_true(pid > 0);
	return pid;
}

static void count_board(const char *board)
{
	unsigned n = n_runs(), per_start = n / 2 < PER_START ? n / 2 : PER_START;
	struct device *d = start(board);
	struct artefact a;
	double first;
	pid_t pid = 0;

	build(d, network, (struct task_shape){TASK_INTENT_SLOTS, 5, 7}, &a);
	first = count(d, &a);
	assert_true(first > 10000);
	for (unsigned i = 1; i < n; i++) {
		if (i % per_start == 0) {
			device_close(d);
			d = start(board);
		}
		if (i == n / 2)
			pid = load();
		assert_int_equal(count(d, &a), first);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	device_close(d);
	print_message("%s: %u times %.0f instructions\n", board, n, first);
}

static void counts_are_the_same_every_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_BOARDS; i++)
		count_board(boards[i]);
}

/* Two layers of 64 with an int8 cache of 64 tokens: prefill and single tokens, each a count
 * of its own, whether asked for together or apart. */
static void tokens_of_a_decoder_are_counted(void **state)
{
	static const char decoder[] =
		"dec;v=1000;t=64;d=64;e=64;eb=8;act=gelu;norm=rms;place=pre;pool=mean;"
		"abs=1;rel=0;conv=0;opt=O2;kern=opt;L=h2k2x32f128r0b8,h2k2x32f128r0b8";
	struct device *d = start("mps2-an386");
	struct process_run first, next;
	double one;
	struct artefact a;

	(void)state;
	build(d, decoder, (struct task_shape){TASK_LM, 0, 0}, &a);
	assert_int_equal(a.stack_bytes, 8192);
	first = run_timed(d, &a, 12, 0, NULL);
	assert_in_range(first.stack_bytes, 256, 7000);
	assert_true(first.instructions > 100000);
	assert_true(first.steps.instructions > 100000);
	assert_int_equal(first.steps.n_cached, 12);
	for (int i = 1; i < STEP_RUNS; i++) {
		if (i == STEP_RUNS / 2) {
			device_close(d);
			d = start("mps2-an386");
		}
		next = run_timed(d, &a, 12, 0, NULL);
		assert_int_equal(next.instructions, first.instructions);
		assert_int_equal(next.steps.instructions, first.steps.instructions);
		assert_int_equal(next.stack_bytes, first.stack_bytes);
	}
	next = run_timed(d, &a, 12, 1, NULL);
	assert_int_equal(next.steps.instructions, 0);
	assert_int_equal(next.instructions, first.steps.instructions);
	/* about what an input of one token takes: the prefill is not in it */
	one = run_timed(d, &a, 1, 0, NULL).instructions;
	assert_true(one < next.instructions && next.instructions < 1.15 * one);
	device_close(d);
	print_message("%d times %.0f and %.0f a token after %u, %u bytes of stack\n",
		STEP_RUNS, first.instructions, first.steps.instructions,
		first.steps.n_cached, first.stack_bytes);
}

static void encoder_has_no_tokens_to_count(void **state)
{
	struct device *d = start("mps2-an386");
	struct artefact a;
	char detail[256];

	(void)state;
	build(d, network, (struct task_shape){TASK_INTENT_SLOTS, 5, 7}, &a);
	run_timed(d, &a, 12, 1, detail);
	assert_non_null(strstr(detail, "token steps were asked of an encoder"));
	assert_int_equal(run_timed(d, &a, 12, 0, NULL).steps.instructions, 0);
	device_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_of_a_decoder_are_counted),
		cmocka_unit_test(encoder_has_no_tokens_to_count),
		cmocka_unit_test(counts_are_the_same_every_time),
	};

	if (system("command -v qemu-system-arm arm-none-eabi-gcc >/dev/null")) {
		printf("SKIP: no qemu-system-arm or no arm-none-eabi-gcc\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
