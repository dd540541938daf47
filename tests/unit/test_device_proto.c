/* Codec, checksums and frames of the device protocol. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "devices/eval_record.h"
#include "devices/proto/crc32.h"
#include "devices/proto/frame.h"
#include "devices/proto/message.h"
#include "devices/proto/record.h"
#include "src/base/hash.h"
#include "src/base/rng.h"

#define MOST 1200

static void crc32_matches_its_check_value(void **state)
{
	uint32_t split = crc32_update(crc32_update(0, "1234", 4), "56789", 5);

	(void)state;
	assert_int_equal(crc32_update(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(split, 0xcbf43926);
	assert_int_equal(crc32_update(0, "", 0), 0);
}

static void sha256_matches_the_host_library(void **state)
{
	uint8_t data[700], out[SHA256_BYTES];
	struct hash want;
	struct rng rng;

	(void)state;
	rng_init(&rng, 1);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rng_u64(&rng);
	for (size_t k = 0; k <= 2 * sizeof(data); k++) {
		size_t len = k / 2;
		size_t cut = len ? (size_t)rng_below(&rng, len + 1) : 0;
		struct sha256 s;

		sha256_init(&s);
		s.portable = s.portable ||
			     k % 2; /* with and without the processor's instructions */
		sha256_update(&s, data, cut);
		sha256_update(&s, data + cut, len - cut);
		sha256_final(&s, out);
		hash_bytes(&want, data, len);
		assert_memory_equal(out, want.b, SHA256_BYTES);
	}
}

/* Feeds bytes; the payload of the only sound frame, or -1. */
static long decode(const uint8_t *wire, size_t len, uint8_t *out)
{
	static uint8_t buf[FRAME_WIRE_BYTES(MOST)];
	struct frame_decoder d;
	long found = -1, before = -1;
	size_t n;

	frame_decoder_init(&d, buf, sizeof(buf));
	for (size_t step = 1; step <= len;
		step = step * 3 + len / 2) { /* whole at last */
		found = -1;
		for (size_t i = 0, used; i < len; i += used) {
			size_t most = len - i < step ? len - i : step;

			used = frame_decoder_take(&d, wire + i, most, &n);
			assert_true(used > 0 && used <= most);
			if (n) {
				memcpy(out, buf, n);
				found = (long)n;
			}
		}
		assert_true(step == 1 || found == before);
		before = found;
	}
	return found;
}

static size_t encode(uint8_t *wire, const uint8_t *payload, size_t n)
{
	memcpy(wire + FRAME_HEADROOM(n), payload, n);
	return frame_encode(wire, wire + FRAME_HEADROOM(n), n);
}

static void frame_returns_what_was_sent_at_every_length(void **state)
{
	uint8_t payload[MOST], wire[FRAME_WIRE_BYTES(MOST)], back[FRAME_WIRE_BYTES(MOST)];
	struct rng rng;
	size_t len;

	(void)state;
	rng_init(&rng, 2);
	for (size_t n = 1; n <= MOST; n++)
		for (int zeros = 0; zeros < 3; zeros++) {
			for (size_t i = 0; i < n; i++)
				payload[i] = zeros == 0	  ? (uint8_t)(1 + i % 255)
					     : zeros == 1 ? 0
							  : (uint8_t)rng_below(&rng, 3);
			payload[0] |= payload[0] == 0;
			len = encode(wire, payload, n);
			assert_true(len > 0 && len <= FRAME_WIRE_BYTES(n));
			assert_int_equal(wire[0], 0);
			assert_int_equal(wire[len - 1], 0);
			assert_null(memchr(wire + 1, 0, len - 2));
			assert_int_equal(decode(wire, len, back), (long)n);
			assert_memory_equal(back, payload, n);
		}
	/* Nothing, and a zero, each with its CRC. */
	assert_int_equal(decode((const uint8_t *)"\0\1\1\1\1\1\0", 7, back), -1);
	payload[0] = 0;
	len = encode(wire, payload, 1);
	assert_int_equal(decode(wire, len, back), -1);
}

static void frame_is_dropped_when_a_bit_or_a_byte_is_wrong(void **state)
{
	uint8_t payload[100], wire[FRAME_WIRE_BYTES(100)], bad[256],
		back[FRAME_WIRE_BYTES(MOST)];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 37 % 7 ? i : 0);
	len = encode(wire, payload, sizeof(payload));
	for (size_t i = 1; i + 1 < len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			memcpy(bad, wire, len);
			bad[i] = (uint8_t)(bad[i] ^ 1 << bit);
			assert_int_equal(decode(bad, len, back), -1);
		}
		/* one byte lost; one doubled */
		memcpy(bad, wire, i);
		memcpy(bad + i, wire + i + 1, len - i - 1);
		assert_int_equal(decode(bad, len - 1, back), -1);
		memcpy(bad, wire, i + 1);
		memcpy(bad + i + 1, wire + i, len - i);
		assert_int_equal(decode(bad, len + 1, back), -1);
		/* cut, and the line goes quiet */
		memcpy(bad, wire, i);
		bad[i] = 0;
		assert_int_equal(decode(bad, i + 1, back), -1);
	}
}

