/* The agent's state machine, asked by hand, frame by frame. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/base/hash.h"
#include "src/base/rng.h"
#include "tests/unit/device_bench.h"

static void ask(
	uint8_t type, uint32_t session, uint32_t request, const void *body, size_t len)
{
	struct wire_header h = {type, session, request};
	uint8_t wire[FRAME_WIRE_BYTES(MOST)];
	size_t n = WIRE_HEADER_BYTES + len;
	struct put p;

	put_init(&p, wire + FRAME_HEADROOM(n), n);
	put_header(&p, &h);
	put_bytes(&p, body, len);
	assert_false(p.failed);
	buf_reset(&bench.out);
	agent_receive(&bench.agent, wire, frame_encode(wire, p.at, n));
}

/* The answers to what was asked last; the first one's header and body. */
static int answers(struct wire_header *h, struct get *g)
{
	static uint8_t first[FRAME_WIRE_BYTES(MOST)], buf[FRAME_WIRE_BYTES(MOST)];
	struct frame_decoder d;
	int count = 0;
	size_t n;

	frame_decoder_init(&d, buf, sizeof(buf));
	for (size_t i = 0; i < bench.out.len;) {
		i += frame_decoder_take(&d, (const uint8_t *)bench.out.data + i,
			bench.out.len - i, &n);
		if (n && count++ == 0) {
			memcpy(first, buf, n);
			get_init(g, first, n);
			assert_true(get_header(g, h));
		}
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
	assert_true(wire_code_text(e.code)[0] != '\0');
}

static void expect(uint8_t type, struct get *g)
{
	struct wire_header h;

	assert_int_equal(answers(&h, g), 1);
	assert_int_equal(h.type, type);
}

static uint32_t hello(uint32_t host_nonce)
{
	struct wire_hello m = {WIRE_VERSION, WIRE_VERSION, host_nonce};
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

static void ask_offer(uint32_t s, uint32_t rq, const struct hash *hash, uint32_t size)
{
	const struct wire_offer m = {hash->b, size, 0};
	uint8_t body[64];
	struct put p;

	put_init(&p, body, sizeof(body));
	put_offer(&p, &m);
	ask(WIRE_OFFER, s, rq, body, p.len);
}

static void ask_put(
	uint32_t s, uint32_t rq, uint32_t offset, const char *data, size_t len)
{
	struct wire_put m = {
		.offset = offset, .data = (const uint8_t *)data, .len = (uint32_t)len};
	uint8_t body[512];
	struct put p;

	put_init(&p, body, sizeof(body));
	put_put(&p, &m);
	ask(WIRE_PUT, s, rq, body, p.len);
}

static void ask_run(uint32_t s, uint32_t rq, const struct hash *image)
{
	const struct wire_run m = {.image = image->b,
		.input = image->b,
		.mode = MODE_TIME,
		.n_samples = 3,
		.timeout_ms = 1000};
	uint8_t body[256];
	struct put p;

	put_init(&p, body, sizeof(body));
	put_run(&p, &m);
	ask(WIRE_RUN, s, rq, body, p.len);
}

static uint32_t have(uint8_t type)
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
	ask_offer(s, 1, image, CARD_BYTES);
	ask_put(s, 2, 0, card, CARD_BYTES);
	ask(WIRE_VERIFY, s, 3, NULL, 0);
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
	ask(WIRE_PING, 7, 1, "ping", 4);
	expect_error(WIRE_E_SESSION);
	s = hello(1);
	assert_int_equal(hello(1), s); /* repeated */
	ask(WIRE_PING, s + 1, 1, "ping", 4);
	expect_error(WIRE_E_SESSION);
	assert_true(hello(2) != s); /* another controller: the old session is over */
	ask(WIRE_PING, s, 1, "ping", 4);
	expect_error(WIRE_E_SESSION);
	bench.leased = 1;
	ask(WIRE_HELLO, 0, 0, "\4\0\4\0\3\0\0\0", 8);
	expect_error(WIRE_E_LEASED);
	bench.leased = 0;
	ask(WIRE_HELLO, 0, 0, "\5\0\6\0\3\0\0\0", 8);
	expect_error(WIRE_E_VERSION);
	ask(WIRE_HELLO, 0, 0, "\1\0\3\0\3\0\0\0", 8);
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
	ask_offer(s, 12, &image, UINT32_MAX);
	expect_error(WIRE_E_TOO_LARGE);
	ask_put(s, 13, 0, "x", 1);
	expect_error(WIRE_E_NOT_FOUND);
	hash_bytes(&image, "no", 2);
	ask_run(s, 14, &image);
	expect_error(WIRE_E_NOT_FOUND);
	ask(WIRE_FETCH, s, 15, "\16\0\0\0\0\0\0\0\1\0\0\0", 12);
	expect_error(WIRE_E_NOT_FOUND);
	hash_bytes(&image, card, CARD_BYTES);
	ask_run(s, 14, &image); /* late copy of a RUN that was refused */
	assert_int_equal(bench.out.len, 0);
	ask_run(s, 16, &image);
	ask(WIRE_FETCH, s, 17, "\20\0\0\0\0\0\1\0\1\0\0\0", 12);
	expect_error(WIRE_E_REQUEST);
	ask(WIRE_VERIFY, s, 18, "x", 1);
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
	ask_offer(s, 1, &image, CARD_BYTES);
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
	ask(WIRE_VERIFY, s, 8, NULL, 0);
	expect_error(WIRE_E_HASH);
	ask_offer(s, 9, &image, CARD_BYTES);
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
	ask(WIRE_PING, s, 5, "ping", 4);
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
	ask_offer(s, 5, &image, CARD_BYTES);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agent_never_answers_noise),
		cmocka_unit_test(agent_wants_a_session),
		cmocka_unit_test(agent_names_bad_requests),
		cmocka_unit_test(agent_takes_puts_in_order_only),
		cmocka_unit_test(agent_runs_once_for_one_request),
		cmocka_unit_test(agent_beats_and_cancels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
