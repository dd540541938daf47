#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/train/dataset.h"
#include "tests/unit/data_fixture.h"

struct bad {
	const char *what;
	const char *file[6]; /* name, content pairs; NULL ends */
	const char *source, *format;
	enum err want;
	const char *message; /* a part of it */
};

#define TWO "a b\tx\nc d\ty\n"
#define SEQ_OK "s/train/seq.in", "a b\nc\n"

static const struct bad bad[] = {
	{"nothing there", {NULL}, "nix", NULL, ERR_NOTFOUND, "no such data set"},
	{"empty file", {"e.tsv", ""}, "e.tsv", NULL, ERR_INVALID, "e.tsv' is empty"},
	{"empty file without a suffix", {"e", ""}, "e", NULL, ERR_INVALID, "is empty"},
	{"folder of something else", {"d/x.bin", "1"}, "d", NULL, ERR_INVALID,
		"no data set"},
	{"unknown format", {"a.tsv", TWO}, "a.tsv", "csv", ERR_USAGE,
		"unknown data format"},
	{"text without label", {"a.tsv", "a b\tx\nlonely\n"}, "a.tsv", NULL, ERR_INVALID,
		"a.tsv:2: text without a label"},
	{"empty label", {"a.tsv", "a b\tx\nc\t \n"}, "a.tsv", NULL, ERR_INVALID,
		"a.tsv:2: no label"},
	{"label without text", {"a.tsv", "a b\tx\n  \ty\n"}, "a.tsv", NULL, ERR_INVALID,
		"a.tsv:2: no text"},
	{"empty line", {"a.tsv", "a b\tx\n\nc\ty\n"}, "a.tsv", NULL, ERR_INVALID,
		"a.tsv:2: an empty line"},
	{"three columns", {"a.tsv", "a\tb\tc\n"}, "a.tsv", NULL, ERR_INVALID,
		"a.tsv:1: more than two columns"},
	{"control character in a label", {"a.tsv", "a\tb\x01\n"}, "a.tsv", NULL,
		ERR_INVALID, "a.tsv:1: label"},
	{"not UTF-8", {"a.tsv", "a\tx\nb\ty\nc \xe9\tx\n"}, "a.tsv", NULL, ERR_PARSE,
		"a.tsv:3: not UTF-8 (byte 0xe9)"},
	{"overlong UTF-8", {"a.tsv", "a\xc0\x80\tx\n"}, "a.tsv", NULL, ERR_PARSE,
		":1: not UTF-8"},
	{"one class", {"a.tsv", "a\tx\nb\tx\nc\tx\n"}, "a.tsv", NULL, ERR_INVALID,
		"one label only ('x')"},
	{"too few to draw from", {"a.tsv", TWO}, "a.tsv", NULL, ERR_INVALID, "too few"},
	{"train.tsv absent", {"t/test.tsv", TWO}, "t", "tsv", ERR_NOTFOUND, "train.tsv"},
	{"an empty split", {"t/train.tsv", TWO, "t/test.tsv", ""}, "t", NULL, ERR_INVALID,
		"test.tsv' is empty"},
	{"a folder as file", {"t/train.tsv/x", "1"}, "t", "tsv", ERR_INVALID,
		"is a folder"},

	{"fewer tags",
		{SEQ_OK, "s/train/seq.out", "O O\nO O\n", "s/train/label", "x\ny\n"}, "s",
		NULL, ERR_INVALID, "seq.in:2: 1 word but 2 tags"},
	{"seq.out shorter",
		{SEQ_OK, "s/train/seq.out", "O O\n", "s/train/label", "x\ny\n"}, "s",
		NULL, ERR_INVALID, "seq.out:2: no such line"},
	{"seq.in shorter",
		{SEQ_OK, "s/train/seq.out", "O O\nO\nO\n", "s/train/label", "x\ny\nx\n"},
		"s", NULL, ERR_INVALID, "seq.in:3: no such line"},
	{"label shorter", {SEQ_OK, "s/train/seq.out", "O O\nO\n", "s/train/label", "x\n"},
		"s", NULL, ERR_INVALID, "label:2: no such line"},
	{"strange tag",
		{SEQ_OK, "s/train/seq.out", "O O\nX-a\n", "s/train/label", "x\ny\n"}, "s",
		NULL, ERR_INVALID, "seq.in:2: tag 'X-a'"},
	{"tag without a name",
		{SEQ_OK, "s/train/seq.out", "O B-\nO\n", "s/train/label", "x\ny\n"}, "s",
		NULL, ERR_INVALID, "seq.in:1: tag 'B-'"},
	{"label missing", {SEQ_OK, "s/train/seq.out", "O O\nO\n"}, "s", NULL,
		ERR_NOTFOUND, "label"},
	{"an empty line of words",
		{"s/train/seq.in", "a\n\n", "s/train/seq.out", "O\n\n", "s/train/label",
			"x\ny\n"},
		"s", NULL, ERR_INVALID, "seq.in:2: no text"},

	{"broken JSON", {"n/train_A.json", "{\"A\": ["}, "n", NULL, ERR_PARSE,
		"train_A.json:1:"},
	{"another key", {"n/train_A.json", "{\"B\": []}"}, "n", NULL, ERR_PARSE,
		"no utterances under \"A\""},
	{"no data list", {"n/train_A.json", "{\"A\": [{\"data\": 3}]}"}, "n", NULL,
		ERR_PARSE, "utterance 1: no \"data\" list"},
	{"piece without text", {"n/train_A.json", "{\"A\": [{\"data\": [{}]}]}"}, "n",
		NULL, ERR_PARSE, "utterance 1: a piece without"},
	{"entity is a number",
		{"n/train_A.json",
			"{\"A\": [{\"data\": [{\"text\": \"a\", \"entity\": 1}]}]}"},
		"n", NULL, ERR_PARSE, "utterance 1: an \"entity\""},
	{"entity with a space",
		{"n/train_A.json", "{\"A\": [{\"data\": [{\"text\": \"a\", \"entity\": "
				   "\"b c\"}]}]}"},
		"n", NULL, ERR_INVALID, "utterance 1: 1 word but 2 tags"},
	{"utterance without words",
		{"n/train_A.json", "{\"A\": [{\"data\": [{\"text\": \" \"}]}]}"}, "n",
		NULL, ERR_INVALID, "utterance 1: no text"},
	{"NUL in JSON",
		{"n/train_A.json", "{\"A\": [{\"data\": [{\"text\": \"a\\u0000b\"}]}]}"},
		"n", NULL, ERR_PARSE, "train_A.json:1:"},
	{"no such files", {"n/x.json", "{}"}, "n", "snips2017", ERR_NOTFOUND,
		"no train_<intent>"},

	{"CLINC: broken", {"c.json", "{\"train\": [[\"a\", \"b\"]"}, "c.json", NULL,
		ERR_PARSE, "c.json:1:"},
	{"CLINC: no train", {"c.json", "{\"val\": []}"}, "c.json", NULL, ERR_PARSE,
		"no list \"train\""},
	{"CLINC: row of three", {"c.json", "{\"train\": [[\"a\", \"b\", \"c\"]]}"},
		"c.json", NULL, ERR_PARSE, "train 1: not [\"text\", \"label\"]"},
	{"CLINC: list is a number",
		{"c.json", "{\"train\": [[\"a\",\"b\"]], \"val\": 3}"}, "c.json", NULL,
		ERR_PARSE, "\"val\" is no list"},
	{"CLINC: empty train", {"c.json", "{\"train\": []}"}, "c.json", NULL, ERR_INVALID,
		"no training utterances"},

	{"a short text", {"a.txt", "to be or not"}, "a.txt", NULL, ERR_INVALID,
		"too short"},
	{"a text of line ends", {"a.txt", "\n\n\n\n\n"}, "a.txt", NULL, ERR_INVALID,
		"too short"},
	{"text with Latin-1", {"a.txt", "one\ntwo\n\xfc\n"}, "a.txt", NULL, ERR_PARSE,
		"a.txt:3: not UTF-8"},

	{"saved: bad YAML", {"m/meta.yaml", "form: hawser-data\nx: [\n"}, "m", NULL,
		ERR_PARSE, "meta.yaml:"},
	{"saved: keys missing", {"m/meta.yaml", "form: hawser-data\nname: x\n"}, "m",
		NULL, ERR_INVALID, "meta.yaml"},
	{"saved: unknown key", {"m/meta.yaml", "form: hawser-data\nnaem: x\n"}, "m", NULL,
		ERR_INVALID, "did you mean 'name'"},
};

