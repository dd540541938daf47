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

static void build(const struct device *d, struct artefact *a)
{
	const struct task_shape task = {TASK_INTENT_SLOTS, 5, 7};
	struct device_target t;
	struct fixture f;
	struct err_ctx ctx = {""};
	int hit;

	assert_int_equal(fixture_init(&f, network, task), 0);
	ASSERT_OK(device_target(&t, d, &ctx), &ctx);
	ASSERT_OK(codegen_build(&f.in, &t.target, shared_cache(), a, &hit, &ctx), &ctx);
}

static double count(struct device *d, const struct artefact *a)
{
	const struct run_request rq = {.mode = RUN_TIME, .image = a->image, .n_samples = 1};
	struct run_result r;
	struct err_ctx ctx = {""};
	double n;

	ASSERT_OK(device_upload(d, a->path, &a->image, &ctx), &ctx);
	ASSERT_OK(device_run(d, &rq, &r, &ctx), &ctx);
	assert_int_equal(r.verdict, VERDICT_OK);
	n = r.run.instructions;
	run_result_release(&r);
	return n;
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

	build(d, &a);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_the_same_every_time),
	};

	if (system("command -v qemu-system-arm arm-none-eabi-gcc >/dev/null")) {
		printf("SKIP: no qemu-system-arm or no arm-none-eabi-gcc\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
