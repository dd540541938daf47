#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/file.h"
#include "src/base/yaml.h"

static struct yaml_doc *parse(const char *text)
{
	struct yaml_doc *doc = NULL;
	struct err_ctx ctx;

	if (yaml_parse(&doc, text, "t", &ctx))
		fail_msg("%s", ctx.msg);
	return doc;
}

static void yaml_gives_typed_access(void **state)
{
	struct yaml_doc *doc = parse("name: 'x y'\n"
				     "n: -7\n"
				     "list: [1.5, 2e3, .25]\n"
				     "map:\n"
				     "  b: \"\"\n"
				     "  a: |\n"
				     "    two\n"
				     "    lines\n");
	const struct yaml_node *root = yaml_root(doc), *list, *map;
	const char *s;
	int64_t n;
	double d;

	(void)state;
	assert_int_equal(yaml_kind(root), YAML_MAPPING);
	assert_int_equal(yaml_count(root), 4);
	assert_string_equal(yaml_key(root, 2), "list");
	assert_null(yaml_key(root, 4));
	assert_null(yaml_get(root, "none"));
	assert_int_equal(yaml_str(doc, yaml_get(root, "name"), &s, NULL), ERR_OK);
	assert_string_equal(s, "x y");
	assert_int_equal(yaml_int(doc, yaml_get(root, "n"), -10, 10, &n, NULL), ERR_OK);
	assert_int_equal(n, -7);
	list = yaml_get(root, "list");
	assert_int_equal(yaml_kind(list), YAML_SEQUENCE);
	assert_int_equal(yaml_count(list), 3);
	assert_int_equal(yaml_double(doc, yaml_item(list, 1), 0, 1e9, &d, NULL), ERR_OK);
	assert_true(d == 2000);
	assert_null(yaml_item(list, 3));
	assert_null(yaml_value(list, 0));
	assert_null(yaml_get(list, "x"));
	map = yaml_get(root, "map");
	assert_string_equal(yaml_key(map, 0), "b"); /* order of the file */
	assert_int_equal(yaml_str(doc, yaml_value(map, 0), &s, NULL), ERR_OK);
	assert_string_equal(s, "");
	assert_int_equal(yaml_str(doc, yaml_value(map, 1), &s, NULL), ERR_OK);
	assert_string_equal(s, "two\nlines\n");
	assert_int_equal(yaml_kind(yaml_value(map, 1)), YAML_SCALAR);
	assert_int_equal(yaml_count(yaml_value(map, 1)), 0);
	yaml_close(doc);
	yaml_close(NULL);
}

static void yaml_shares_what_an_alias_names(void **state)
{
	struct yaml_doc *doc = parse("a: &x [1, 2]\nb: *x\nc: &y 3\nd: [*y, *x]\n");
	const struct yaml_node *root = yaml_root(doc);
	int64_t n;

	(void)state;
	assert_ptr_equal(yaml_get(root, "a"), yaml_get(root, "b"));
	assert_int_equal(
		yaml_int(doc, yaml_item(yaml_get(root, "d"), 0), 0, 9, &n, NULL), ERR_OK);
	assert_int_equal(n, 3);
	yaml_close(doc);
}

/* Ten levels of ten aliases are 10^10 values; sharing keeps them at a hundred nodes. */
static void yaml_is_not_blown_up_by_aliases(void **state)
{
	struct yaml_doc *doc;
	struct buf b;

	(void)state;
	buf_init(&b);
	buf_puts(&b, "l0: &l0 [x]\n");
	for (int i = 1; i <= 10; i++) {
		buf_printf(&b, "l%d: &l%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_printf(&b, "*l%d%s", i - 1, k < 9 ? ", " : "]\n");
	}
	doc = parse(buf_str(&b));
	assert_int_equal(yaml_count(yaml_get(yaml_root(doc), "l10")), 10);
	yaml_close(doc);
	buf_release(&b);
}

