#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/train/dataset.h"
#include "tests/unit/data_fixture.h"

/* Number of an intent or tag; fails when absent. */
static int index_of(char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return (int)i;
	fail_msg("no '%s'", name);
	return -1;
}

static void assert_utterance(const struct dataset *d, enum split s, size_t i,
	const char *text, const char *intent, const char *tags)
{
	const struct utterance *u = &d->u[s][i];
	char got[1024] = "";

	assert_true(i < d->n[s]);
	assert_string_equal(u->text, text);
	assert_int_equal(u->intent, index_of(d->intents, d->n_intents, intent));
	for (uint32_t w = 0; u->tags && w < u->n_words; w++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s",
			w ? " " : "", d->tags[u->tags[w]]);
	assert_string_equal(got, tags);
}

/* ---- tab-separated */

static void tsv_folder_reads_its_splits(void **state)
{
	struct dataset d;

	(void)state;
	fixture_clear();
	fixture_puts(
		"t/train.tsv", "\xef\xbb\xbfTurn it ON, please\tturn on\r\nOff!\toff\n");
	fixture_puts("t/dev.tsv", "now on\tturn on\n");
	fixture_puts("t/test.tsv", "off  now\toff");
	open_ok(&d, "t", NULL);
	assert_int_equal(d.kind, TASK_CLASSIFY);
	assert_int_equal(d.n[SPLIT_TRAIN], 2);
	assert_int_equal(d.n_intents, 2);
	assert_int_equal(d.n_tags, 0);
	assert_string_equal(d.name, "t");
	assert_utterance(&d, SPLIT_TRAIN, 0, "turn it on , please", "turn on", "");
	assert_utterance(&d, SPLIT_TRAIN, 1, "off !", "off", "");
	assert_utterance(&d, SPLIT_VALID, 0, "now on", "turn on", "");
	assert_utterance(&d, SPLIT_TEST, 0, "off now", "off", "");
	assert_string_equal(d.intents[0], "off"); /* by name */
	dataset_release(&d);
}

static void tsv_file_draws_valid_and_test_for_every_intent(void **state)
{
	static char text[16384];
	size_t n = 0;
	struct dataset d, again;
	size_t count[N_SPLITS][3] = {{0}};

	(void)state;
	fixture_clear();
	for (int i = 0; i < 300; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
			"text number %d of it\t%s\n", i,
			i % 3 ? i % 3 == 1 ? "x" : "y" : "z");
	fixture_write("rows.tsv", text, n);
	open_ok(&d, "rows.tsv", NULL);
	assert_int_equal(d.n[SPLIT_TEST], 30);
	assert_int_equal(d.n[SPLIT_VALID], 27);
	assert_int_equal(d.n[SPLIT_TRAIN], 243);
	assert_non_null(strstr(d.note, "no valid split given: 27 utterances drawn"));
	assert_non_null(strstr(d.note, "no test split given: 30"));
	for (int s = 0; s < N_SPLITS; s++)
		for (size_t i = 0; i < d.n[s]; i++)
			count[s][d.u[s][i].intent]++;
	for (int k = 0; k < 3; k++) {
		assert_in_range(count[SPLIT_TEST][k], 9, 11);
		assert_in_range(count[SPLIT_VALID][k], 8, 10);
	}
	open_ok(&again, "rows.tsv", "tsv");
	assert_true(hash_equal(&d.hash, &again.hash));
	dataset_release(&d);
	dataset_release(&again);
}

