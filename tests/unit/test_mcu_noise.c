/* An emulated board behind a line that damages, delays, slows and cuts what it carries: the
 * answers are right or there are none, and the next job runs. SOAK_JOBS=N instead of the few jobs
 * of `make test`, SOAK_NOISE=P instead of 1e-4.
 */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "devices/handle.h"
#include "src/base/rng.h"
#include "tests/unit/mcu_board.h"

#define PAD 2048
#define OUTPUT 700
#define INPUT 300
#define MAX_TRIES 5

static struct buf image;
static size_t pad_at; /* in the image */

static void read_image(void)
{
	static const char mark[] = "HAWSER-TEST-PAD";
	const char *const cc[] = {"arm-none-eabi-gcc", mcu_board->cpu, "-mthumb", "-Os",
		"-std=c11", "-ffreestanding", "-nostdlib", "-I.", mcu_board->window,
		mcu_board->window_bytes, "-T", "devices/boards/mcu/payload.ld",
		"tests/serial/payload.c", "-lgcc", "-o", NULL, NULL};
	const char *argv[sizeof(cc) / sizeof(cc[0])];
	char elf[88], flat[88], home[4096];
	const char *const flatten[] = {
		"arm-none-eabi-objcopy", "-O", "binary", elf, flat, NULL};
	struct err_ctx ctx = {{0}};

	snprintf(elf, sizeof(elf), "%s/noise.elf", mcu_folder);
	snprintf(flat, sizeof(flat), "%s/noise", mcu_folder);
	memcpy(argv, cc, sizeof(cc));
	argv[sizeof(cc) / sizeof(cc[0]) - 2] = elf;
	buf_reset(&image);
	assert_int_equal(file_home(home, sizeof(home), &ctx), ERR_OK);
	if (process_run_command(argv, home, 60, NULL, NULL, &ctx) ||
		process_run_command(flatten, home, 60, NULL, NULL, &ctx) ||
		file_read(flat, 1 << 20, &image, &ctx))
		fail_msg("%s", ctx.msg);
	for (pad_at = 0; memcmp(image.data + pad_at, mark, sizeof(mark)) != 0; pad_at++)
		assert_true(pad_at + sizeof(mark) + PAD < image.len);
	pad_at += sizeof(mark);
}

