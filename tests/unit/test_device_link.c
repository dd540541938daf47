/* Both ends of the device protocol in one process: the agent's state machine asked by hand, and
 * the host's side over lines that damage what they carry. The simulated device is behind
 * it, whose every answer is known.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/device.h"
#include "devices/sim/sim.h"
#include "devices/transport/transport.h"
#include "src/base/file.h"
#include "src/base/rng.h"

#define MOST 4096
#define MEMORY (1u << 20)

/* A machine around the simulator: its line is a loop, or a buffer of the test. */
struct bench {
	struct sim sim;
	struct agent agent;
	struct transport *line; /* NULL: answers go to `out` */
	struct loop_faults faults;
	struct buf out;
	uint64_t now_ms;
	uint32_t nonces;
	uint32_t n_starts; /* runs begun */
	int hold;	   /* runs do not end */
	int leased;
	struct agent_ops ops;
	uint8_t rx[FRAME_WIRE_BYTES(MOST)], tx[FRAME_WIRE_BYTES(MOST)];
	uint8_t memory[MEMORY];
};

static struct bench bench;

static void bench_send(void *self, const uint8_t *data, size_t len)
{
	struct bench *b = self;

	if (b->line)
		transport_loop_send(b->line, data, len);
	else
		buf_append(&b->out, data, len);
}

static uint64_t bench_now_ns(void *self)
{
	return ((struct bench *)self)->now_ms * 1000000;
}

static uint32_t bench_nonce(void *self)
{
	return 0x5eed0000u + ++((struct bench *)self)->nonces;
}

static int counted_start(void *self, const struct wire_run *rq, char *why)
{
	int code = sim_ops.run_start(self, rq, why);

	bench.n_starts += code == 0;
	return code;
}

static int held_poll(void *self, struct wire_done *done)
{
	return bench.hold ? 0 : sim_ops.run_poll(self, done);
}

static int bench_lease(void *self, char *why)
{
	(void)self;
	if (!bench.leased)
		return 0;
	snprintf(why, AGENT_WHY, "held by pid 42 on elsewhere");
	return WIRE_E_LEASED;
}

static void bench_start(const char *law)
{
	struct sim_host host = {&bench, bench_send, bench_now_ns, bench_nonce};
	struct agent_config c;
	char why[160];

	memset(&bench, 0, sizeof(bench));
	buf_init(&bench.out);
	assert_null(sim_init(&bench.sim, &host, law, bench.memory, MEMORY, why));
	sim_config(&bench.sim, &c);
	c.max_payload = MOST;
	c.rx = bench.rx;
	c.tx = bench.tx;
	bench.ops = sim_ops;
	bench.ops.run_start = counted_start;
	bench.ops.run_poll = held_poll;
	bench.ops.lease = bench_lease;
	agent_init(&bench.agent, &bench.ops, &bench.sim, &c);
}

/* By hand */

static void ask(uint8_t type, uint32_t session, uint32_t request, const void *body, size_t len)
{
	struct wire_header h = {type, session, request};
	uint8_t wire[FRAME_WIRE_BYTES(MOST)];
	size_t n = WIRE_HEADER_BYTES + len;
	struct put p;

	put_init(&p, wire + frame_headroom(n), n);
	put_header(&p, &h);
	put_bytes(&p, body, len);
	assert_false(p.failed);
	buf_reset(&bench.out);
	agent_receive(&bench.agent, wire, frame_encode(wire, sizeof(wire), n));
}

/* The answers to what was asked last; the first one's header and body. */
static int answers(struct wire_header *h, struct get *g)
{
	static uint8_t first[FRAME_WIRE_BYTES(MOST)], buf[FRAME_WIRE_BYTES(MOST)];
	struct frame_decoder d;
	int count = 0;
	size_t n;

	frame_decoder_init(&d, buf, sizeof(buf));
	for (size_t i = 0; i < bench.out.len; i++)
		if (frame_decoder_put(&d, (uint8_t)bench.out.data[i], &n) && count++ == 0) {
			memcpy(first, buf, n);
			get_init(g, first, n);
			assert_true(get_header(g, h));
		}
	return count;
}

static void expect_error(int code)
{
	struct wire_header h;
	struct wire_error e;
	struct get g;

	assert_int_equal(answers(&h, &g), 1);
	assert_int_equal(h.type, WIRE_ERROR);
	assert_true(get_error(&g, &e));
	assert_int_equal(e.code, code);
	assert_true(e.text[0] != '\0');
}

