#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "src/base/hash.h"

/* FIPS 180-2, appendix B, and the empty message. */
static void hash_agrees_with_the_standard(void **state)
{
	static const struct {
		const char *text, *hex;
	} rows[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a"
			"d"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
			"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c"
			"1"},
	};
	char hex[HASH_HEX + 1];
	struct hash h;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hash_bytes(&h, rows[i].text, strlen(rows[i].text));
		hash_to_hex(&h, hex);
		assert_string_equal(hex, rows[i].hex);
	}
}

static void hash_is_the_same_in_pieces(void **state)
{
	char block[1000], hex[HASH_HEX + 1];
	struct hash_state st;
	struct hash h;

	(void)state;
	memset(block, 'a', sizeof(block));
	hash_init(&st);
	for (int i = 0; i < 1000; i++)
		hash_update(&st, block, sizeof(block));
	hash_update(&st, NULL, 0);
	hash_final(&st, &h);
	hash_to_hex(&h, hex);
	assert_string_equal(
		hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void hash_keeps_fields_apart(void **state)
{
	struct hash_state st;
	struct hash a, b;

	(void)state;
	hash_init(&st);
	hash_field_str(&st, "ab");
	hash_field_str(&st, "c");
	hash_final(&st, &a);
	hash_init(&st);
	hash_field_str(&st, "a");
	hash_field_str(&st, "bc");
	hash_final(&st, &b);
	assert_false(hash_equal(&a, &b));
	assert_true(hash_equal(&a, &a));
}

static void hash_reads_back_its_hex_and_refuses_others(void **state)
{
	static const char *const bad[] = {"", "00",
		"E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8550"};
	char hex[HASH_HEX + 1];
	struct hash h, back;

	(void)state;
	hash_bytes(&h, "x", 1);
	hash_to_hex(&h, hex);
	memset(&back, 0, sizeof(back));
	assert_true(hash_from_hex(&back, hex));
	assert_true(hash_equal(&h, &back));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(hash_from_hex(&back, bad[i]));
		assert_true(hash_equal(&h, &back)); /* untouched */
	}
}

static void hash_u64_is_little_endian(void **state)
{
	struct hash h = {{1, 2, 3, 4, 5, 6, 7, 8, 9}};

	(void)state;
	assert_true(hash_u64(&h) == 0x0807060504030201u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_agrees_with_the_standard),
		cmocka_unit_test(hash_is_the_same_in_pieces),
		cmocka_unit_test(hash_keeps_fields_apart),
		cmocka_unit_test(hash_reads_back_its_hex_and_refuses_others),
		cmocka_unit_test(hash_u64_is_little_endian),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
