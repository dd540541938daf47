/* What a new image has in common with the one before is copied there instead of sent; whatever
 * the device has lost meanwhile, the bytes that arrive are right. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "devices/delta.h"
#include "devices/link.h"
#include "src/base/hash.h"
#include "src/base/rng.h"
#include "tests/unit/device_bench.h"

#define SIZE 40000

static uint64_t carried; /* bytes that went to the agent */

static void peer_receive(void *self, const uint8_t *data, size_t len)
{
	carried += len;
	agent_receive(&((struct bench *)self)->agent, data, len);
}

static void peer_poll(void *self, uint64_t now_ms)
{
	(void)self;
	bench.now_ms = now_ms;
}

static struct link l;
static uint8_t first[SIZE], second[SIZE + 5000];

static void connect(void)
{
	struct loop_peer peer = {&bench, peer_receive, peer_poll};
	struct err_ctx ctx = {{0}};
	struct transport *t;

	bench_start("seed=1");
	assert_int_equal(transport_loop_open(&t, &peer, &bench.faults, &ctx), ERR_OK);
	bench.line = t;
	link_init(&l);
	link_attach(&l, t);
	assert_int_equal(link_hello(&l, &ctx), ERR_OK);
}

static int make(void **state)
{
	struct rng rng;

	(void)state;
	rng_init(&rng, 3);
	for (size_t i = 0; i < SIZE; i++)
		first[i] = (uint8_t)rng_below(&rng, 256);
	/* Changed, then shifted by 1000 bytes that are new, and once more the middle. */
	memcpy(second, first, 20000);
	second[5000] ^= 1;
	for (size_t i = 0; i < 1000; i++)
		second[20000 + i] = (uint8_t)rng_below(&rng, 256);
	memcpy(second + 21000, first + 20000, 20000);
	memcpy(second + 41000, first + 15000, 4000);
	return 0;
}

/* Uploads, and looks into the device's memory. */
static uint64_t upload(const uint8_t *data, size_t len, int is_image)
{
	struct err_ctx ctx = {{0}};
	const uint8_t *there;
	struct hash hash;
	size_t size;

	hash_bytes(&hash, data, len);
	carried = 0;
	if (link_upload(&l, &(struct link_content){hash.b, data, len, is_image, 0, 0}, &ctx))
		fail_msg("%s", ctx.msg);
	there = ram_store_find(&bench.sim.store, hash.b, &size);
	assert_non_null(there);
	assert_int_equal(size, len);
	assert_memory_equal(there, data, len);
	return carried;
}

static void only_what_differs_is_sent(void **state)
{
	(void)state;
	connect();
	assert_true(upload(first, SIZE, 1) > SIZE);
	assert_in_range(upload(second, 45000, 1), 1001, 1700);
	/* Back again: nothing is new but the one byte. */
	first[39999] ^= 1;
	assert_in_range(upload(first, SIZE, 1), 1, 900);
	link_close(&l);
}

static void input_is_no_image_to_copy_from(void **state)
{
	(void)state;
	connect();
	upload(first, SIZE, 1);
	assert_true(upload(second, 45000, 0) > 45000);
	assert_true(upload(second + 1, 44999, 1) < 2000); /* of `first` */
	link_close(&l);
}

static void image_is_sent_whole_where_the_old_one_is_lost(void **state)
{
	(void)state;
	connect();
	upload(first, SIZE, 1);
	bench.sim.store.n = 0; /* dropped for want of room */
	assert_true(upload(second, 45000, 1) > 45000);
	/* Another session knows nothing of it. */
	assert_int_equal(link_hello(&l, NULL), ERR_OK);
	first[0] ^= 1;
	assert_true(upload(first, SIZE, 1) > SIZE);
	link_close(&l);
}

/* The old image was written over, as a program can: the hash decides, and all is sent. */
static void image_is_sent_whole_where_the_old_one_is_damaged(void **state)
{
	const uint8_t *there;
	struct hash hash;
	size_t size;

	(void)state;
	connect();
	upload(first, SIZE, 1);
	hash_bytes(&hash, first, SIZE);
	there = ram_store_find(&bench.sim.store, hash.b, &size);
	bench.memory[(size_t)(there - bench.memory) + 30000] ^= 1;
	assert_true(upload(second, 45000, 1) > 45000);
	link_close(&l);
}

static void plan_covers_each_byte_as_it_is(void **state)
{
	struct rng rng;

	(void)state;
	rng_init(&rng, 11);
	for (int round = 0; round < 200; round++) {
		size_t old_len = rng_below(&rng, 4000), len = rng_below(&rng, 4000),
		       end = 0;
		uint8_t old[4000], data[4000];
		struct delta d;

		for (size_t i = 0; i < old_len; i++)
			old[i] = (uint8_t)rng_below(&rng, 2);
		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)(i % 700 < 600 && i < old_len
						    ? old[(i + 13) % old_len]
						    : rng_below(&rng, 256));
		assert_int_equal(delta_plan(&d, old, old_len, data, len, NULL), ERR_OK);
		for (size_t i = 0; i < d.n; i++) {
			const struct delta_copy *c = &d.copies[i];

			assert_true(c->at >= end && c->len >= DELTA_MIN_BYTES);
			end = c->at + c->len;
			assert_true(end <= len && c->from + c->len <= old_len);
			assert_memory_equal(data + c->at, old + c->from, c->len);
		}
		delta_release(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_what_differs_is_sent, make),
		cmocka_unit_test_setup(input_is_no_image_to_copy_from, make),
		cmocka_unit_test_setup(
			image_is_sent_whole_where_the_old_one_is_lost, make),
		cmocka_unit_test_setup(
			image_is_sent_whole_where_the_old_one_is_damaged, make),
		cmocka_unit_test(plan_covers_each_byte_as_it_is),
	};

	return cmocka_run_group_tests_name("device delta", tests, NULL, NULL);
}