static void frame_decoder_recovers_after_noise(void **state)
{
	static uint8_t noise[200000];
	uint8_t wire[64], back[FRAME_WIRE_BYTES(MOST)];
	struct rng rng;
	size_t len = encode(wire, (const uint8_t *)"hello", 5);

	(void)state;
	rng_init(&rng, 3);
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)rng_u64(&rng);
	assert_int_equal(decode(noise, sizeof(noise), back), -1);
	memcpy(noise + sizeof(noise) - len, wire, len);
	assert_int_equal(decode(noise, sizeof(noise), back), 5);
	assert_memory_equal(back, "hello", 5);
}

/* CRC-32 lets one damaged frame in four thousand million through. */
static void frame_decoder_accepts_no_mutation(void **state)
{
	uint8_t payload[60], wire[FRAME_WIRE_BYTES(60)], bad[128],
		back[FRAME_WIRE_BYTES(MOST)];
	struct rng rng;
	size_t len;

	(void)state;
	rng_init(&rng, 4);
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)rng_u64(&rng);
	len = encode(wire, payload, sizeof(payload));
	for (int i = 0; i < 200000; i++) {
		unsigned edits = 1 + (unsigned)rng_below(&rng, 6);
		long n;

		memcpy(bad, wire, len);
		for (unsigned k = 0; k < edits; k++)
			bad[rng_below(&rng, len)] = (uint8_t)rng_u64(&rng);
		n = decode(bad, len, back);
		if (n >= 0) { /* the edits undid each other, or fell on equal bytes */
			assert_int_equal(n, sizeof(payload));
			assert_memory_equal(back, payload, sizeof(payload));
		}
	}
}

/* Messages: every kind, its bytes, and a decoder that returns success. */

static const struct wire_welcome welcome = {
	1, 2, 3, 512, 1, 0, 1 << 20, 4096, 40, "agent", "sensor", "note", "text", 4};
static const struct wire_board board = {
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, "cortex-m4", "mps2-an386"};
static const struct wire_done done = {OUTCOME_CRASH, 2, -11, 0, 0, 1, 13, {14, 15}, 0,
	"signal 11", 2, 3, 4, 5, 6, 7, -8, 9, 10, 11, 12, "performance", 1.5, 2.5, "why"};
static const uint8_t one[SHA256_BYTES] = {1}, two[SHA256_BYTES] = {2};
static const struct wire_run run_message = {
	one, two, MODE_TIME, 1, 3, 4, 5, 6, 7, 8, 9, 10};

static size_t build(int kind, uint8_t *out, size_t cap)
{
	struct put p;

	put_init(&p, out, cap);
	switch (kind) {
	case 0:
		put_hello(&p, &(struct wire_hello){1, 2, 3});
		break;
	case 1:
		put_welcome(&p, &welcome);
		break;
	case 2:
		put_offer(&p, &(struct wire_offer){one, 77, 5});
		break;
	case 3:
		put_have(&p, &(struct wire_have){77, 1});
		break;
	case 4:
		put_run(&p, &run_message);
		break;
	case 5:
		put_done(&p, &done);
		break;
	case 6:
		put_fetch(&p, &(struct wire_fetch){3, 4, 5});
		break;
	case 7:
		put_board(&p, &board);
		break;
	case 8:
		put_copy(&p, &(struct wire_put){1, NULL, 2, 3, 4});
		break;
	default:
		put_error(&p, &(struct wire_error){WIRE_E_BUSY, "busy"});
	}
	return p.failed ? 0 : p.len;
}

static int parse(int kind, const uint8_t *in, size_t len)
{
	union {
		struct wire_hello hello;
		struct wire_welcome welcome;
		struct wire_offer offer;
		struct wire_have have;
		struct wire_put put;
		struct wire_run run;
		struct wire_done done;
		struct wire_fetch fetch;
		struct wire_board board;
		struct wire_error error;
	} m;
	struct get g;

	get_init(&g, in, len);
	switch (kind) {
	case 0:
		return get_hello(&g, &m.hello);
	case 1:
		return get_welcome(&g, &m.welcome);
	case 2:
		return get_offer(&g, &m.offer);
	case 3:
		return get_have(&g, &m.have);
	case 4:
		return get_run(&g, &m.run);
	case 5:
		return get_done(&g, &m.done);
	case 6:
		return get_fetch(&g, &m.fetch);
	case 7:
		return get_board(&g, &m.board);
	case 8:
		return get_copy(&g, &m.put);
	default:
		return get_error(&g, &m.error);
	}
}
#define N_KINDS 10
#define DONE_FIRST (2 + 6 * 4 + 2 * 4) /* with two words */

