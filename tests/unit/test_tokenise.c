#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "src/base/rng.h"
#include "src/infer/tokenise.h"
#include "tests/unit/tokenise_fixture.h"

static void word_merges_in_rank_order(void **state)
{
	static const struct {
		const char *word;
		uint32_t vocab, n;
		int32_t ids[8];
	} rows[] = {
		{"ab", 10, 1, {8}}, {"ab", 8, 2, {3, 7}}, {"ab", 7, 3, {3, 4, 5}},
		{"abc", 10, 2, {8, 6}}, /* " ab" comes before "abc" */
		{"cabc", 10, 3, {3, 6, 9}}, {"abab", 10, 2, {8, 7}},
		{"aab", 10, 3, {3, 4, 7}}, {"xab", 10, 3, {3, TOKEN_UNK, 7}},
		{"a", 4, 2, {3, TOKEN_UNK}}, /* 'a' is outside of a vocabulary of 4 */
		{"ab", 1000, 1, {8}},	     /* larger than the table */
	};
	int32_t ids[TOKENISE_MAX_WORD];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t n = tokenise_word(&hand, rows[i].vocab, rows[i].word,
			strlen(rows[i].word), ids, TOKENISE_MAX_WORD);

		assert_int_equal(n, rows[i].n);
		assert_memory_equal(ids, rows[i].ids, n * sizeof(ids[0]));
	}
}

static void word_is_cut_when_long_and_at_cap(void **state)
{
	char word[400];
	int32_t ids[400], few[3] = {0, 0, 77};

	(void)state;
	memset(word, 'c', sizeof(word));
	assert_int_equal(tokenise_word(&hand, 10, word, sizeof(word), ids, 400),
		TOKENISE_MAX_WORD);
	assert_int_equal(tokenise_word(&hand, 10, word, sizeof(word), few, 2), 2);
	assert_int_equal(few[0], 3);
	assert_int_equal(few[1], 6);
	assert_int_equal(few[2], 77);
	assert_int_equal(tokenise_word(&hand, 10, word, 5, few, 0), 0);
}

static void text_gives_first_tokens_of_words(void **state)
{
	int32_t ids[16];
	uint32_t first[16], n_words;
	uint32_t n = tokenise_text(&hand, 10, "  ab cc\tabc\n", ids, 16, first, &n_words);

	(void)state;
	assert_int_equal(n_words, 3);
	assert_int_equal(n, 1 + 3 + 2);
	assert_int_equal(first[0], 0);
	assert_int_equal(first[1], 1);
	assert_int_equal(first[2], 4);
	n = tokenise_text(&hand, 10, "ab cc abc", ids, 2, first, &n_words);
	assert_int_equal(n, 2);
	assert_int_equal(n_words, 2);
	assert_int_equal(tokenise_text(&hand, 10, " \n ", ids, 16, NULL, NULL), 0);
}

static void newline_is_a_word_where_the_table_has_it(void **state)
{
	static const uint8_t bytes[] = {'\n', ' ', 'a'};
	static const struct tokeniser_table t = {6, 3, 0, bytes, hand_merges};
	static const int32_t want[] = {4, 5, 3, 3, 4, 5};
	int32_t ids[16];
	uint32_t n_words;

	(void)state;
	assert_int_equal(tokenise_text(&t, 6, "a\n\na", ids, 16, NULL, &n_words), 6);
	assert_int_equal(n_words, 4);
	assert_memory_equal(ids, want, sizeof(want));
}

static void normalise_separates_punctuation(void **state)
{
	static const struct {
		const char *in, *out;
		size_t cap;
	} rows[] = {
		{"Turn ON the Light!", "turn on the light !", 64},
		{"that's r&b at 7:30, ok?", "that's r&b at 7:30 , ok ?", 64},
		{"  a\t\tb\n", "a b", 64},
		{"20% of 1.5, 1,000.", "20 % of 1.5 , 1,000 .", 64},
		{"'quoted' top-ten - x", "' quoted ' top-ten - x", 64},
		{"caf\xc3\xa9 \xc3\x89t\xc3\xa9", "caf\xc3\xa9 \xc3\x89t\xc3\xa9", 64},
		{"...", ". . .", 64},
		{"a:b 1:b", "a : b 1 : b", 64},
		{"", "", 64},
		{"   ", "", 64},
		{"hello world", "hell", 5},
		{"ab cd", "ab", 4}, /* no space without a word behind it */
		{"abc", "", 1},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = tokenise_normalise(rows[i].in, out, rows[i].cap);

		assert_string_equal(out, rows[i].out);
		assert_int_equal(n, strlen(rows[i].out));
	}
	out[0] = 'k';
	assert_int_equal(tokenise_normalise("abc", out, 0), 0);
	assert_int_equal(out[0], 'k');
}

