#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/train/dataset.h"
#include "tests/unit/data_fixture.h"

static void assert_round_trip(const struct dataset *d)
{
	struct err_ctx ctx = {{0}};
	struct dataset back;

	if (dataset_save(d, fixture_path("saved/here"), &ctx))
		fail_msg("%s", ctx.msg);
	open_ok(&back, "saved/here", NULL);
	assert_true(hash_equal(&d->hash, &back.hash));
	assert_string_equal(d->name, back.name);
	assert_string_equal(d->note, back.note);
	assert_int_equal(d->kind, back.kind);
	for (int s = 0; s < N_SPLITS; s++)
		assert_int_equal(d->n[s], back.n[s]);
	dataset_release(&back);
	assert_int_equal(dataset_save(d, fixture_path("saved/here"), &ctx), ERR_OK);
}

static void saving_and_opening_gives_the_same_set(void **state)
{
	struct err_ctx ctx = {{0}};
	struct dataset d;

	(void)state;
	fixture_clear();
	assert_int_equal(dataset_open(&d, "builtin:home?n=200", NULL, &ctx), ERR_OK);
	assert_round_trip(&d);
	dataset_shuffle_labels(&d, 4);
	assert_round_trip(&d);
	dataset_release(&d);

	fixture_clear();
	fixture_puts(
		"t/train.tsv", "a \"b\"\tl 'one': #\nc\tl \\two\"\ne f\tnull\ng\t- x\n");
	fixture_puts("t/valid.tsv", "c c\tnull\n");
	fixture_puts("t/test.tsv", "a c\tnull\n");
	open_ok(&d, "t", NULL);
	assert_round_trip(&d);
	dataset_release(&d);

	fixture_clear();
	put_story("story.txt", 300);
	open_ok(&d, "story.txt", NULL);
	assert_round_trip(&d);
	dataset_release(&d);

	fixture_clear();
	fixture_puts("long.txt", "");
	{
		static char line[8000]; /* one line: cut at spaces */

		for (size_t i = 0; i < sizeof(line); i += 8)
			memcpy(line + i, "word on ", 8);
		fixture_write("long.txt", line, sizeof(line));
	}
	open_ok(&d, "long.txt", NULL);
	assert_round_trip(&d);
	dataset_release(&d);
}

static void saved_sets_notice_a_change(void **state)
{
	struct err_ctx ctx = {{0}};
	struct dataset d, back;

	(void)state;
	fixture_clear();
	assert_int_equal(dataset_open(&d, "builtin:home?n=100", NULL, &ctx), ERR_OK);
	assert_int_equal(dataset_save(&d, fixture_path("v"), &ctx), ERR_OK);
	fixture_puts("v/test/label", "nonsense\n");
	assert_true(dataset_open(&back, fixture_path("v"), NULL, &ctx) != ERR_OK);
	assert_int_equal(dataset_save(&d, fixture_path("v"), &ctx), ERR_OK);
	{
		char in[8192] = "";

		/* Another first word in one sentence. */
		for (size_t i = 0; i < d.n[SPLIT_TEST]; i++)
			snprintf(in + strlen(in), sizeof(in) - strlen(in), "%s%s\n",
				i ? "" : "x", d.u[SPLIT_TEST][i].text);
		fixture_puts("v/test/seq.in", in);
	}
	assert_int_equal(dataset_open(&back, fixture_path("v"), NULL, &ctx), ERR_CORRUPT);
	assert_non_null(strstr(ctx.msg, "not as it was saved"));
	dataset_release(&d);
}

static void saving_does_not_touch_other_folders(void **state)
{
	struct err_ctx ctx = {{0}};
	struct dataset d;

	(void)state;
	fixture_clear();
	fixture_puts("mine/train/seq.in", "precious\n");
	fixture_puts("file", "x");
	assert_int_equal(dataset_open(&d, "builtin:home?n=100", NULL, &ctx), ERR_OK);
	assert_int_equal(dataset_save(&d, fixture_path("mine"), &ctx), ERR_EXISTS);
	assert_int_equal(dataset_save(&d, fixture_path("file"), &ctx), ERR_EXISTS);
	assert_false(file_exists(fixture_path("mine/meta.yaml")));
	assert_int_equal(dataset_save(&d, "/proc/no/such/place", &ctx) < 0, 1);
	dataset_release(&d);
}

/* ---- encoding */