static void message_of_any_kind_is_refused_when_short_or_long(void **state)
{
	uint8_t wire[WIRE_MIN_PAYLOAD];

	(void)state;
	for (int kind = 0; kind < N_KINDS; kind++) {
		size_t n = build(kind, wire, sizeof(wire));

		assert_true(n > 0 && n < WIRE_MIN_PAYLOAD - WIRE_HEADER_BYTES);
		assert_true(parse(kind, wire, n));
		wire[n] = 0;
		assert_true(kind == 1 || !parse(kind, wire, n + 1));
		for (size_t cut = 0; cut < n; cut++) {
			/* Any text is a description, and the first part of DONE is one. */
			if ((kind != 1 || cut < n - welcome.description_len) &&
				(kind != 5 || cut != DONE_FIRST))
				assert_false(parse(kind, wire, cut));
			assert_int_equal(build(kind, wire, cut), 0);
			build(kind, wire, sizeof(wire));
		}
	}
}

/* Fields may take other values, but no flip makes a decoder read beyond or write out of range
 * (the sanitisers watch), and texts stay printable and terminated. */
static void message_with_flipped_bits_is_still_bounded(void **state)
{
	uint8_t wire[WIRE_MIN_PAYLOAD];

	(void)state;
	for (int kind = 0; kind < N_KINDS; kind++) {
		size_t n = build(kind, wire, sizeof(wire));

		for (size_t i = 0; i < 8 * n; i++) {
			wire[i / 8] = (uint8_t)(wire[i / 8] ^ 1 << i % 8);
			parse(kind, wire, n);
			wire[i / 8] = (uint8_t)(wire[i / 8] ^ 1 << i % 8);
		}
		assert_true(parse(kind, wire, n));
	}
}

static void message_keeps_every_field(void **state)
{
	uint8_t wire[WIRE_MIN_PAYLOAD];
	struct wire_run r;
	struct wire_done d;
	struct get g;

	(void)state;
	get_init(&g, wire, build(4, wire, sizeof(wire)));
	assert_true(get_run(&g, &r));
	assert_int_equal(r.image[0], 1);
	assert_int_equal(r.input[0], 2);
	assert_int_equal(r.process_index, 3);
	assert_int_equal(r.attempt, 4);
	assert_int_equal(r.n_tokens, 8);
	assert_int_equal(r.timeout_ms, 9);
	assert_int_equal(r.memory_bytes, 10);
	get_init(&g, wire, build(5, wire, sizeof(wire)));
	assert_true(get_done(&g, &d));
	assert_int_equal(d.code, -11);
	assert_string_equal(d.detail, "signal 11");
	assert_int_equal(d.words[1], 15);
	assert_int_equal(d.temp_before_mc, -8);
	assert_true(d.energy_uj == 1.5 && d.idle_uw == 2.5);
	assert_string_equal(d.governor, "performance");
}

static void message_text_of_a_stranger_is_made_printable(void **state)
{
	uint8_t wire[64];
	struct wire_error e = {WIRE_E_IO, "a\033[31mb\n\177"};
	struct put p;
	struct get g;

	(void)state;
	put_init(&p, wire, sizeof(wire));
	put_error(&p, &e);
	get_init(&g, wire, p.len);
	assert_true(get_error(&g, &e));
	assert_string_equal(e.text, "a?[31mb??");
}

/* By these an end of another version learns that none is in common. */
static void message_of_any_version_keeps_its_bytes(void **state)
{
	uint8_t wire[32];
	struct put p;

	(void)state;
	put_init(&p, wire, sizeof(wire));
	put_header(&p, &(struct wire_header){WIRE_HELLO, 0, 3});
	put_hello(&p, &(struct wire_hello){1, 2, 3});
	assert_false(p.failed);
	assert_int_equal(p.len, 17);
	assert_memory_equal(wire, "\1\0\0\0\0\3\0\0\0\1\0\2\0\3\0\0\0", 17);
	put_init(&p, wire, sizeof(wire));
	put_error(&p, &(struct wire_error){WIRE_E_VERSION, "no"});
	assert_int_equal(p.len, 5);
	assert_memory_equal(wire, "\4\0\2no", 5);
}

/* Records */

