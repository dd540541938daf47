/* The host's side of the device protocol over lines that damage what they carry. The simulated
 * device is behind it, whose every answer is known.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "devices/handle.h"
#include "src/base/file.h"
#include "src/base/rng.h"
#include "tests/unit/device_bench.h"

/* An agent that stands still after so many writes, until the host starts another one. */
static unsigned writes_heard = UINT_MAX;
static uint64_t heard_ms, silent_ms;

/* One that takes so long for a VERIFY or a RUN, and hears nothing meanwhile; 0: no time. */
static uint64_t work_ms, works_until_ms;
static struct buf work;

static int is_work(const uint8_t *data, size_t len)
{
	static uint8_t buf[FRAME_WIRE_BYTES(MOST)];
	struct frame_decoder d;
	size_t n = 0;

	frame_decoder_init(&d, buf, sizeof(buf));
	for (size_t used = 0; used < len && !n;)
		used += frame_decoder_take(&d, data + used, len - used, &n);
	return n && (buf[0] == WIRE_VERIFY || buf[0] == WIRE_RUN);
}

static void peer_receive(void *self, const uint8_t *data, size_t len)
{
	struct bench *b = self;

	if (work.len)
		return;
	if (work_ms && is_work(data, len)) {
		buf_append(&work, data, len);
		works_until_ms = b->now_ms + work_ms;
		return;
	}
	if (writes_heard == 0)
		return;
	writes_heard--;
	heard_ms = b->now_ms;
	agent_receive(&b->agent, data, len);
}

static void peer_poll(void *self, uint64_t now_ms)
{
	struct bench *b = self;

	b->now_ms = now_ms;
	if (work.len && now_ms >= works_until_ms) {
		agent_receive(&b->agent, (const uint8_t *)work.data, work.len);
		buf_reset(&work);
	}
	if (work.len)
		return;
	if (writes_heard)
		agent_poll(&b->agent);
	else
		silent_ms = now_ms - heard_ms;
}

/* Each new line is damaged in its own way. */
static enum err start_loop(
	const struct device_profile *p, struct transport **out, struct err_ctx *ctx)
{
	struct loop_peer peer = {&bench, peer_receive, peer_poll};
	enum err e = transport_loop_open(out, &peer, &bench.faults, ctx);

	(void)p;
	writes_heard = UINT_MAX;
	bench.faults.seed++;
	bench.line = *out;
	return e;
}

static const struct device_driver loop_driver = {"loop", "", start_loop};
static const struct device_profile loop_profile = {
	.name = "loop", .driver = "loop", .timeout_ms = 5000};

static char dir[256];

static int make_dir(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%s/hawser-link-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return file_remove_tree(dir, NULL) == ERR_OK ? 0 : -1;
}

#define N_IMAGES 12
struct image {
	char path[300];
	struct hash hash;
	float wall_ns[4]; /* of process 3, as a sound line gives them */
};
static struct image images[N_IMAGES];

/* Cards with a tail of noise: up to 20 KB each, every second one the same noise, so that COPY
 * has something to do. */
static void make_images(void)
{
	struct rng rng;

	rng_init(&rng, 6);
	for (int i = 0; i < N_IMAGES; i++) {
		struct rng shared, *tail = i % 2 ? &shared : &rng;
		struct buf b;

		rng_init(&shared, 7);
		buf_init(&b);
		buf_printf(&b,
			"noise HAWSER-CARD-BEGIN\nmacs_f32: %d\nn_ops: 20\nHAWSER-CARD-END\n",
			5000 * (i + 1));
		for (uint64_t n = rng_below(&rng, 20000); n > 0; n--)
			buf_putc(&b, (char)rng_below(tail, 256));
		snprintf(images[i].path, sizeof(images[i].path), "%s/%d", dir, i);
		assert_int_equal(
			file_write_atomic(images[i].path, b.data, b.len, 0600, NULL),
			ERR_OK);
		hash_bytes(&images[i].hash, b.data, b.len);
		buf_release(&b);
	}
}