static void encoding_marks_words_tags_and_cuts(void **state)
{
	struct err_ctx ctx = {{0}};
	struct tokeniser_table *t;
	struct dataset d;
	struct encoded whole, cut;

	(void)state;
	assert_int_equal(dataset_open(&d, "builtin:home?n=300", NULL, &ctx), ERR_OK);
	assert_int_equal(tokeniser_train(&d, 150, &t, &ctx), ERR_OK);
	assert_int_equal(
		dataset_encode(&d, SPLIT_TEST, t, 150, 400, &whole, &ctx), ERR_OK);
	assert_int_equal(dataset_encode(&d, SPLIT_TEST, t, 150, 8, &cut, &ctx), ERR_OK);
	assert_int_equal(whole.n, d.n[SPLIT_TEST]);
	assert_int_equal(whole.n_truncated, 0);
	assert_true(cut.n_truncated > whole.n / 2);
	for (size_t i = 0; i < whole.n; i++) {
		const struct utterance *u = &d.u[SPLIT_TEST][i];
		uint32_t first[256], n_words, n, a = whole.start[i], c = cut.start[i];
		int32_t ids[256];

		n = tokenise_text(t, 150, u->text, ids, 256, first, &n_words);
		assert_int_equal(whole.start[i + 1] - a, n);
		assert_memory_equal(whole.ids + a, ids, n * sizeof(ids[0]));
		assert_int_equal(
			whole.word_start[i + 1] - whole.word_start[i], u->n_words);
		assert_int_equal(whole.intent[i], u->intent);
		assert_int_equal(cut.start[i + 1] - c, n < 8 ? n : 8);
		for (uint32_t w = 0; w < n_words; w++) {
			size_t at = whole.word_start[i] + w;

			assert_int_equal(whole.word_token[at], first[w]);
			assert_int_equal(whole.word_tags[at], u->tags[w]);
			assert_int_equal(whole.tags[a + first[w]], u->tags[w]);
			assert_int_equal(cut.word_tags[at], u->tags[w]);
			assert_int_equal(
				cut.word_token[at], first[w] < 8 ? first[w] : UINT32_MAX);
		}
		for (uint32_t k = 0, w = 0; k < n; k++) {
			if (w < n_words && first[w] == k)
				w++;
			else
				assert_int_equal(whole.tags[a + k], -1);
		}
	}
	encoded_release(&whole);
	encoded_release(&cut);
	assert_int_equal(
		dataset_encode(&d, SPLIT_TEST, t, 150, 0, &cut, &ctx), ERR_INVALID);
	assert_int_equal(
		dataset_encode(&d, SPLIT_TEST, t, 10, 8, &cut, &ctx), ERR_INVALID);
	tokeniser_free(t);
	dataset_release(&d);
}

/* Sequence i of a sample is one of the whole, and each comes after the one before. */
static void samples_are_spread_evenly(void **state)
{
	struct err_ctx ctx = {{0}};
	struct dataset d;
	struct tokeniser_table *t = NULL;
	struct encoded all, some;

	(void)state;
	assert_int_equal(dataset_open(&d, "builtin:home?n=600", NULL, &ctx), ERR_OK);
	assert_int_equal(tokeniser_train(&d, 500, &t, &ctx), ERR_OK);
	assert_int_equal(dataset_encode(&d, SPLIT_TEST, t, 500, 24, &all, &ctx), ERR_OK);
	assert_int_equal(encoded_sample(&all, 31, &some, &ctx), ERR_OK);
	assert_int_equal(some.n, 31);
	for (size_t i = 0; i < some.n; i++) {
		size_t k = i * all.n / 31;
		size_t n = all.start[k + 1] - all.start[k];
		size_t n_words = all.word_start[k + 1] - all.word_start[k];

		assert_int_equal(some.intent[i], all.intent[k]);
		assert_int_equal(some.start[i + 1] - some.start[i], n);
		assert_int_equal(some.word_start[i + 1] - some.word_start[i], n_words);
		assert_memory_equal(some.ids + some.start[i], all.ids + all.start[k],
			n * sizeof(*all.ids));
		assert_memory_equal(some.tags + some.start[i], all.tags + all.start[k],
			n * sizeof(*all.tags));
		assert_memory_equal(some.word_token + some.word_start[i],
			all.word_token + all.word_start[k],
			n_words * sizeof(*all.word_token));
	}
	encoded_release(&some);
	assert_int_equal(encoded_sample(&all, all.n + 5, &some, &ctx), ERR_OK);
	assert_int_equal(some.n, all.n);
	encoded_release(&some);
	encoded_release(&all);
	tokeniser_free(t);
	dataset_release(&d);
}

static void shuffling_keeps_the_counts_and_breaks_the_link(void **state)
{
	struct err_ctx ctx = {{0}};
	struct dataset d, s;
	size_t n_same = 0, n_intent[64] = {0};

	(void)state;
	assert_int_equal(dataset_open(&d, "builtin:home?n=1000", NULL, &ctx), ERR_OK);
	assert_int_equal(dataset_open(&s, "builtin:home?n=1000", NULL, &ctx), ERR_OK);
	assert_true(hash_equal(&d.hash, &s.hash));
	dataset_shuffle_labels(&s, 9);
	assert_false(hash_equal(&d.hash, &s.hash));
	for (size_t i = 0; i < d.n[SPLIT_TRAIN]; i++) {
		const struct utterance *u = &s.u[SPLIT_TRAIN][i];

		n_same += u->intent == d.u[SPLIT_TRAIN][i].intent;
		n_intent[d.u[SPLIT_TRAIN][i].intent]++;
		n_intent[u->intent]--;
		for (uint32_t w = 0; w < u->n_words; w++) {
			const char *tag = s.tags[u->tags[w]];

			if (tag[0] != 'I')
				continue;
			assert_true(w > 0);
			assert_string_equal(s.tags[u->tags[w - 1]] + 1, tag + 1);
		}
	}
	for (size_t k = 0; k < d.n_intents; k++)
		assert_int_equal(n_intent[k], 0);
	assert_true(n_same < d.n[SPLIT_TRAIN] / 8); /* 1/23 by chance */
	for (size_t i = 0; i < d.n[SPLIT_TEST]; i++)
		assert_int_equal(s.u[SPLIT_TEST][i].intent, d.u[SPLIT_TEST][i].intent);
	dataset_release(&d);
	dataset_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(saving_and_opening_gives_the_same_set),
		cmocka_unit_test(saved_sets_notice_a_change),
		cmocka_unit_test(saving_does_not_touch_other_folders),
		cmocka_unit_test(encoding_marks_words_tags_and_cuts),
		cmocka_unit_test(samples_are_spread_evenly),
		cmocka_unit_test(shuffling_keeps_the_counts_and_breaks_the_link),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
