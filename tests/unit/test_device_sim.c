/* The simulated device: the law, its purity, and a measurement that is killed, repeated and
 * resumed with the same numbers.
 */
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

#include "devices/device.h"
#include "devices/sim/law.h"
#include "src/base/file.h"

static char dir[256];

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%s/hawser-sim-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return file_remove_tree(dir, NULL) == ERR_OK ? 0 : -1;
}

/* Law */

static void law_names_what_is_wrong_with_it(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"sigmo=1", "unknown law key 'sigmo'"},
		{"sigma", "'sigma' wants a number"},
		{"sigma=", "'sigma' wants a number"},
		{"sigma=x", "'sigma' wants a number"},
		{"sigma=1e", "'sigma' wants a number"},
		{"sigma=nan", "'sigma' wants a number"},
		{"sigma=-1", "'sigma' wants a number in 0..3"},
		{"crash=1.5", "'crash' wants a number in 0..1"},
		{"seed=1,,sigma=0", "unknown law key ''"},
		{"seed=99999999999999999999", "'seed' wants a number"},
	};
	struct sim_law law;
	char why[160];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *said = sim_law_parse(&law, cases[i].text, why);

		assert_non_null(said);
		assert_non_null(strstr(said, cases[i].why));
	}
	assert_null(sim_law_parse(&law, "", why));
	assert_null(sim_law_parse(&law, "seed=7,sigma=0.5", why));
	assert_true(law.seed == 7 && law.sigma == 0.5);
}

static void law_adds_up_what_the_card_says(void **state)
{
	static const char card_text[] =
		"garbage\0HAWSER-CARD-BEGIN\ncandidate: x: y\nmacs_f32: 100\nmacs_i8: 1000\n"
		"macs_attention: 10\nn_softmax: 4\nweight_bytes: 50\nn_ops: 3\ntimed_tokens: 2\n"
		"HAWSER-CARD-END\nmacs_f32: 9";
	struct sim_run run = {.process_index = 0};
	struct sim_card card;
	struct sim_law law;
	char why[160];

	(void)state;
	assert_null(sim_law_parse(&law,
		"base_ns=1000,op_ns=10,mac_f32_ns=2,mac_i8_ns=0.5,attention_ns=3,softmax_ns=5,byte_ns=1,"
		"cache_bytes=20,cache_penalty=2",
		why));
	assert_true(
		sim_card_find(&card, (const uint8_t *)card_text, sizeof(card_text) - 1));
	/* 1000 + 30 + (200 + 500) + (30 + 20) + (50 + 30 * 2) */
	assert_true(fabs(sim_latency_ns(&law, &card, &run) - 1890) < 1e-9);
	run.n_tokens = 4; /* twice the tokens, four times the pairs */
	assert_true(fabs(sim_latency_ns(&law, &card, &run) - (1030 + 1400 + 200 + 110)) <
		    1e-9);
	run.phase = 1; /* one token against four */
	assert_true(
		fabs(sim_latency_ns(&law, &card, &run) - (1030 + 350 + 50 + 110)) < 1e-9);
}

static void card_is_refused_when_it_is_none(void **state)
{
	static const char *const bad[] = {"", "no card here",
		"HAWSER-CARD-BEGIN\nmacs_f32: 1\n", "macs_f32: many\n", "macs_f32: -1\n",
		"macs_f32: inf\n", "macs_f32:\n"};
	struct sim_card card;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(
			sim_card_find(&card, (const uint8_t *)bad[i], strlen(bad[i])));
}

static void noise_is_pure_and_of_the_size_asked_for(void **state)
{
	struct sim_run run = {.process_index = 5}, other = {.process_index = 6};
	double sum = 0, squares = 0, wall, cpu, wall2, cpu2;
	struct sim_law law;
	uint32_t spikes = 0;
	char why[160];

	(void)state;
	assert_null(sim_law_parse(
		&law, "sigma=0.1,process_sigma=0,spike=0.05,spike_size=3", why));
	for (uint32_t i = 0; i < 20000; i++) {
		double x;

		sim_sample(&law, &run, 1000, i, &wall, &cpu);
		sim_sample(&law, &run, 1000, i, &wall2, &cpu2);
		assert_true(wall == wall2 && cpu == cpu2);
		assert_true(wall >= cpu && cpu > 0);
		if (wall > 1.5 * cpu) {
			spikes++;
			continue;
		}
		x = log(cpu / 1000);
		sum += x;
		squares += x * x;
		sim_sample(&law, &other, 1000, i, &wall2, &cpu2);
		assert_true(cpu != cpu2);
	}
	/* Four standard errors. */
	assert_true(fabs(sum / 19000) < 4 * 0.1 / sqrt(19000));
	assert_true(fabs(sqrt(squares / 19000) - 0.1) < 0.004);
	assert_true(fabs(spikes / 20000.0 - 0.05) < 4 * sqrt(0.05 * 0.95 / 20000));
}