static void yaml_refuses_bad_documents_at_their_place(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"", "t:1:1: the document is empty"},
		{"# only a comment\n", "t:2:1: the document is empty"},
		{"a: 1\nb: 2\na: 3\n", "t:3:1: key 'a' is given twice (first on line 1)"},
		{"a:\n  b: 1\n  b: 2\n",
			"t:3:3: key 'b' is given twice (first on line 2)"},
		{"{a: 1, a: 2}", "t:1:8: key 'a' is given twice (first on line 1)"},
		{"a: 1\n---\nb: 2\n",
			"t:2:1: a second document starts here; only one is allowed"},
		{"a: *none\n", "t:1:5: no anchor '&none' before this alias"},
		{"a: &x [*x]\n", "t:1:9: alias '*x' contains itself"},
		{"a: !!int 3\n", "t:1:10: tags ('!...') are not supported"},
		{"[a, b]: 3\n", "t:1:1: a key must be plain text"},
		{"a: \xff\n", "t:1:4: not valid UTF-8 text"},
		{"a: \xc3\xa9\nb: \xc3\xa9\xc3", "t:2:5: not valid UTF-8 text"},
		{"a: [1, 2\n", "t:2:1: flow sequence without a closing bracket"},
		{"a: \"x\n", "t:1:5: double-quoted scalar without closing quote"},
	};
	struct yaml_doc *untouched = (struct yaml_doc *)&rows, *doc;
	struct err_ctx ctx;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		doc = untouched;
		assert_int_equal(yaml_parse(&doc, rows[i].text, "t", &ctx), ERR_PARSE);
		assert_string_equal(ctx.msg, rows[i].message);
		assert_ptr_equal(doc, untouched);
	}
}

static void yaml_bounds_depth_keys_and_size(void **state)
{
	struct yaml_doc *doc;
	struct err_ctx ctx;
	struct buf b;

	(void)state;
	buf_init(&b);
	for (int i = 0; i < 1000; i++)
		buf_putc(&b, '[');
	assert_int_equal(yaml_parse(&doc, buf_str(&b), "t", &ctx), ERR_PARSE);
	buf_reset(&b);
	for (int i = 0; i < 5000; i++)
		buf_printf(&b, "k%d: 1\n", i);
	assert_int_equal(yaml_parse(&doc, buf_str(&b), "t", &ctx), ERR_PARSE);
	assert_string_equal(ctx.msg, "t:4097:1: more than 4096 keys in one mapping");
	buf_reset(&b);
	for (int i = 0; i < 2000; i++)
		buf_printf(&b, "- &k%d 1\n", i);
	assert_int_equal(yaml_parse(&doc, buf_str(&b), "t", &ctx), ERR_PARSE);
	assert_string_equal(ctx.msg, "t:1025:10: too many anchors");
	buf_reset(&b);
	while (b.len <= 1u << 20)
		buf_puts(&b, "- aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
	assert_int_equal(yaml_parse(&doc, buf_str(&b), "t", &ctx), ERR_INVALID);
	buf_release(&b);
}

static const char *const known[] = {"d_model", "n_layers", "list", NULL};

static void yaml_check_keys_names_the_stranger(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"d_model: 1\nn_layers: 2\n", NULL},
		{"d_model: 1\n  \nd_modle: 2\n",
			"t:3:1: unknown key 'd_modle' (did you mean 'd_model'?)"},
		{"zzz: 1\n", "t:1:1: unknown key 'zzz'"},
		{"- 1\n", "t:1:1: expected a mapping (key: value), found a list"},
		{"x\n", "t:1:1: expected a mapping (key: value), found a value"},
	};
	struct err_ctx ctx;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct yaml_doc *doc = parse(rows[i].text);
		enum err e = yaml_check_keys(doc, yaml_root(doc), known, &ctx);

		assert_int_equal(e, rows[i].message ? ERR_INVALID : ERR_OK);
		if (rows[i].message)
			assert_string_equal(ctx.msg, rows[i].message);
		yaml_close(doc);
	}
}

static void yaml_require_says_which_key_is_missing(void **state)
{
	struct yaml_doc *doc = parse("a:\n  b: 1\n");
	const struct yaml_node *a = yaml_get(yaml_root(doc), "a"), *out = NULL;
	struct err_ctx ctx;

	(void)state;
	assert_int_equal(yaml_require(doc, a, "b", &out, &ctx), ERR_OK);
	assert_ptr_equal(out, yaml_get(a, "b"));
	assert_int_equal(yaml_require(doc, a, "c", &out, &ctx), ERR_INVALID);
	assert_string_equal(ctx.msg, "t:2:3: missing key 'c'");
	assert_ptr_equal(out, yaml_get(a, "b"));
	assert_int_equal(yaml_require(doc, out, "c", &out, &ctx), ERR_INVALID);
	yaml_close(doc);
}