static void expect(uint8_t type, struct get *g)
{
	struct wire_header h;

	assert_int_equal(answers(&h, g), 1);
	assert_int_equal(h.type, type);
}

static uint32_t hello(uint32_t host_nonce)
{
	struct wire_hello m = {1, 1, host_nonce};
	struct wire_welcome w;
	uint8_t body[16];
	struct put p;
	struct get g;

	put_init(&p, body, sizeof(body));
	put_hello(&p, &m);
	ask(WIRE_HELLO, 0, 0, body, p.len);
	expect(WIRE_HELLO | WIRE_ANSWER, &g);
	assert_true(get_welcome(&g, &w));
	assert_int_equal(w.host_nonce, host_nonce);
	return w.session;
}

static void ask_offer(uint8_t type, uint32_t s, uint32_t rq, const struct hash *hash, uint64_t size)
{
	struct wire_offer m = {.size = size};
	uint8_t body[64];
	struct put p;

	memcpy(m.hash, hash->b, sizeof(m.hash));
	put_init(&p, body, sizeof(body));
	put_offer(&p, &m);
	ask(type, s, rq, body, p.len);
}

static void ask_put(uint32_t s, uint32_t rq, uint64_t offset, const char *data, size_t len)
{
	struct wire_put m = {offset, (const uint8_t *)data, (uint32_t)len};
	uint8_t body[512];
	struct put p;

	put_init(&p, body, sizeof(body));
	put_put(&p, &m);
	ask(WIRE_PUT, s, rq, body, p.len);
}

static void ask_run(uint32_t s, uint32_t rq, const struct hash *image)
{
	struct wire_run m = {.mode = MODE_TIME, .n_samples = 3, .timeout_ms = 1000};
	uint8_t body[256];
	struct put p;

	memcpy(m.image, image->b, sizeof(m.image));
	put_init(&p, body, sizeof(body));
	put_run(&p, &m);
	ask(WIRE_RUN, s, rq, body, p.len);
}

static uint64_t have(uint8_t type)
{
	struct wire_have m;
	struct get g;

	expect(type | WIRE_ANSWER, &g);
	assert_true(get_have(&g, &m));
	return m.have;
}

static const char card[] = "macs_f32: 10000\nweight_bytes: 400\nn_ops: 9\n";
#define CARD_BYTES (sizeof(card) - 1)

/* A session with the card uploaded; requests go on from 4. */
static uint32_t session_with_card(struct hash *image)
{
	uint32_t s = hello(11);

	hash_bytes(image, card, CARD_BYTES);
	ask_offer(WIRE_OFFER, s, 1, image, CARD_BYTES);
	ask_put(s, 2, 0, card, CARD_BYTES);
	ask_offer(WIRE_VERIFY, s, 3, image, CARD_BYTES);
	assert_int_equal(have(WIRE_VERIFY), CARD_BYTES);
	return s;
}

static void agent_never_answers_noise(void **state)
{
	struct rng rng;

	(void)state;
	bench_start("");
	rng_init(&rng, 5);
	for (int i = 0; i < 100000; i++) {
		uint8_t b = (uint8_t)rng_u64(&rng);

		agent_receive(&bench.agent, &b, 1);
	}
	assert_int_equal(bench.out.len, 0);
	agent_receive(&bench.agent, (const uint8_t *)"\0", 1);
	hello(1);
	buf_release(&bench.out);
}

static void agent_wants_a_session(void **state)
{
	uint32_t s;

	(void)state;
	bench_start("");
	ask(WIRE_PING, 7, 1, "\0\0\0\0\0\0\0\0\0", 9);
	expect_error(WIRE_E_SESSION);
	s = hello(1);
	assert_int_equal(hello(1), s); /* repeated */
	ask(WIRE_PING, s + 1, 1, "\0\0\0\0\0\0\0\0\0", 9);
	expect_error(WIRE_E_SESSION);
	assert_true(hello(2) != s); /* another controller: the old session is over */
	ask(WIRE_PING, s, 1, "\0\0\0\0\0\0\0\0\0", 9);
	expect_error(WIRE_E_SESSION);
	bench.leased = 1;
	ask(WIRE_HELLO, 0, 0, "\1\0\1\0\3\0\0\0", 8);
	expect_error(WIRE_E_LEASED);
	bench.leased = 0;
	ask(WIRE_HELLO, 0, 0, "\2\0\5\0\3\0\0\0", 8);
	expect_error(WIRE_E_VERSION);
	buf_release(&bench.out);
}

