/* Errors, buffers, near words, UTF-8. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/nearest.h"
#include "src/base/utf8.h"

static void err_keeps_the_text_and_the_code(void **state)
{
	struct err_ctx ctx;

	(void)state;
	assert_int_equal(err_set(&ctx, ERR_IO, "cannot read '%s'", "x"), ERR_IO);
	assert_string_equal(ctx.msg, "cannot read 'x'");
	assert_int_equal(err_prefix(&ctx, ERR_TOOL, "step %d", 3), ERR_TOOL);
	assert_string_equal(ctx.msg, "step 3: cannot read 'x'");
}

static void err_allows_no_context(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_BUSY, "x %d", 1), ERR_BUSY);
	assert_int_equal(err_prefix(NULL, ERR_BUSY, "x %d", 1), ERR_BUSY);
}

static void err_cuts_what_is_too_long(void **state)
{
	char text[2000];
	struct err_ctx ctx;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&ctx, ERR_IO, "%s", text);
	assert_int_equal(strlen(ctx.msg), sizeof(ctx.msg) - 1);
	err_prefix(&ctx, ERR_IO, "%s", text);
	assert_int_equal(strlen(ctx.msg), sizeof(ctx.msg) - 1);
}

static void err_has_a_name_and_an_exit_code_for_every_code(void **state)
{
	static const struct {
		enum err code;
		const char *name;
		int exit_code;
	} rows[] = {
		{ERR_OK, "ok", 0},
		{ERR_NOMEM, "nomem", 1},
		{ERR_USAGE, "usage", 2},
		{ERR_IO, "io", 1},
		{ERR_NOTFOUND, "notfound", 2},
		{ERR_EXISTS, "exists", 1},
		{ERR_PARSE, "parse", 2},
		{ERR_INVALID, "invalid", 2},
		{ERR_CORRUPT, "corrupt", 1},
		{ERR_BUSY, "busy", 1},
		{ERR_FULL, "full", 1},
		{ERR_TOOL, "tool", 1},
		{ERR_DEVICE, "device", 3},
		{ERR_LINK, "link", 3},
		{ERR_TIMEOUT, "timeout", 1},
		{ERR_CANCELLED, "cancelled", 1},
		{ERR_UNSUPPORTED, "unsupported", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(err_name(rows[i].code), rows[i].name);
		assert_int_equal(err_exit_code(rows[i].code), rows[i].exit_code);
	}
	assert_string_equal(err_name((enum err)(-99)), "unknown");
	assert_int_equal(err_exit_code((enum err)(-99)), 1);
}

static void buf_grows_and_stays_terminated(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	assert_string_equal(buf_str(&b), "");
	buf_puts(&b, "");
	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 5000; i++) {
		buf_putc(&b, (char)('a' + i % 26));
		assert_int_equal(b.data[b.len], '\0');
	}
	assert_int_equal(b.len, 5000);
	assert_int_equal(b.data[4999], 'a' + 4999 % 26);
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(buf_str(&b), "");
	buf_printf(&b, "%s-%d", "x", 42);
	buf_append(&b, "\0y", 2);
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.data, "x-42\0y", 7);
	assert_int_equal(buf_err(&b, NULL), ERR_OK);
	buf_release(&b);
	assert_null(b.data);
}

static void buf_remembers_failure_until_reset(void **state)
{
	struct err_ctx ctx;
	struct buf b;

	(void)state;
	buf_init(&b);
	buf_puts(&b, "kept");
	buf_append(&b, "x", SIZE_MAX / 2);
	buf_puts(&b, "lost");
	assert_string_equal(buf_str(&b), "kept");
	assert_int_equal(buf_err(&b, &ctx), ERR_NOMEM);
	assert_string_equal(ctx.msg, "out of memory");
	buf_reset(&b);
	buf_puts(&b, "new");
	assert_string_equal(buf_str(&b), "new");
	assert_int_equal(buf_err(&b, &ctx), ERR_OK);
	buf_release(&b);
}

static void nearest_finds_the_typo_and_nothing_else(void **state)
{
	static const char *const known[] = {
		"d_model", "n_layers", "n_heads", "d_head", "d_ff", "act", NULL};
	static const struct {
		const char *word, *expected;
	} rows[] = {
		{"d_modle", "d_model"}, /* swap */
		{"dmodel", "d_model"},	/* missing */
		{"n_layer", "n_layers"},
		{"n_headss", "n_heads"},
		{"d_haed", "d_head"},
		{"act", "act"},
		{"atc", "act"},
		{"zzz", NULL},
		{"", NULL},
		{"completely_different", NULL},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaa",
			NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *found = nearest_word(rows[i].word, known);

		if (!rows[i].expected)
			assert_null(found);
		else
			assert_string_equal(found, rows[i].expected);
	}
}

static void utf8_stops_at_the_first_bad_byte(void **state)
{
	static const struct {
		const char *text;
		size_t len, valid;
	} rows[] = {
		{"", 0, 0},
		{"plain", 5, 5},
		{"a\0b", 3, 1},
		{"\xc3\xa9", 2, 2},
		{"\xc3", 1, 0},
		{"x\xc0\x80", 3, 1},	 /* overlong NUL */
		{"x\xe0\x80\xaf", 4, 1}, /* overlong slash */
		{"\xed\x9f\xbf", 3, 3},	 /* last before the surrogates */
		{"\xed\xa0\x80", 3, 0},	 /* surrogate */
		{"\xf0\x9f\x98\x80", 4, 4},
		{"\xf0\x9f\x98", 3, 0},
		{"\xf4\x8f\xbf\xbf", 4, 4}, /* U+10FFFF */
		{"\xf4\x90\x80\x80", 4, 0},
		{"\xf8\x88\x80\x80\x80", 5, 0},
		{"ab\x80", 3, 2},
		{"\xff", 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			utf8_valid_prefix(rows[i].text, rows[i].len), rows[i].valid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_keeps_the_text_and_the_code),
		cmocka_unit_test(err_allows_no_context),
		cmocka_unit_test(err_cuts_what_is_too_long),
		cmocka_unit_test(err_has_a_name_and_an_exit_code_for_every_code),
		cmocka_unit_test(buf_grows_and_stays_terminated),
		cmocka_unit_test(buf_remembers_failure_until_reset),
		cmocka_unit_test(nearest_finds_the_typo_and_nothing_else),
		cmocka_unit_test(utf8_stops_at_the_first_bad_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