static void yaml_scalars_are_checked(void **state)
{
	static const struct {
		char type; /* i, d, b, s */
		const char *text, *message;
	} rows[] = {
		{'i', "x: 5", NULL},
		{'i', "x: +5", NULL},
		{'i', "x: -5", "t:1:4: '-5' is not in 0 to 9"},
		{'i', "x: 10", "t:1:4: '10' is not in 0 to 9"},
		{'i', "x: 99999999999999999999",
			"t:1:4: '99999999999999999999' is not in 0 to 9"},
		{'i', "x: 5.0", "t:1:4: '5.0' is not a whole number"},
		{'i', "x: 0x5", "t:1:4: '0x5' is not a whole number"},
		{'i', "x: 5 6", "t:1:4: '5 6' is not a whole number"},
		{'i', "x: '-'", "t:1:4: '-' is not a whole number"},
		{'i', "x: ''", "t:1:4: '' is not a whole number"},
		{'i', "x:", "t:1:1: a value is missing"},
		{'i', "x: [5]", "t:1:4: expected a value, found a list"},
		{'i', "x: {y: 5}",
			"t:1:4: expected a value, found a mapping (key: value)"},
		{'d', "x: 0.5", NULL},
		{'d', "x: 1e-3", NULL},
		{'d', "x: nan", "t:1:4: 'nan' is not a finite number"},
		{'d', "x: .nan", "t:1:4: '.nan' is not a finite number"},
		{'d', "x: inf", "t:1:4: 'inf' is not a finite number"},
		{'d', "x: 1e999", "t:1:4: '1e999' is not in 0 to 1"},
		{'d', "x: -0.5", "t:1:4: '-0.5' is not in 0 to 1"},
		{'d', "x: 0x1p-1", "t:1:4: '0x1p-1' is not a finite number"},
		{'d', "x: 1,5", "t:1:4: '1,5' is not a finite number"},
		{'s', "x: text", NULL},
		{'s', "x:\ny: 1", "t:1:1: a value is missing"},
		{'s', "x: [a]", "t:1:4: expected a value, found a list"},
	};
	struct err_ctx ctx;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct yaml_doc *doc = parse(rows[i].text);
		const struct yaml_node *x = yaml_get(yaml_root(doc), "x");
		const char *s;
		int64_t n;
		double d;
		enum err e = rows[i].type == 'i'   ? yaml_int(doc, x, 0, 9, &n, &ctx)
			     : rows[i].type == 'd' ? yaml_double(doc, x, 0, 1, &d, &ctx)
						   : yaml_str(doc, x, &s, &ctx);

		if (rows[i].message)
			assert_string_equal(ctx.msg, rows[i].message);
		assert_int_equal(e, rows[i].message ? ERR_INVALID : ERR_OK);
		yaml_close(doc);
	}
}

static void yaml_open_names_the_file(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char path[512], expected[600];
	struct yaml_doc *doc;
	struct err_ctx ctx;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/hawser-yaml.XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a: 1\nb: \0\n", 10), 10);
	close(fd);
	assert_int_equal(yaml_open(&doc, path, &ctx), ERR_PARSE);
	snprintf(expected, sizeof(expected), "%s:2:4: not valid UTF-8 text", path);
	assert_string_equal(ctx.msg, expected);
	assert_int_equal(file_write_atomic(path, "a: 1\n", 5, 0644, NULL), ERR_OK);
	assert_int_equal(yaml_open(&doc, path, &ctx), ERR_OK);
	yaml_err(doc, yaml_get(yaml_root(doc), "a"), ERR_INVALID, &ctx, "no %s", "good");
	snprintf(expected, sizeof(expected), "%s:1:4: no good", path);
	assert_string_equal(ctx.msg, expected);
	yaml_err(doc, NULL, ERR_INVALID, &ctx, "as a whole");
	snprintf(expected, sizeof(expected), "%s: as a whole", path);
	assert_string_equal(ctx.msg, expected);
	yaml_close(doc);
	unlink(path);
	assert_int_equal(yaml_open(&doc, path, &ctx), ERR_NOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_gives_typed_access),
		cmocka_unit_test(yaml_shares_what_an_alias_names),
		cmocka_unit_test(yaml_is_not_blown_up_by_aliases),
		cmocka_unit_test(yaml_refuses_bad_documents_at_their_place),
		cmocka_unit_test(yaml_bounds_depth_keys_and_size),
		cmocka_unit_test(yaml_check_keys_names_the_stranger),
		cmocka_unit_test(yaml_require_says_which_key_is_missing),
		cmocka_unit_test(yaml_scalars_are_checked),
		cmocka_unit_test(yaml_open_names_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