static void agent_names_bad_requests(void **state)
{
	struct hash image;
	uint32_t s;

	(void)state;
	bench_start("");
	s = session_with_card(&image);
	ask(0x33, s, 10, "", 0);
	expect_error(WIRE_E_UNKNOWN);
	ask(WIRE_RUN, s, 11, "short", 5);
	expect_error(WIRE_E_REQUEST);
	ask_offer(WIRE_OFFER, s, 12, &image, 1ull << 40);
	expect_error(WIRE_E_TOO_LARGE);
	ask_put(s, 13, 0, "x", 1);
	expect_error(WIRE_E_NOT_FOUND);
	hash_bytes(&image, "no", 2);
	ask_run(s, 14, &image);
	expect_error(WIRE_E_NOT_FOUND);
	ask(WIRE_FETCH, s, 15, "\1\16\0\0\0\0\0\0\0\1\0\0\0", 13);
	expect_error(WIRE_E_NOT_FOUND);
	ask(WIRE_FETCH, s, 16, "\0\0\0\0\0\377\377\0\0\1\0\0\0", 13);
	expect_error(WIRE_E_REQUEST);
	buf_release(&bench.out);
}

static void agent_takes_puts_in_order_only(void **state)
{
	static const char much[CARD_BYTES + 1];
	struct hash image;
	uint32_t s;

	(void)state;
	bench_start("");
	s = hello(11);
	hash_bytes(&image, card, CARD_BYTES);
	ask_offer(WIRE_OFFER, s, 1, &image, CARD_BYTES);
	assert_int_equal(have(WIRE_OFFER), 0);
	ask_put(s, 2, 5, card + 5, 5); /* the one before it was lost */
	assert_int_equal(have(WIRE_PUT), 0);
	ask_put(s, 3, 0, card, 10);
	assert_int_equal(have(WIRE_PUT), 10);
	ask_put(s, 4, 0, card, 10); /* again */
	assert_int_equal(have(WIRE_PUT), 10);
	ask_put(s, 3, 10, card, 10); /* late */
	assert_int_equal(bench.out.len, 0);
	ask_put(s, 5, 10, much, sizeof(much)); /* more than was offered */
	expect_error(WIRE_E_REQUEST);
	ask_put(s, 6, 10, "wrong", 5);
	ask_put(s, 7, 15, card + 15, CARD_BYTES - 15);
	assert_int_equal(have(WIRE_PUT), CARD_BYTES);
	ask_offer(WIRE_VERIFY, s, 8, &image, CARD_BYTES);
	expect_error(WIRE_E_HASH);
	ask_offer(WIRE_OFFER, s, 9, &image, CARD_BYTES);
	assert_int_equal(have(WIRE_OFFER), 0); /* thrown away */
	buf_release(&bench.out);
}

static void agent_runs_once_for_one_request(void **state)
{
	struct wire_done d;
	struct hash image;
	struct get g;
	uint32_t s;

	(void)state;
	bench_start("");
	s = session_with_card(&image);
	for (int i = 0; i < 3; i++) {
		ask_run(s, 4, &image);
		expect(WIRE_DONE, &g);
		assert_true(get_done(&g, &d));
		assert_int_equal(d.outcome, OUTCOME_OK);
	}
	ask(WIRE_PING, s, 5, "\0\0\0\0\0\0\0\0\0", 9);
	ask_run(s, 4, &image); /* below the highest, yet the last run */
	expect(WIRE_DONE, &g);
	assert_int_equal(bench.n_starts, 1);
	ask_run(s, 6, &image);
	ask_run(s, 4, &image); /* late copy of an older run */
	assert_int_equal(bench.out.len, 0);
	assert_int_equal(bench.n_starts, 2);
	buf_release(&bench.out);
}