static void drawn_splits_share_no_sentence_with_train(void **state)
{
	static char text[16384];
	size_t n = 0;
	struct dataset d;

	(void)state;
	fixture_clear();
	for (int i = 0; i < 200; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "row %d\t%s\n", i / 2,
			i % 4 < 2 ? "x" : "y");
	n += (size_t)snprintf(text + n, sizeof(text) - n, "once x\tx\nonce y\ty\n");
	for (int i = 0; i < 20; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "only %d\tx\n", i);
	fixture_write("rows.tsv", text, n);
	open_ok(&d, "rows.tsv", NULL);
	for (int s = SPLIT_VALID; s < N_SPLITS; s++)
		for (size_t i = 0; i < d.n[s]; i++)
			for (size_t k = 0; k < d.n[SPLIT_TRAIN]; k++)
				assert_string_not_equal(
					d.u[s][i].text, d.u[SPLIT_TRAIN][k].text);
	dataset_release(&d);
}

static void tables_and_texts_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		int is_table;
	} rows[] = {
		{"a b\tx\nc d\ty\n", 1},
		{"a b\tx\nbroken\nc d\ty\n", 1},
		{"a b\tx\nbroken\nc", 0},
		{"a\tb\tc\nd\te\tf\n", 0},
		{"once upon a time\tthere\nwas\na\nline\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err_ctx ctx = {{0}};
		struct dataset d;

		fixture_clear();
		fixture_puts("file", rows[i].text);
		assert_true(dataset_open(&d, fixture_path("file"), NULL, &ctx) != ERR_OK);
		/* Both are too small, and say so in their own way. */
		assert_int_equal(!strstr(ctx.msg, "too short"), rows[i].is_table);
	}
}

/* ---- seq.in, seq.out, label */

static void write_seqio(
	const char *split, const char *in, const char *out, const char *label)
{
	char name[64];

	snprintf(name, sizeof(name), "s/%s/seq.in", split);
	fixture_puts(name, in);
	snprintf(name, sizeof(name), "s/%s/label", split);
	fixture_puts(name, label);
	snprintf(name, sizeof(name), "s/%s/seq.out", split);
	if (out)
		fixture_puts(name, out);
}