static void bad_sources_end_with_a_clear_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct bad *b = &bad[i];
		struct err_ctx ctx = {{0}};
		struct dataset d = {.n_tags = 77};
		enum err e;

		fixture_clear();
		for (size_t k = 0; k < 6 && b->file[k]; k += 2)
			fixture_puts(b->file[k], b->file[k + 1]);
		e = dataset_open(&d, fixture_path(b->source), b->format, &ctx);
		if (e != b->want || !strstr(ctx.msg, b->message))
			fail_msg("%s: %s, '%s'", b->what, err_name(e), ctx.msg);
		assert_int_equal(d.n_tags, 77); /* untouched */
	}
}

static void nul_bytes_are_refused_with_their_line(void **state)
{
	static const char rows[] = "a\tx\nb\0c\ty\n";
	struct err_ctx ctx = {{0}};
	struct dataset d;

	(void)state;
	fixture_clear();
	fixture_write("a.tsv", rows, sizeof(rows) - 1);
	assert_int_equal(dataset_open(&d, fixture_path("a.tsv"), NULL, &ctx), ERR_PARSE);
	assert_non_null(strstr(ctx.msg, "a.tsv:2: a NUL byte"));
}

static void absurd_sizes_are_refused(void **state)
{
	static char text[200000];
	struct err_ctx ctx = {{0}};
	struct dataset d;

	(void)state;
	fixture_clear();
	memset(text, 'w', sizeof(text));
	memcpy(text + sizeof(text) - 3, "\tx\n", 3);
	fixture_write("a.tsv", text, sizeof(text));
	assert_int_equal(
		dataset_open(&d, fixture_path("a.tsv"), NULL, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "a.tsv:1: a text of 199997 bytes"));
	for (size_t i = 0; i < 12000; i += 2)
		memcpy(text + i, "w ", 2);
	memcpy(text + 12000, "\tx\n", 3);
	fixture_write("a.tsv", text, 12003);
	assert_int_equal(
		dataset_open(&d, fixture_path("a.tsv"), NULL, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "6000 words"));
	memset(text, 'l', 1000);
	memcpy(text, "a\t", 2);
	fixture_write("a.tsv", text, 1000);
	assert_int_equal(
		dataset_open(&d, fixture_path("a.tsv"), NULL, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "label of 998 bytes"));
	memset(text, 'p', 2000);
	text[2000] = '\0';
	assert_int_equal(dataset_open(&d, text, NULL, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "path too long"));
}

