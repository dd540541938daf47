/* Frames on a bad line: whatever comes in, a frame that is taken is one that was sent,
 * the buffer is never left, and sound frames around the damage arrive. FUZZ_ROUNDS=N of two
 * frames each instead of the few of `make test`. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "devices/proto/frame.h"
#include "tests/fuzz/mutate.h"

#define PAYLOAD_MAX 300
#define WIRE_MAX FRAME_WIRE_BYTES(PAYLOAD_MAX)
#define N_FRAMES 3
#define GUARD 0xa5

struct sent {
	uint8_t payload[PAYLOAD_MAX];
	size_t len;
};

static size_t send_frame(struct rng *rng, struct sent *s, uint8_t *wire)
{
	size_t n;

	s->len = 1 + (size_t)rng_below(rng, PAYLOAD_MAX);
	for (size_t i = 0; i < s->len; i++)
		s->payload[i] = rng_below(rng, 3) ? (uint8_t)rng_below(rng, 256) : 0;
	s->payload[0] |= s->payload[0] == 0; /* a message's type is not 0 */
	memcpy(wire + FRAME_HEADROOM(s->len), s->payload, s->len);
	n = frame_encode(wire, wire + FRAME_HEADROOM(s->len), s->len);
	assert_true(n > 0 && n <= FRAME_WIRE_BYTES(s->len));
	return n;
}

static int was_sent(const struct sent *s, size_t n_sent, const uint8_t *payload, size_t n)
{
	for (size_t i = 0; i < n_sent; i++)
		if (s[i].len == n && memcmp(s[i].payload, payload, n) == 0)
			return 1;
	return 0;
}

static void frames_survive_damage(void **state)
{
	static uint8_t stream[N_FRAMES * WIRE_MAX + 256];
	uint8_t wire[WIRE_MAX], *buf = malloc(WIRE_MAX + 16);
	size_t arrived = 0, last_arrived = 0;
	struct sent sent[N_FRAMES];
	struct frame_decoder d;
	const char *wanted = getenv("FUZZ_ROUNDS");
	int n_rounds = wanted ? atoi(wanted) : 10000;
	struct rng rng;

	(void)state;
	assert_non_null(buf);
	assert_true(n_rounds > 0);
	rng_init(&rng, 1);
	for (int round = 0; round < n_rounds; round++) {
		size_t len = 0, n, tail;

		/* Two frames that may be damaged, and a sound one after them. */
		for (int i = 0; i < N_FRAMES - 1; i++) {
			n = send_frame(&rng, &sent[i], wire);
			memcpy(stream + len, wire, n);
			len += n;
		}
		for (uint64_t k = rng_below(&rng, 4); k; k--)
			len = mutate(&rng, stream, len, sizeof(stream) - WIRE_MAX, NULL);
		tail = send_frame(&rng, &sent[N_FRAMES - 1], wire);
		memcpy(stream + len, wire, tail);
		len += tail;

		memset(buf + WIRE_MAX, GUARD, 16);
		frame_decoder_init(&d, buf, WIRE_MAX);
		for (size_t i = 0, most; i < len;) {
			most = 1 + rng_below(&rng, len - i);
			i += frame_decoder_take(&d, stream + i, most, &n);
			if (!n)
				continue;
			if (!was_sent(sent, N_FRAMES, d.buf, n))
				fail_msg("round %d: a frame of %zu bytes nobody sent",
					round, n);
			arrived++;
			last_arrived += i == len;
		}
		for (int i = 0; i < 16; i++)
			assert_int_equal(buf[WIRE_MAX + i], GUARD);
	}
	print_message(
		"%d frames that may be damaged: %zu arrived, none that was not sent\n",
		2 * n_rounds, arrived - last_arrived);
	assert_int_equal(last_arrived, n_rounds); /* the sound frame always did */
	assert_true(arrived > (size_t)n_rounds / 2 * 3);
	assert_true(arrived < (size_t)n_rounds * N_FRAMES);
	free(buf);
}

static void frames_are_not_found_in_noise(void **state)
{
	uint8_t buf[WIRE_MAX];
	struct frame_decoder d;
	struct rng rng;
	int n_ended = 0;
	size_t n;

	(void)state;
	rng_init(&rng, 2);
	frame_decoder_init(&d, buf, sizeof(buf));
	for (int i = 0; i < 1000000; i++) {
		uint8_t byte = rng_below(&rng, 20) ? (uint8_t)rng_below(&rng, 256) : 0;

		n_ended += byte == 0 && d.len >= 5;
		assert_int_equal(frame_decoder_take(&d, &byte, 1, &n), 1);
		assert_int_equal(n, 0);
		assert_true(d.len <= sizeof(buf));
	}
	assert_true(n_ended > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_survive_damage),
		cmocka_unit_test(frames_are_not_found_in_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