static void seqio_reads_words_tags_and_labels(void **state)
{
	struct dataset d;
	static const char *const tags[] = {"O", "B-artist", "I-artist", "B-room"};

	(void)state;
	fixture_clear();
	write_seqio("train", "Play  The Kinks \nlight in kitchen\n",
		"O B-artist I-artist \nO O B-room \n", "Play\nLight\n");
	write_seqio("dev", "play abba\n", "O B-artist\n", "Play\n");
	write_seqio("test", "play the abba\n", "O I-artist I-artist\n", "Play\n");
	open_ok(&d, "s", NULL);
	assert_int_equal(d.kind, TASK_INTENT_SLOTS);
	assert_int_equal(d.n_tags, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(d.tags[i], tags[i]);
	assert_utterance(
		&d, SPLIT_TRAIN, 0, "play the kinks", "Play", "O B-artist I-artist");
	assert_utterance(&d, SPLIT_TRAIN, 1, "light in kitchen", "Light", "O O B-room");
	assert_utterance(&d, SPLIT_VALID, 0, "play abba", "Play", "O B-artist");
	/* A span cannot open with I-. */
	assert_utterance(
		&d, SPLIT_TEST, 0, "play the abba", "Play", "O B-artist I-artist");
	assert_non_null(strstr(d.note, "1 tags I-x"));
	assert_non_null(strstr(d.note, "1 utterances put in lower case"));
	assert_int_equal(dataset_task(&d).n_tags, 4);
	dataset_release(&d);
}

/* ---- Snips 2017 */

static void snips_reads_pieces_full_files_and_latin1(void **state)
{
	struct dataset d;

	(void)state;
	fixture_clear();
	fixture_puts("n/train_Short.json", "not read, the full file is there");
	fixture_puts("n/train_Short_full.json",
		"{\"Short\": [{\"data\": [{\"text\": \"Play \"}, {\"text\": \"Caf\xe9 "
		"Tacuba\", "
		"\"entity\": \"artist\"}, {\"text\": \"'s song.\\n\"}]},"
		"{\"data\": [{\"text\": \"play more\"}]}]}");
	fixture_puts("n/train_Rate.json", "{\"Rate\": [{\"data\": [{\"text\": \"rate "
					  "\"}, {\"text\": \"x\", \"entity\": "
					  "\"name\"}, {\"text\": \" \"}, {\"text\": "
					  "\"five\", \"entity\": \"name\"}]},"
					  "{\"data\": [{\"text\": \"rate it\"}]}]}");
	fixture_puts("n/validate_Rate.json",
		"{\"Rate\": [{\"data\": [{\"text\": \"rate this\"}]}]}");
	open_ok(&d, "n", NULL);
	assert_int_equal(d.n[SPLIT_TEST], 1);
	assert_int_equal(d.n[SPLIT_VALID] + d.n[SPLIT_TRAIN], 4);
	assert_int_equal(d.n[SPLIT_VALID], 1);
	assert_non_null(strstr(d.note, "train_Short_full.json read as Latin-1"));
	assert_utterance(&d, SPLIT_TEST, 0, "rate this", "Rate", "O O");
	for (int s = 0; s < 2; s++)
		for (size_t i = 0; i < d.n[s]; i++) {
			if (strstr(d.u[s][i].text, "tacuba"))
				assert_utterance(&d, (enum split)s, i,
					"play caf\xc3\xa9 tacuba ' s song .", "Short",
					"O B-artist I-artist O O O O");
			if (strstr(d.u[s][i].text, "five"))
				assert_utterance(&d, (enum split)s, i, "rate x five",
					"Rate", "O B-name B-name");
		}
	dataset_release(&d);
}

/* ---- CLINC150 */

static void clinc_leaves_out_of_scope_out_unless_asked(void **state)
{
	struct dataset d;

	(void)state;
	fixture_clear();
	fixture_puts("c/data_full.json",
		"{\"train\": [[\"What's up?\", \"hi\"], [\"bye now\", \"bye\"]],"
		"\"val\": [[\"hello\", \"hi\"]], \"test\": [[\"see you\", \"bye\"]],"
		"\"oos_train\": [[\"who won\", \"oos\"]], \"oos_val\": [],"
		"\"oos_test\": [[\"eh\", \"oos\"]]}");
	open_ok(&d, "c", NULL);
	assert_int_equal(d.kind, TASK_CLASSIFY);
	assert_int_equal(d.n_intents, 2);
	assert_utterance(&d, SPLIT_TRAIN, 0, "what's up ?", "hi", "");
	assert_non_null(strstr(d.note, "2 out-of-scope sentences left out"));
	dataset_release(&d);
	open_ok(&d, "c/data_full.json", "clinc150-oos");
	assert_int_equal(d.n_intents, 3);
	assert_int_equal(d.n[SPLIT_TRAIN], 3);
	assert_int_equal(d.n[SPLIT_TEST], 2);
	dataset_release(&d);
}

/* ---- plain text */

static void text_splits_by_position_and_keeps_line_ends(void **state)
{
	struct dataset d;
	size_t len[N_SPLITS];

	(void)state;
	fixture_clear();
	put_story("story.txt", 1000);
	open_ok(&d, "story.txt", NULL);
	assert_int_equal(d.kind, TASK_LM);
	assert_int_equal(d.n_intents, 0);
	for (int s = 0; s < N_SPLITS; s++) {
		assert_int_equal(d.n[s], 1);
		assert_int_equal(d.u[s][0].intent, -1);
		assert_null(d.u[s][0].tags);
		len[s] = strlen(d.u[s][0].text);
	}
	assert_true(!strncmp(d.u[0][0].text, "Line 0 says this and\n\nLine 1 says", 33));
	assert_in_range(len[SPLIT_VALID] * 100 / (len[0] + len[1] + len[2]), 4, 6);
	assert_in_range(len[SPLIT_TEST] * 100 / (len[0] + len[1] + len[2]), 4, 6);
	dataset_release(&d);
}

static void text_windows_follow_each_other(void **state)
{
	struct dataset d;
	struct tokeniser_table *t;
	struct encoded e;
	struct err_ctx ctx = {{0}};

	(void)state;
	fixture_clear();
	put_story("story.txt", 400);
	open_ok(&d, "story.txt", NULL);
	assert_int_equal(tokeniser_train(&d, 60, &t, &ctx), ERR_OK);
	assert_int_equal(dataset_encode(&d, SPLIT_TRAIN, t, 60, 32, &e, &ctx), ERR_OK);
	assert_true(e.n > 10);
	for (size_t i = 0; i + 1 < e.n; i++) {
		assert_int_equal(e.start[i + 1] - e.start[i], 32);
		assert_int_equal(e.intent[i], -1);
	}
	assert_in_range(e.start[e.n] - e.start[e.n - 1], 1, 32);
	for (uint32_t i = 0; i <= e.start[e.n]; i++) /* one target behind the last */
		assert_true(e.ids[i] > TOKEN_UNK && e.ids[i] < 60);
	assert_int_equal(e.word_start[e.n], 0);
	encoded_release(&e);
	tokeniser_free(t);
	dataset_release(&d);
}

/* ---- public sets */

static void snips_has_its_published_sizes(void **state)
{
	struct err_ctx ctx = {{0}};
	struct tokeniser_table *t;
	struct dataset d;

	(void)state;
	if (!file_exists("../shared/data/snips/train/seq.in")) {
		print_message("SKIP: ../shared/data/snips is not there\n");
		skip();
	}
	assert_int_equal(dataset_open(&d, "../shared/data/snips", NULL, &ctx), ERR_OK);
	assert_int_equal(d.kind, TASK_INTENT_SLOTS);
	assert_int_equal(d.n[SPLIT_TRAIN], 13084);
	assert_int_equal(d.n[SPLIT_VALID], 700);
	assert_int_equal(d.n[SPLIT_TEST], 700);
	assert_int_equal(d.n_intents, 7);
	assert_int_equal(d.n_tags, 72);
	assert_string_equal(d.tags[0], "O");
	assert_int_equal(tokeniser_train(&d, 2000, &t, &ctx), ERR_OK);
	assert_int_equal(t->vocab_size, 2000);
	tokeniser_free(t);
	dataset_release(&d);
}

static void snips2017_has_its_published_sizes(void **state)
{
	struct err_ctx ctx = {{0}};
	struct dataset d;

	(void)state;
	if (!file_exists("../shared/data/snips2017/train_PlayMusic_full.json")) {
		print_message("SKIP: ../shared/data/snips2017 is not there\n");
		skip();
	}
	assert_int_equal(
		dataset_open(&d, "../shared/data/snips2017", NULL, &ctx), ERR_OK);
	assert_int_equal(d.n[SPLIT_TRAIN] + d.n[SPLIT_VALID], 13784);
	assert_int_equal(d.n[SPLIT_TEST], 700);
	assert_int_equal(d.n_intents, 7);
	assert_non_null(strstr(d.note, "Latin-1"));
	dataset_release(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tsv_folder_reads_its_splits),
		cmocka_unit_test(tsv_file_draws_valid_and_test_for_every_intent),
		cmocka_unit_test(drawn_splits_share_no_sentence_with_train),
		cmocka_unit_test(tables_and_texts_are_told_apart),
		cmocka_unit_test(seqio_reads_words_tags_and_labels),
		cmocka_unit_test(snips_reads_pieces_full_files_and_latin1),
		cmocka_unit_test(clinc_leaves_out_of_scope_out_unless_asked),
		cmocka_unit_test(text_splits_by_position_and_keeps_line_ends),
		cmocka_unit_test(text_windows_follow_each_other),
		cmocka_unit_test(snips_has_its_published_sizes),
		cmocka_unit_test(snips2017_has_its_published_sizes),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