static struct run_request request(const struct image *im)
{
	struct run_request rq = {.mode = RUN_TIME,
		.image = im->hash,
		.process_index = 3,
		.n_samples = 4,
		.min_sample_ns = 1000};

	return rq;
}

/* What the law says, without any line between. */
static void expected(struct image *im)
{
	struct sim_run run = {.process_index = 3};
	struct sim_card c;
	struct sim_law law;
	struct buf b;
	char why[160];

	buf_init(&b);
	assert_null(sim_law_parse(&law, "seed=9", why));
	assert_int_equal(file_read(im->path, 0, &b, NULL), ERR_OK);
	assert_true(sim_card_find(&c, (const uint8_t *)b.data, b.len));
	memcpy(run.image, im->hash.b, sizeof(run.image));
	for (uint32_t i = 0; i < 4; i++) {
		double wall, cpu;

		sim_sample(&law, &run, sim_latency_ns(&law, &c, &run), i, &wall, &cpu);
		im->wall_ns[i] = (float)wall;
	}
	buf_release(&b);
}

struct tally {
	uint32_t n_ok, n_lost, n_runs;
};

static void one_operation(struct device *d, struct image *im, int fresh, struct tally *t)
{
	struct run_request rq = request(im);
	struct err_ctx ctx = {{0}};
	struct run_result r;
	enum err e = fresh ? device_upload(d, im->path, &im->hash, &ctx) : ERR_OK;

	if (!e) {
		t->n_runs++;
		e = device_run(d, &rq, &r, &ctx);
		if (e)
			fail_msg("run: %s", ctx.msg);
		if (r.verdict == VERDICT_OK) {
			t->n_ok++;
			assert_int_equal(r.run.n, 4);
			assert_memory_equal(
				r.run.wall_ns, im->wall_ns, sizeof(im->wall_ns));
			run_result_release(&r);
			return;
		}
		/* Never the candidate's fault. */
		assert_false(verdict_blames_candidate(r.verdict));
		run_result_release(&r);
	} else if (e != ERR_LINK && e != ERR_DEVICE) {
		fail_msg("upload: %s", ctx.msg);
	}
	t->n_lost++;
	while (device_recover(d, &ctx) != ERR_OK)
		assert_true(t->n_lost++ < 2000);
}

static void link_gives_no_wrong_result_over_a_bad_line(void **state)
{
	static const struct {
		struct loop_faults faults;
		int n;
		double least_ok; /* share of operations that succeed at once */
	} lines[] = {
		{{.seed = 100}, 100, 1},
		{{.seed = 200, .corrupt = 1e-4, .drop = 1e-4, .duplicate = 1e-4}, 300,
			0.95},
		{{.seed = 300, .corrupt = 3e-4, .drop = 3e-4, .duplicate = 3e-4}, 300,
			0.9},
		{{.seed = 350, .corrupt = 1e-3, .drop = 1e-3, .duplicate = 1e-3}, 100,
			0.7},
		{{.seed = 400, .delay = 0.05}, 200, 0.9},
		{{.seed = 500, .corrupt = 5e-4, .delay = 0.02}, 200, 0.8},
		{{.seed = 600, .cut_after = 60000}, 200, 0.5},
	};
	int total = 0;

	(void)state;
	make_images();
	for (int i = 0; i < N_IMAGES; i++)
		expected(&images[i]);
	for (size_t l = 0; l < sizeof(lines) / sizeof(lines[0]); l++) {
		struct tally t = {0, 0, 0};
		struct err_ctx ctx = {{0}};
		struct device *d;
		struct rng rng;

		bench_start("seed=9");
		bench.faults = lines[l].faults;
		rng_init(&rng, l);
		if (device_open_with(&d, &loop_profile, &loop_driver, &ctx) != ERR_OK)
			fail_msg("line %zu: %s", l, ctx.msg);
		for (int i = 0; i < lines[l].n; i++)
			one_operation(d, &images[rng_below(&rng, N_IMAGES)], 1, &t);
		device_close(d);
		print_message("line %zu: %u ok, %u lost of %d\n", l, t.n_ok, t.n_lost,
			lines[l].n);
		assert_true(t.n_ok >= lines[l].least_ok * lines[l].n);
		/* No run was begun twice for one request. */
		assert_true(bench.n_starts <= t.n_runs);
		total += lines[l].n;
	}
	assert_true(total >= 1000);
}