static void fate_strikes_its_share_of_images(void **state)
{
	uint32_t count[6] = {0};
	struct sim_card card = {.arena_bytes = 10};
	struct sim_law law;
	char why[160];

	(void)state;
	assert_null(sim_law_parse(
		&law, "crash=0.1,stall=0.05,wrong=0.05,lost=0.2,lost_attempts=1", why));
	for (uint32_t i = 0; i < 5000; i++) {
		struct sim_run run = {.process_index = i % 7};
		enum sim_fate first;

		memcpy(run.image, &i, sizeof(i));
		first = sim_fate(&law, &card, &run);
		assert_int_equal(first, sim_fate(&law, &card, &run));
		run.attempt = 1;
		assert_int_not_equal(sim_fate(&law, &card, &run), SIM_LOST);
		if (first != SIM_LOST)
			assert_int_equal(sim_fate(&law, &card, &run), first);
		count[first]++;
	}
	assert_true(abs((int)count[SIM_LOST] - 1000) < 120);
	assert_true(abs((int)count[SIM_CRASH] - 400) < 80);
	assert_true(abs((int)count[SIM_STALL] - 200) < 60);
	assert_true(abs((int)count[SIM_WRONG] - 200) < 60);
}

/* Through the protocol, with the real agent */

struct image {
	char path[300];
	struct hash hash;
};

static void make_image(struct image *im, int i)
{
	struct buf b;

	buf_init(&b);
	buf_printf(&b, "macs_i8: %d\nweight_bytes: %d\nn_ops: 30\narena_bytes: %d\n",
		20000 + 1000 * i, 5000 + i, 100 * i);
	snprintf(im->path, sizeof(im->path), "%s/%d", dir, i);
	assert_int_equal(file_write_atomic(im->path, b.data, b.len, 0600, NULL), ERR_OK);
	hash_bytes(&im->hash, b.data, b.len);
	buf_release(&b);
}

static struct device *open_sim(const char *law)
{
	struct device_profile p = {.name = "sim", .driver = "sim", .timeout_ms = 1000};
	struct device *d = NULL;
	struct err_ctx ctx = {{0}};