static size_t stream(uint8_t *out, size_t cap, float sample)
{
	struct put p;
	uint64_t len;

	put_init(&p, out, cap);
	put_u32(&p, RECORD_MAGIC);
	put_record_head(&p, RECORD_GOLDEN, GOLDEN_BYTES);
	put_u32(&p, 1);
	put_u8(&p, 1);
	put_f64(&p, 0.5);
	put_u32(&p, 0);
	put_u8(&p, 2);
	put_u32(&p, 0);
	put_f32(&p, 1);
	put_f32(&p, 2);
	put_record_head(&p, RECORD_TIME, TIME_HEAD_BYTES + 16);
	put_u32(&p, 2);
	put_u32(&p, 3);
	put_u64(&p, 100);
	put_u64(&p, 200);
	put_u64(&p, 6);
	put_u32(&p, 0);
	put_u32(&p, 0);
	for (int i = 0; i < 4; i++)
		put_f32(&p, sample);
	put_record_head(&p, RECORD_OUTPUT, 3);
	put_bytes(&p, "abc", 3);
	put_record_head(&p, RECORD_OUTPUT, 2);
	put_bytes(&p, "de", 2);
	len = p.len;
	put_record_head(&p, RECORD_END, 8);
	put_u64(&p, len);
	return p.len;
}

static void record_stream_is_read_whole_or_not_at_all(void **state)
{
	uint8_t wire[512], out[8];
	struct record_summary s;
	size_t n = stream(wire, sizeof(wire), 4);

	(void)state;
	assert_true(record_scan(wire, n, &s));
	assert_int_equal(s.n_golden, 1);
	assert_int_equal(s.time.n, 2);
	assert_int_equal(s.output_bytes, 5);
	record_output(wire, n, out);
	assert_memory_equal(out, "abcde", 5);
	wire[n] = 0;
	assert_false(record_scan(wire, n + 1, &s));
	for (size_t cut = 0; cut < n; cut++)
		assert_false(record_scan(wire, cut, &s));
	for (size_t i = 0; i < 8 * n; i++) {
		wire[i / 8] = (uint8_t)(wire[i / 8] ^ 1 << i % 8);
		if (record_scan(wire, n, &s)) /* a value changed, or a known kind */
			assert_true(s.output_bytes < n);
		wire[i / 8] = (uint8_t)(wire[i / 8] ^ 1 << i % 8);
	}
}

static void record_samples_must_be_numbers(void **state)
{
	static const float bad[] = {NAN, -1, INFINITY};
	uint8_t wire[512];
	struct record_summary s;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(record_scan(wire, stream(wire, sizeof(wire), bad[i]), &s));
}

static void eval_output_is_refused_when_damaged(void **state)
{
	uint8_t wire[256];
	struct eval_reader r;
	struct eval_result e;
	struct put p;
	size_t n;

	(void)state;
	put_init(&p, wire, sizeof(wire));
	put_u32(&p, EVAL_OUT_MAGIC);
	put_u32(&p, EVAL_LOGITS);
	put_u32(&p, 1);
	put_u32(&p, 2);
	put_u32(&p, 3);
	put_u32(&p, 2);
	put_u16(&p, 1);
	put_u16(&p, 2);
	put_u16(&p, 0);
	for (int i = 0; i < 2 + 6; i++)
		put_f32(&p, (float)i);
	n = p.len;
	assert_true(eval_output_open(&r, wire, n));
	assert_int_equal(eval_output_next(&r, &e), 1);
	assert_int_equal(eval_tag(&e, 0), 2);
	assert_true(eval_logit(e.tag_logits, 5) == 7);
	assert_int_equal(eval_output_next(&r, &e), 0);
	for (size_t cut = 0; cut < n; cut++)
		assert_true(!eval_output_open(&r, wire, cut) ||
			    eval_output_next(&r, &e) == -1);
	wire[24] = 5; /* an intent that does not exist */
	assert_true(eval_output_open(&r, wire, n));
	assert_int_equal(eval_output_next(&r, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32_matches_its_check_value),
		cmocka_unit_test(sha256_matches_the_host_library),
		cmocka_unit_test(frame_returns_what_was_sent_at_every_length),
		cmocka_unit_test(frame_is_dropped_when_a_bit_or_a_byte_is_wrong),
		cmocka_unit_test(frame_decoder_recovers_after_noise),
		cmocka_unit_test(frame_decoder_accepts_no_mutation),
		cmocka_unit_test(message_of_any_kind_is_refused_when_short_or_long),
		cmocka_unit_test(message_with_flipped_bits_is_still_bounded),
		cmocka_unit_test(message_keeps_every_field),
		cmocka_unit_test(message_of_any_version_keeps_its_bytes),
		cmocka_unit_test(message_text_of_a_stranger_is_made_printable),
		cmocka_unit_test(record_stream_is_read_whole_or_not_at_all),
		cmocka_unit_test(record_samples_must_be_numbers),
		cmocka_unit_test(eval_output_is_refused_when_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