static void link_sends_an_image_again_that_the_device_dropped(void **state)
{
	struct tally t = {0, 0, 0};
	struct err_ctx ctx = {{0}};
	struct device *d;

	(void)state;
	make_images();
	bench_start("seed=9");
	assert_int_equal(device_open_with(&d, &loop_profile, &loop_driver, &ctx), ERR_OK);
	for (int i = 0; i < N_IMAGES; i++) {
		expected(&images[i]);
		one_operation(d, &images[i], 1, &t);
	}
	ram_store_init(&bench.sim.store, bench.memory, MEMORY);
	for (int i = 0; i < N_IMAGES; i++)
		one_operation(d, &images[i], 0, &t);
	assert_int_equal(t.n_ok, 2 * N_IMAGES);
	assert_int_equal(t.n_lost, 0);
	device_close(d);
}

static void link_refuses_a_device_that_comes_back_as_another(void **state)
{
	struct err_ctx ctx = {{0}};
	struct transport *line;
	struct device *d;

	(void)state;
	bench_start("seed=9");
	assert_int_equal(device_open_with(&d, &loop_profile, &loop_driver, &ctx), ERR_OK);
	line = bench.line;
	bench_start("seed=10");
	bench.line = line;
	assert_int_equal(device_recover(d, &ctx), ERR_DEVICE);
	assert_non_null(strstr(ctx.msg, "another machine"));
	device_close(d);
}

static void link_notices_a_device_that_forgot_its_session(void **state)
{
	struct err_ctx ctx = {{0}};
	struct run_request rq;
	struct run_result r;
	struct device *d;

	(void)state;
	make_images();
	bench_start("seed=9");
	assert_int_equal(device_open_with(&d, &loop_profile, &loop_driver, &ctx), ERR_OK);
	assert_int_equal(device_upload(d, images[0].path, &images[0].hash, &ctx), ERR_OK);
	agent_hangup(&bench.agent); /* as after a reboot */
	rq = request(&images[0]);
	assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_OK);
	assert_int_equal(r.verdict, VERDICT_DEVICE_LOST);
	assert_int_equal(device_recover(d, &ctx), ERR_OK);
	assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_OK);
	assert_int_equal(r.verdict, VERDICT_OK);
	run_result_release(&r);
	bench.hold = 1; /* a device that stops answering its run */
	assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_OK);
	assert_int_equal(r.verdict, VERDICT_DEVICE_LOST);
	device_close(d);
}

static void link_finds_out_soon_that_the_agent_stands_still(void **state)
{
	const struct image *im = &images[1];
	int stood_still = 1;

	(void)state;
	make_images();
	for (unsigned n = 0; stood_still; n++) {
		struct run_request rq = request(im);
		struct err_ctx ctx = {{0}};
		struct run_result r;
		struct device *d;

		bench_start("seed=9");
		if (device_open_with(&d, &loop_profile, &loop_driver, &ctx))
			fail_msg("%s", ctx.msg);
		heard_ms = silent_ms = 0;
		writes_heard = n;
		assert_int_equal(device_upload(d, im->path, &im->hash, &ctx), ERR_OK);
		assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_OK);
		stood_still = writes_heard == 0 || silent_ms > 0;
		if (r.verdict != VERDICT_OK) {
			assert_int_equal(r.verdict, VERDICT_LINK_LOST);
			assert_int_equal(device_recover(d, &ctx), ERR_OK);
		}
		run_result_release(&r);
		device_close(d);
		print_message(
			"after %u writes: silent for %u ms\n", n, (unsigned)silent_ms);
		if (silent_ms > 9000)
			fail();
		assert_true(stood_still || n >= 5); /* OFFER, PUT, VERIFY, RUN, FETCH */
	}
}

/* A board that copies and checks megabytes at 25 MHz: nothing is answered for longer than one
 * with less to do is waited for. */