/* A board behind `line-noise OPTIONS`; "": behind a good line. */
static struct device *open_behind(const char *options, uint32_t timeout_ms)
{
	struct device *d = NULL;
	struct device_profile p;
	struct err_ctx ctx = {{0}};
	char exe[300], emulator[512];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_true(n > 0);
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0'; /* build/release/tests */
	*strrchr(exe, '/') = '\0';
	assert_int_equal(device_profile_load(&p, mcu_board->name, &ctx), ERR_OK);
	snprintf(p.probe, sizeof(p.probe), "none");
	p.timeout_ms = timeout_ms;
	if (options[0]) {
		snprintf(emulator, sizeof(emulator), "%s/line-noise %s %.150s", exe,
			options, p.emulator);
		memcpy(p.emulator, emulator, sizeof(p.emulator));
	}
	if (device_open(&d, &p, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	return d;
}

struct job {
	char path[88];
	struct hash hash;
	uint8_t input[INPUT], answer[OUTPUT];
	size_t input_len;
};

/* Another image and another input; the rule is that of tests/serial/payload.c. */
static void make_job(struct job *j, struct rng *rng)
{
	uint8_t *pad = (uint8_t *)image.data + pad_at;
	size_t from = rng_below(rng, PAD), len = rng_below(rng, PAD - from) + 1;
	uint32_t sum = 1;

	for (size_t i = 0; i < len; i++)
		pad[from + i] = (uint8_t)rng_below(rng, 256);
	j->input_len = 1 + rng_below(rng, INPUT);
	for (size_t i = 0; i < j->input_len; i++)
		j->input[i] = (uint8_t)rng_below(rng, 256);
	for (size_t i = 0; i < PAD; i++)
		sum = sum * 31 + pad[i];
	for (size_t i = 0; i < OUTPUT; i++) {
		sum = sum * 31 + j->input[i % j->input_len] + (uint32_t)i;
		j->answer[i] = (uint8_t)(sum >> 24);
	}
	snprintf(j->path, sizeof(j->path), "%s/job", mcu_folder);
	assert_int_equal(
		file_write_atomic(j->path, image.data, image.len, 0600, NULL), ERR_OK);
	hash_bytes(&j->hash, image.data, image.len);
}

/* 1 when there is an answer, which has to be the right one. */
static int try_job(struct device *d, const struct job *j)
{
	struct run_request rq = {.mode = RUN_EVAL,
		.image = j->hash,
		.input = j->input,
		.input_len = j->input_len};
	struct err_ctx ctx = {{0}};
	struct run_result r;
	enum err e = device_upload(d, j->path, &j->hash, &ctx);
	int done;

	if (e && e != ERR_LINK && e != ERR_DEVICE)
		fail_msg("upload: %s", ctx.msg);
	if (e)
		return 0;
	if (device_run(d, &rq, &r, &ctx) != ERR_OK)
		fail_msg("run: %s", ctx.msg);
	done = r.verdict == VERDICT_OK;
	if (done) {
		assert_int_equal(r.output_len, OUTPUT);
		assert_memory_equal(r.output, j->answer, OUTPUT);
	} else {
		assert_false(verdict_blames_candidate(r.verdict));
	}
	run_result_release(&r);
	return done;
}

/* Tries until there is an answer; how many tries it took. */
static int do_job(struct device *d, const struct job *j)
{
	for (int tries = 1; tries <= MAX_TRIES; tries++) {
		struct err_ctx ctx = {{0}};

		if (try_job(d, j))
			return tries;
		if (device_recover(d, &ctx) != ERR_OK)
			print_message("recover: %s\n", ctx.msg);
	}
	fail_msg("a job is lost");
	return 0;
}

static void answers_are_right_over_a_bad_line(void **state)
{
	const char *wanted = getenv("SOAK_JOBS"), *noise = getenv("SOAK_NOISE");
	int n = wanted ? (atoi(wanted) + 2) / 3 : 3, again = 0; /* of three boards */
	char options[100];
	struct device *d;
	struct rng rng;

	(void)state;
	noise = noise ? noise : "1e-4";
	snprintf(options, sizeof(options), "seed=4,corrupt=%.9s,drop=%.9s,double=%.9s",
		noise, noise, noise);
	d = open_behind(options, 20000);
	rng_init(&rng, 1);
	for (int i = 0; i < n; i++) {
		struct job j;

		make_job(&j, &rng);
		again += do_job(d, &j) - 1;
	}
	print_message(
		"# %s, %d jobs at %s corrupt, dropped and doubled bytes each: 0 wrong, "
		"0 lost, %d begun again\n",
		mcu_board->name, n, noise, again);
	device_close(d);
}

static void garbage_before_hello_is_not_heard(void **state)
{
	struct device *d = open_behind("seed=5,garbage=3000", 20000);
	struct rng rng;
	struct job j;

	(void)state;
	rng_init(&rng, 2);
	make_job(&j, &rng);
	assert_int_equal(do_job(d, &j), 1);
	device_close(d);
}

/* Answers from the session before arrive in the new one: their nonce is another. */
static void late_answers_are_not_taken_for_new_ones(void **state)
{
	struct device *d = open_behind("seed=6,late=0.2", 20000);
	struct rng rng;

	(void)state;
	rng_init(&rng, 3);
	for (int i = 0; i < 2; i++) {
		struct job j;

		make_job(&j, &rng);
		do_job(d, &j);
		assert_int_equal(device_recover(d, NULL), ERR_OK);
	}
	device_close(d);
}

static void slow_line_is_only_slow(void **state)
{
	struct device *d = open_behind("seed=7,rate=6000", 20000);
	struct rng rng;
	struct job j;

	(void)state;
	rng_init(&rng, 4);
	make_job(&j, &rng);
	assert_int_equal(do_job(d, &j), 1);
	device_close(d);
}

/* Kills the emulator's guard, and so the emulator, or stops all of them, some time after so
 * many bytes. */
struct killer {
	struct device *d;
	uint64_t sent;
	int after_ms, only_stops;
	pthread_t thread;
};

static void wait_ms(int ms)
{
	const struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

/* The process and those that came of it. */
static void stop_all(pid_t pid)
{
	char path[64];
	FILE *f;
	int child;

	kill(pid, SIGSTOP);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "r");
	while (f && fscanf(f, "%d", &child) == 1)
		stop_all(child);
	if (f)
		fclose(f);
}

static void *kill_it(void *self)
{
	const struct killer *k = self;
	const volatile uint64_t *sent = &k->d->link.sent;
	pid_t pid = transport_pipe_pid(k->d->link.t);

	for (int i = 0; i < 5000 && *sent < k->sent; i++)
		wait_ms(1);
	wait_ms(k->after_ms);
	if (k->only_stops)
		stop_all(pid);
	else
		kill(pid, SIGKILL);
	return NULL;
}

static void begin_killer(struct killer *k, struct device *d, uint64_t bytes, int after_ms)
{
	k->d = d;
	k->sent = d->link.sent + bytes;
	k->after_ms = after_ms;
	assert_int_equal(pthread_create(&k->thread, NULL, kill_it, k), 0);
}

static void emulator_that_dies_in_an_upload_gets_it_again(void **state)
{
	struct device *d = open_behind("", 20000);
	struct killer k;
	struct rng rng;
	struct job j;

	(void)state;
	rng_init(&rng, 5);
	make_job(&j, &rng);
	begin_killer(&k, d, 1200, 0);
	do_job(d, &j);
	pthread_join(k.thread, NULL);
	/* It was another one: this is its first boot, with a session of its own. */
	make_job(&j, &rng);
	assert_int_equal(do_job(d, &j), 1);
	device_close(d);
}

static void link_is_lost(int only_stops)
{
	struct device *d = open_behind("", 20000);
	struct payload endless;
	struct killer k = {.only_stops = only_stops};
	struct rng rng;
	struct job j;
	char detail[256];

	mcu_payload(&endless, "endless", 5, "pad", 3);
	mcu_upload(d, &endless);
	begin_killer(&k, d, 1, 300);
	assert_int_equal(mcu_run(d, &endless, detail), VERDICT_LINK_LOST);
	pthread_join(k.thread, NULL);
	assert_int_equal(device_recover(d, NULL), ERR_OK);
	rng_init(&rng, 6);
	make_job(&j, &rng);
	assert_int_equal(do_job(d, &j), 1);
	device_close(d);
}

static void emulator_that_dies_in_a_run_is_a_lost_link(void **state)
{
	(void)state;
	link_is_lost(0);
}

static void board_that_freezes_in_a_run_is_a_lost_link(void **state)
{
	(void)state;
	link_is_lost(1);
}

/* Of the board that is the state. */
static int setup(void **state)
{
	mcu_board = *state;
	buf_init(&image);
	if (mcu_setup(state))
		return -1;
	read_image();
	return 0;
}

static int teardown(void **state)
{
	buf_release(&image);
	return mcu_teardown(state);
}

#define ON(board, test)                                                                  \
	{                                                                                \
#test " " #board, test, setup, teardown,                                 \
			(void *)(uintptr_t)&mcu_boards[board]                            \
	}
#define ON_ALL(test) ON(0, test), ON(1, test), ON(2, test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ALL(answers_are_right_over_a_bad_line),
		ON_ALL(garbage_before_hello_is_not_heard),
		ON_ALL(late_answers_are_not_taken_for_new_ones),
		ON_ALL(slow_line_is_only_slow),
		ON_ALL(emulator_that_dies_in_an_upload_gets_it_again),
		ON_ALL(emulator_that_dies_in_a_run_is_a_lost_link),
		ON_ALL(board_that_freezes_in_a_run_is_a_lost_link),
	};

	if (!mcu_has_tools())
		return 0;
	return cmocka_run_group_tests_name("mcu noise", tests, NULL, NULL);
}