static void normalise_is_idempotent_and_bounded(void **state)
{
	struct rng rng;
	char in[64], out[130], twice[260];

	(void)state;
	rng_init(&rng, 5);
	for (int k = 0; k < 3000; k++) {
		size_t n = (size_t)rng_below(&rng, 60), got;

		for (size_t i = 0; i < n; i++)
			in[i] = (char)(1 + rng_below(&rng, 255));
		in[n] = '\0';
		got = tokenise_normalise(in, out, 2 * n + 2);
		assert_true(got < 2 * n + 2);
		tokenise_normalise(out, twice, sizeof(twice));
		assert_string_equal(out, twice);
	}
}

/* ---- training */

/* The text book's encoder: again and again the pair of the lowest rank. */
static uint32_t slow_encode(
	const struct tokeniser_table *t, uint32_t vocab, const char *word, int32_t *ids)
{
	uint32_t n = 0, base = N_SPECIAL_TOKENS + t->n_bytes;
	char padded[TOKENISE_MAX_WORD + 1];

	padded[0] = ' ';
	strcpy(padded + 1, word);
	for (size_t i = 0; padded[i]; i++) {
		ids[n] = TOKEN_UNK;
		for (uint32_t b = 0; b < t->n_bytes; b++)
			if (t->bytes[b] == (uint8_t)padded[i])
				ids[n] = (int32_t)(N_SPECIAL_TOKENS + b);
		n++;
	}
	for (;;) {
		uint32_t best = vocab - base, at = 0;

		for (uint32_t i = 0; i + 1 < n; i++)
			for (uint32_t m = 0; m < best; m++)
				if (t->merges[2 * m] == ids[i] &&
					t->merges[2 * m + 1] == ids[i + 1]) {
					best = m;
					at = i;
				}
		if (best == vocab - base)
			return n;
		ids[at] = (int32_t)(base + best);
		memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof(*ids));
		n--;
	}
}

static void one_pass_equals_repeated_lowest_rank(void **state)
{
	static const uint32_t sizes[] = {60, 100, 300, 900};
	int32_t fast[TOKENISE_MAX_WORD], slow[TOKENISE_MAX_WORD];

	(void)state;
	for (size_t i = 0; i < home.n[SPLIT_TEST]; i += 3) {
		char text[1024], *save = NULL;

		strcpy(text, home.u[SPLIT_TEST][i].text);
		for (char *w = strtok_r(text, " ", &save); w;
			w = strtok_r(NULL, " ", &save)) {
			uint32_t vocab = sizes[i % 4];
			uint32_t n = tokenise_word(
				table, vocab, w, strlen(w), fast, TOKENISE_MAX_WORD);

			assert_int_equal(n, slow_encode(table, vocab, w, slow));
			assert_memory_equal(fast, slow, n * sizeof(fast[0]));
		}
	}
}

static void smaller_vocabularies_are_prefixes(void **state)
{
	static const uint32_t sizes[] = {50, 51, 64, 128, 500, 899, 900};
	struct err_ctx ctx = {{0}};

	(void)state;
	assert_int_equal(table->vocab_size, 900);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct tokeniser_table *small;

		assert_int_equal(tokeniser_train(&home, sizes[i], &small, &ctx), ERR_OK);
		assert_int_equal(small->vocab_size, sizes[i]);
		assert_int_equal(small->n_bytes, table->n_bytes);
		assert_memory_equal(small->bytes, table->bytes, small->n_bytes);
		assert_memory_equal(small->merges, table->merges,
			small->n_merges * 2 * sizeof(*small->merges));
		tokeniser_free(small);
	}
}

static void encoding_with_a_prefix_equals_the_small_table(void **state)
{
	struct tokeniser_table *small;
	struct err_ctx ctx = {{0}};
	int32_t a[512], b[512];

	(void)state;
	assert_int_equal(tokeniser_train(&home, 200, &small, &ctx), ERR_OK);
	for (size_t i = 0; i < home.n[SPLIT_VALID]; i++) {
		const char *text = home.u[SPLIT_VALID][i].text;
		uint32_t n = tokenise_text(table, 200, text, a, 512, NULL, NULL);

		assert_int_equal(n, tokenise_text(small, 200, text, b, 512, NULL, NULL));
		assert_memory_equal(a, b, n * sizeof(a[0]));
	}
	tokeniser_free(small);
}

