#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/rng.h"
#include "src/infer/tokenise.h"
#include "tests/unit/tokenise_fixture.h"

/* malloc'd, so that every byte behind it is out of bounds for the sanitiser. */
static uint8_t *copy(const char *data, size_t len)
{
	uint8_t *p = malloc(len ? len : 1);

	assert_non_null(p);
	if (len)
		memcpy(p, data, len);
	return p;
}

/* An accepted view must be safe with any text. */
static void use_view(const uint8_t *data, size_t len)
{
	struct tokeniser_table t;
	int32_t ids[64];
	uint32_t n;

	if (tokenise_view(&t, data, len))
		return;
	n = tokenise_text(
		&t, t.vocab_size, "turn on the \xff\xc3 light\n zz", ids, 64, NULL, NULL);
	for (uint32_t i = 0; i < n; i++)
		assert_true(ids[i] > TOKEN_PAD && (uint32_t)ids[i] < t.vocab_size);
}

static void packed_table_views_as_itself(void **state)
{
	struct tokeniser_table t;
	struct buf packed;
	uint8_t *data;

	(void)state;
	buf_init(&packed);
	tokeniser_pack(table, &packed);
	data = copy(packed.data, packed.len);
	assert_int_equal(tokenise_view(&t, data, packed.len), 0);
	assert_int_equal(t.vocab_size, table->vocab_size);
	assert_int_equal(t.n_bytes, table->n_bytes);
	assert_memory_equal(t.bytes, table->bytes, t.n_bytes);
	assert_memory_equal(t.merges, table->merges, t.n_merges * 4);
	free(data);
	buf_release(&packed);
}

static void view_refuses_every_truncation(void **state)
{
	struct buf packed;

	(void)state;
	buf_init(&packed);
	tokeniser_pack(&hand, &packed);
	for (size_t len = 0; len < packed.len; len++) {
		struct tokeniser_table t;
		uint8_t *data = copy(packed.data, len);

		assert_int_equal(tokenise_view(&t, data, len), -1);
		free(data);
	}
	buf_putc(&packed, 0);
	use_view((uint8_t *)packed.data, packed.len);
	buf_release(&packed);
}

static void view_survives_bit_flips(void **state)
{
	struct buf packed;
	struct tokeniser_table *small;
	struct err_ctx ctx = {{0}};

	(void)state;
	assert_int_equal(tokeniser_train(&home, 80, &small, &ctx), ERR_OK);
	buf_init(&packed);
	tokeniser_pack(small, &packed);
	for (size_t bit = 0; bit < 8 * packed.len; bit++) {
		uint8_t *data = copy(packed.data, packed.len);

		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		use_view(data, packed.len);
		free(data);
	}
	buf_release(&packed);
	tokeniser_free(small);
}

static void view_refuses_what_is_malformed(void **state)
{
	/* u32 n_bytes, u32 n_merges, bytes, padding, merges */
	static const struct {
		const char *what;
		uint8_t data[24];
		size_t len;
		int want;
	} rows[] = {
		{"good", {2, 0, 0, 0, 1, 0, 0, 0, ' ', 'a', 3, 0, 4, 0}, 14, 0},
		{"no bytes", {0}, 8, 0},
		{"bytes out of order", {2, 0, 0, 0, 0, 0, 0, 0, 'b', 'a'}, 10, -1},
		{"a byte twice", {2, 0, 0, 0, 0, 0, 0, 0, 'a', 'a'}, 10, -1},
		{"id of itself", {2, 0, 0, 0, 1, 0, 0, 0, ' ', 'a', 3, 0, 5, 0}, 14, -1},
		{"id of a special", {2, 0, 0, 0, 1, 0, 0, 0, ' ', 'a', 1, 0, 4, 0}, 14,
			-1},
		{"too many bytes", {1, 1, 0, 0, 0, 0, 0, 0}, 8, -1},
		{"too many merges", {0, 0, 0, 0, 255, 255, 255, 255}, 8, -1},
		{"merges beyond 16 bits", {0, 0, 0, 0, 0, 0, 1, 0}, 8, -1},
		{"bytes behind", {0, 0, 0, 0, 0, 0, 0, 0, 9}, 9, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tokeniser_table t;
		uint8_t *data = copy((const char *)rows[i].data, rows[i].len);

		if (tokenise_view(&t, data, rows[i].len) != rows[i].want)
			fail_msg("%s", rows[i].what);
		free(data);
	}
}

static void view_refuses_odd_addresses(void **state)
{
	struct tokeniser_table t;
	struct buf packed;
	uint8_t *data;

	(void)state;
	buf_init(&packed);
	buf_putc(&packed, 0);
	tokeniser_pack(&hand, &packed);
	data = copy(packed.data, packed.len);
	assert_int_equal(tokenise_view(&t, data + 1, packed.len - 1), -1);
	free(data);
	buf_release(&packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed_table_views_as_itself),
		cmocka_unit_test(view_refuses_every_truncation),
		cmocka_unit_test(view_survives_bit_flips),
		cmocka_unit_test(view_refuses_what_is_malformed),
		cmocka_unit_test(view_refuses_odd_addresses),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