static void agent_beats_and_cancels(void **state)
{
	struct wire_header h;
	struct wire_done d;
	struct hash image;
	struct get g;
	uint32_t s;

	(void)state;
	bench_start("");
	s = session_with_card(&image);
	bench.hold = 1;
	ask_run(s, 4, &image);
	assert_int_equal(bench.out.len, 0);
	ask_run(s, 4, &image);
	expect(WIRE_BEAT, &g);
	buf_reset(&bench.out);
	bench.now_ms += 999;
	agent_poll(&bench.agent);
	bench.now_ms += 2;
	agent_poll(&bench.agent);
	expect(WIRE_BEAT, &g);
	assert_int_equal(get_u32(&g), 1001);
	ask_offer(WIRE_OFFER, s, 5, &image, CARD_BYTES);
	expect_error(WIRE_E_BUSY);
	ask_run(s, 6, &image);
	expect_error(WIRE_E_BUSY);
	ask(WIRE_CANCEL, s, 7, "\3\0\0\0", 4); /* not that one */
	expect(WIRE_CANCEL | WIRE_ANSWER, &g);
	assert_true(agent_running(&bench.agent));
	ask(WIRE_CANCEL, s, 8, "\4\0\0\0", 4);
	assert_int_equal(answers(&h, &g), 2);
	assert_false(agent_running(&bench.agent));
	ask_run(s, 4, &image);
	expect(WIRE_DONE, &g);
	assert_true(get_done(&g, &d));
	assert_int_equal(d.outcome, OUTCOME_CANCELLED);
	buf_release(&bench.out);
}

/* Over a line */

static void peer_receive(void *self, const uint8_t *data, size_t len)
{
	agent_receive(&((struct bench *)self)->agent, data, len);
}

static void peer_poll(void *self, uint64_t now_ms)
{
	struct bench *b = self;

	b->now_ms = now_ms;
	agent_poll(&b->agent);
}

/* Each new line is damaged in its own way. */
static enum err start_loop(
	const struct device_profile *p, struct transport **out, struct err_ctx *ctx)
{
	struct loop_peer peer = {&bench, peer_receive, peer_poll};
	enum err e = transport_loop_open(out, &peer, &bench.faults, ctx);

	(void)p;
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

/* Cards with a tail of noise: up to 20 KB each. */
static void make_images(void)
{
	struct rng rng;

	rng_init(&rng, 6);
	for (int i = 0; i < N_IMAGES; i++) {
		struct buf b;

		buf_init(&b);
		buf_printf(&b, "noise HAWSER-CARD-BEGIN\nmacs_f32: %d\nn_ops: 20\nHAWSER-CARD-END\n",
			5000 * (i + 1));
		for (uint64_t n = rng_below(&rng, 20000); n > 0; n--)
			buf_putc(&b, (char)rng_below(&rng, 256));
		snprintf(images[i].path, sizeof(images[i].path), "%s/%d", dir, i);
		assert_int_equal(
			file_write_atomic(images[i].path, b.data, b.len, 0600, NULL), ERR_OK);
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
			assert_memory_equal(r.run.wall_ns, im->wall_ns, sizeof(im->wall_ns));
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
		{{.seed = 200, .corrupt = 1e-4, .drop = 1e-4, .duplicate = 1e-4}, 300, 0.95},
		{{.seed = 300, .corrupt = 3e-4, .drop = 3e-4, .duplicate = 3e-4}, 300, 0.9},
		{{.seed = 350, .corrupt = 1e-3, .drop = 1e-3, .duplicate = 1e-3}, 100, 0.7},
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
		print_message("line %zu: %u ok, %u lost of %d\n", l, t.n_ok, t.n_lost, lines[l].n);
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
	struct device *d;

	(void)state;
	bench_start("seed=9");
	assert_int_equal(device_open_with(&d, &loop_profile, &loop_driver, &ctx), ERR_OK);
	bench_start("seed=10");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agent_never_answers_noise),
		cmocka_unit_test(agent_wants_a_session),
		cmocka_unit_test(agent_names_bad_requests),
		cmocka_unit_test(agent_takes_puts_in_order_only),
		cmocka_unit_test(agent_runs_once_for_one_request),
		cmocka_unit_test(agent_beats_and_cancels),
		cmocka_unit_test(link_gives_no_wrong_result_over_a_bad_line),
		cmocka_unit_test(link_sends_an_image_again_that_the_device_dropped),
		cmocka_unit_test(link_refuses_a_device_that_comes_back_as_another),
		cmocka_unit_test(link_notices_a_device_that_forgot_its_session),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