	snprintf(p.sim_law, sizeof(p.sim_law), "%s", law);
	if (device_open(&d, &p, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	return d;
}

/* One process, whatever it takes: the number of losses on the way. */
static int run_through(
	struct device *d, const struct image *im, uint32_t process, struct run_result *r)
{
	struct run_request rq = {.mode = RUN_TIME,
		.image = im->hash,
		.process_index = process,
		.n_samples = 8,
		.min_sample_ns = 100000};
	struct err_ctx ctx = {{0}};

	for (int lost = 0; lost < 5; lost++) {
		if (device_run(d, &rq, r, &ctx) != ERR_OK)
			fail_msg("%s", ctx.msg);
		if (r->verdict == VERDICT_OK || verdict_blames_candidate(r->verdict))
			return lost;
		if (device_recover(d, &ctx) != ERR_OK)
			fail_msg("%s", ctx.msg);
	}
	fail_msg("lost for good");
	return -1;
}

#define N_IMAGES 30
#define N_PROCESSES 4
struct facts {
	int verdict[N_IMAGES][N_PROCESSES];
	float wall_ns[N_IMAGES][N_PROCESSES][8];
	double energy_uj[N_IMAGES][N_PROCESSES];
};

static const char bad_day[] =
	"seed=3,sigma=0.05,drift=0.01,crash=0.1,stall=0.1,wrong=0.1,"
	"lost=0.3,power_mw=500";

/* Measures all, opening the device anew `reopen` times on the way. */
static int measure(struct facts *f, int reopen, int backwards)
{
	struct device *d = open_sim(bad_day);
	int lost = 0;

	memset(f, 0, sizeof(*f));
	for (int k = 0; k < N_IMAGES * N_PROCESSES; k++) {
		int at = backwards ? N_IMAGES * N_PROCESSES - 1 - k : k;
		int i = at / N_PROCESSES, p = at % N_PROCESSES;
		struct err_ctx ctx = {{0}};
		struct run_result r;
		struct image im;

		if (reopen && k % (N_IMAGES * N_PROCESSES / reopen) == 7) {
			device_close(d);
			d = open_sim(bad_day);
		}
		make_image(&im, i);
		if (device_upload(d, im.path, &im.hash, &ctx) != ERR_OK)
			fail_msg("%s", ctx.msg);
		lost += run_through(d, &im, (uint32_t)p, &r);
		f->verdict[i][p] = (int)r.verdict;
		if (r.verdict == VERDICT_OK) {
			memcpy(f->wall_ns[i][p], r.run.wall_ns, 8 * sizeof(float));
			f->energy_uj[i][p] = r.run.energy_uj;
			assert_true(r.run.energy_uj > 0);
		}
		run_result_release(&r);
	}
	device_close(d);
	return lost;
}

static void sim_gives_the_same_facts_whatever_happens_on_the_way(void **state)
{
	static struct facts a, b;
	int seen[N_VERDICTS] = {0};

	(void)state;
	assert_true(measure(&a, 0, 0) > 10);
	assert_true(measure(&b, 9, 1) > 10);
	assert_memory_equal(&a, &b, sizeof(a));
	for (int i = 0; i < N_IMAGES; i++)
		seen[a.verdict[i][0]]++;
	assert_true(seen[VERDICT_OK] && seen[VERDICT_CRASH] && seen[VERDICT_TIMEOUT] &&
		    seen[VERDICT_WRONG_OUTPUT]);
}

static void sim_says_what_it_is_and_refuses_to_evaluate(void **state)
{
	struct device *a = open_sim("seed=1"), *b = open_sim("seed=2");
	struct run_request rq = {
		.mode = RUN_EVAL, .input = (const uint8_t *)"x", .input_len = 1};
	struct err_ctx ctx = {{0}};
	struct run_result r;

	(void)state;
	assert_true(device_info(a)->simulated);
	assert_false(
		hash_equal(&device_info(a)->fingerprint, &device_info(b)->fingerprint));
	assert_int_equal(device_run(a, &rq, &r, &ctx), ERR_UNSUPPORTED);
	device_close(a);
	device_close(b);
}

static void sim_with_a_bad_law_is_not_available(void **state)
{
	struct device_profile p = {
		.name = "bad", .driver = "sim", .timeout_ms = 1000, .sim_law = "sigmo=1"};
	struct device *d = NULL;
	struct err_ctx ctx = {{0}};

	(void)state;
	assert_int_equal(device_open(&d, &p, &ctx), ERR_DEVICE);
	assert_non_null(strstr(ctx.msg, "unknown law key 'sigmo'"));
}

static void sim_runs_out_of_memory_by_its_arena(void **state)
{
	struct device *d = open_sim("ram_bytes=1500");
	struct err_ctx ctx = {{0}};
	struct run_result r;
	struct image small, large;

	(void)state;
	make_image(&small, 10);
	make_image(&large, 20);
	assert_int_equal(device_upload(d, small.path, &small.hash, &ctx), ERR_OK);
	assert_int_equal(device_upload(d, large.path, &large.hash, &ctx), ERR_OK);
	run_through(d, &small, 0, &r);
	assert_int_equal(r.verdict, VERDICT_OK);
	run_result_release(&r);
	run_through(d, &large, 0, &r);
	assert_int_equal(r.verdict, VERDICT_OOM);
	run_result_release(&r);
	device_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(law_names_what_is_wrong_with_it),
		cmocka_unit_test(law_adds_up_what_the_card_says),
		cmocka_unit_test(card_is_refused_when_it_is_none),
		cmocka_unit_test(noise_is_pure_and_of_the_size_asked_for),
		cmocka_unit_test(fate_strikes_its_share_of_images),
		cmocka_unit_test(sim_gives_the_same_facts_whatever_happens_on_the_way),
		cmocka_unit_test(sim_says_what_it_is_and_refuses_to_evaluate),
		cmocka_unit_test(sim_with_a_bad_law_is_not_available),
		cmocka_unit_test(sim_runs_out_of_memory_by_its_arena),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