static void link_waits_for_a_board_with_much_to_check(void **state)
{
	static struct image im;
	struct run_request rq;
	struct err_ctx ctx = {{0}};
	struct run_result r;
	struct device *d;
	struct buf b;

	(void)state;
	buf_init(&b);
	buf_puts(&b, "HAWSER-CARD-BEGIN\nmacs_f32: 1\nn_ops: 20\nHAWSER-CARD-END\n");
	while (b.len < 950000)
		buf_putc(&b, 'x');
	snprintf(im.path, sizeof(im.path), "%s/large", dir);
	assert_int_equal(file_write_atomic(im.path, b.data, b.len, 0600, NULL), ERR_OK);
	hash_bytes(&im.hash, b.data, b.len);
	buf_release(&b);
	bench_start("seed=9");
	if (device_open_with(&d, &loop_profile, &loop_driver, &ctx))
		fail_msg("%s", ctx.msg);
	d->link.welcome.flags |= WIRE_IS_BOARD;
	work_ms = 7800; /* 7 s for any answer, 0.95 for that many bytes */
	if (device_upload(d, im.path, &im.hash, &ctx))
		fail_msg("%s", ctx.msg);
	assert_int_equal(bench.nonces, 1);
	rq = request(&im);
	assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_OK);
	work_ms = 0;
	if (r.verdict != VERDICT_OK)
		fail_msg("%s", r.detail);
	run_result_release(&r);
	device_close(d);
	buf_release(&work);
}

/* DONE of a run that crashed, for the next request of the session. */
static void send_done_of(const struct device *d, uint32_t session)
{
	const struct wire_done m = {.outcome = OUTCOME_CRASH,
		.code = 11,
		.temp_before_mc = WIRE_TEMP_UNKNOWN,
		.temp_after_mc = WIRE_TEMP_UNKNOWN};
	struct wire_header h = {WIRE_DONE, session, d->link.request + 1};
	uint8_t wire[FRAME_WIRE_BYTES(WIRE_MIN_PAYLOAD)];
	struct put p;

	put_init(&p, wire + FRAME_HEADROOM(WIRE_MIN_PAYLOAD), WIRE_MIN_PAYLOAD);
	put_header(&p, &h);
	put_done(&p, &m);
	assert_false(p.failed);
	transport_loop_send(bench.line, wire, frame_encode(wire, p.at, p.len));
}

/* An answer that was under way when the session ended has the number of a new request, and
 * the nonce of the old session. */
static void link_refuses_an_answer_of_the_session_before(void **state)
{
	struct err_ctx ctx = {{0}};
	struct run_request rq;
	struct run_result r;
	struct device *d;
	uint32_t old;

	(void)state;
	make_images();
	bench_start("seed=9");
	assert_int_equal(device_open_with(&d, &loop_profile, &loop_driver, &ctx), ERR_OK);
	old = d->link.welcome.session;
	assert_int_equal(device_recover(d, &ctx), ERR_OK);
	assert_int_not_equal(d->link.welcome.session, old);
	assert_int_equal(device_upload(d, images[0].path, &images[0].hash, &ctx), ERR_OK);
	rq = request(&images[0]);
	send_done_of(d, old);
	assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_OK);
	assert_int_equal(r.verdict, VERDICT_OK);
	run_result_release(&r);
	send_done_of(d, d->link.welcome.session); /* it is the nonce that tells */
	assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_OK);
	assert_int_equal(r.verdict, VERDICT_CRASH);
	run_result_release(&r);
	device_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_gives_no_wrong_result_over_a_bad_line),
		cmocka_unit_test(link_sends_an_image_again_that_the_device_dropped),
		cmocka_unit_test(link_refuses_a_device_that_comes_back_as_another),
		cmocka_unit_test(link_notices_a_device_that_forgot_its_session),
		cmocka_unit_test(link_finds_out_soon_that_the_agent_stands_still),
		cmocka_unit_test(link_waits_for_a_board_with_much_to_check),
		cmocka_unit_test(link_refuses_an_answer_of_the_session_before),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