/* Cut anywhere, a source gives a set or an error, and neither crash nor leak. */
static void truncated_sources_never_crash(void **state)
{
	static const struct {
		const char *name, *source, *text;
	} rows[] = {
		{"a.tsv", "a.tsv",
			"one two\tx\nthree \xc3\xa9\ty\nfour, five\tx\nsix\ty\n"},
		{"n/train_A.json", "n",
			"{\"A\": [{\"data\": [{\"text\": \"a \"}, {\"text\": "
			"\"b\\u00e9\", "
			"\"entity\": \"e\"}]}, {\"data\": [{\"text\": \"c\"}]}]}"},
		{"c.json", "c.json",
			"{\"train\": [[\"a\", \"x\"], [\"b\", \"y\"], [\"c\", \"x\"], "
			"[\"d\", "
			"\"y\"]], \"val\": [[\"a\", \"x\"]], \"test\": [[\"a\", "
			"\"x\"]]}"},
		{"m/meta.yaml", "m",
			"form: hawser-data\nversion: 1\nname: \"x\"\nnote: \"\"\nkind: "
			"classify\n"
			"hash: \"00\"\nintents:\n  - \"x\"\ntags: []\n"},
	};
	int n_ok = 0, n_bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t len = 0; len <= strlen(rows[i].text); len++) {
			struct err_ctx ctx = {{0}};
			struct dataset d;

			fixture_clear();
			fixture_write(rows[i].name, rows[i].text, len);
			if (dataset_open(&d, fixture_path(rows[i].source), NULL, &ctx)) {
				assert_true(ctx.msg[0] != '\0');
				n_bad++;
			} else {
				dataset_release(&d);
				n_ok++;
			}
		}
	}
	assert_true(n_ok > 0 && n_bad > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_sources_end_with_a_clear_error),
		cmocka_unit_test(nul_bytes_are_refused_with_their_line),
		cmocka_unit_test(absurd_sizes_are_refused),
		cmocka_unit_test(truncated_sources_never_crash),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