static struct dataset tiny(struct utterance *u, size_t n, enum task_kind kind)
{
	struct dataset d;

	memset(&d, 0, sizeof(d));
	d.kind = kind;
	d.n[SPLIT_TRAIN] = n;
	d.u[SPLIT_TRAIN] = u;
	return d;
}

static void ties_go_to_the_smaller_ids(void **state)
{
	/* Bytes: ' ' 3, a 4, b 5, y 6, z 7. All pairs of "zy" and "ab" occur twice. */
	char t0[] = "zy ab zy ab";
	struct utterance u = {t0, 4, 0, NULL};
	struct dataset d = tiny(&u, 1, TASK_CLASSIFY);
	struct tokeniser_table *t;
	struct err_ctx ctx = {{0}};
	static const uint16_t want[] = {3, 4, 3, 7, 8, 5, 9, 6};

	(void)state;
	assert_int_equal(tokeniser_train(&d, 100, &t, &ctx), ERR_OK);
	assert_int_equal(t->n_bytes, 5);
	assert_int_equal(t->n_merges, 4); /* no more pairs: fewer than asked for */
	assert_memory_equal(t->merges, want, sizeof(want));
	tokeniser_free(t);
}

static void training_refuses_impossible_sizes(void **state)
{
	static const uint32_t sizes[] = {0, 3, 20, 70000, UINT32_MAX};
	struct tokeniser_table *t = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct err_ctx ctx = {{0}};

		assert_int_equal(tokeniser_train(&home, sizes[i], &t, &ctx), ERR_INVALID);
		assert_non_null(strstr(ctx.msg, "vocabulary"));
		assert_null(t);
	}
}

static void bytes_come_from_training_text_only(void **state)
{
	char t0[] = "aab", t1[] = "aac";
	struct utterance u = {t0, 1, 0, NULL}, v = {t1, 1, 0, NULL};
	struct dataset d = tiny(&u, 1, TASK_CLASSIFY);
	struct tokeniser_table *t;
	struct err_ctx ctx = {{0}};
	int32_t ids[8];

	(void)state;
	d.n[SPLIT_TEST] = 1;
	d.u[SPLIT_TEST] = &v;
	assert_int_equal(tokeniser_train(&d, 50, &t, &ctx), ERR_OK);
	assert_int_equal(t->n_bytes, 3);
	assert_int_equal(tokenise_word(t, 50, "c", 1, ids, 8), 2);
	assert_int_equal(ids[1], TOKEN_UNK);
	tokeniser_free(t);
}

static void plain_text_knows_line_ends(void **state)
{
	char t0[] = "to be\nor not\nto be\n";
	struct utterance u = {t0, 9, -1, NULL};
	struct dataset d = tiny(&u, 1, TASK_LM);
	struct tokeniser_table *t;
	struct err_ctx ctx = {{0}};

	(void)state;
	assert_int_equal(tokeniser_train(&d, 30, &t, &ctx), ERR_OK);
	assert_int_equal(t->bytes[0], '\n');
	for (uint32_t i = 0; i < 2 * t->n_merges; i++)
		assert_int_not_equal(t->merges[i], N_SPECIAL_TOKENS); /* never joined */
	tokeniser_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(word_merges_in_rank_order),
		cmocka_unit_test(word_is_cut_when_long_and_at_cap),
		cmocka_unit_test(text_gives_first_tokens_of_words),
		cmocka_unit_test(newline_is_a_word_where_the_table_has_it),
		cmocka_unit_test(normalise_separates_punctuation),
		cmocka_unit_test(normalise_is_idempotent_and_bounded),
		cmocka_unit_test(one_pass_equals_repeated_lowest_rank),
		cmocka_unit_test(smaller_vocabularies_are_prefixes),
		cmocka_unit_test(encoding_with_a_prefix_equals_the_small_table),
		cmocka_unit_test(ties_go_to_the_smaller_ids),
		cmocka_unit_test(training_refuses_impossible_sizes),
		cmocka_unit_test(bytes_come_from_training_text_only),
		cmocka_unit_test(plain_text_knows_line_ends),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
