/* Packed batches and the mixing of vocabularies. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/train_fixture.h"

#include "src/train/batch.h"

#define SEQ_LEN 40

struct setting {
	struct corpus c;
	const struct encoded *e;
	struct batch_mix mix;
	uint32_t index[64];
	struct batch b;
};

static void setting_make(struct setting *s, double p)
{
	struct err_ctx ctx = {""};
	uint32_t vocab;

	memset(s, 0, sizeof(*s));
	if (corpus_open(&s->c, "builtin:home?seed=5&n=200", NULL, 400, &ctx))
		fixture_fail("corpus_open", &ctx);
	vocab = s->c.tokeniser->vocab_size;
	assert_true(vocab > 200);
	assert_int_equal(
		corpus_encoded(&s->c, SPLIT_TRAIN, vocab, SEQ_LEN, &s->e, NULL), ERR_OK);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(corpus_encoded(&s->c, SPLIT_TRAIN, i ? 100 : 200,
					 SEQ_LEN, &s->mix.alt[i], NULL),
			ERR_OK);
	s->mix.n_alt = 2;
	s->mix.p = p;
	s->mix.seq_len = SEQ_LEN;
	for (uint32_t i = 0; i < 64; i++)
		s->index[i] = (i * 7) % 128;
	batch_init(&s->b);
}

static void setting_release(struct setting *s)
{
	batch_release(&s->b);
	corpus_release(&s->c);
}

/* The bytes that a token stands for. */
static void spell(const struct tokeniser_table *t, int32_t id, struct buf *out)
{
	uint32_t i;

	if (id < N_SPECIAL_TOKENS) {
		buf_putc(out, '?');
		return;
	}
	i = (uint32_t)id - N_SPECIAL_TOKENS;
	if (i < t->n_bytes) {
		buf_putc(out, (char)t->bytes[i]);
		return;
	}
	i -= t->n_bytes;
	spell(t, t->merges[2 * i], out);
	spell(t, t->merges[2 * i + 1], out);
}

static void spell_batch(const struct setting *s, struct buf *out)
{
	for (uint32_t q = 0; q < s->b.n_seq; q++) {
		for (uint32_t t = s->b.start[q]; t < s->b.start[q + 1]; t++)
			spell(s->c.tokeniser, s->b.ids[t], out);
		buf_putc(out, '\n');
	}
}

static void mixing_changes_tokens_but_not_text(void **state)
{
	struct setting s;
	struct buf plain, mixed;
	uint32_t n_tok, n_words, longest = 0;
	struct rng r;

	(void)state;
	setting_make(&s, 0.5);
	buf_init(&plain);
	buf_init(&mixed);
	rng_init(&r, 2);
	assert_int_equal(batch_fill(&s.b, s.e, s.index, 64, NULL), ERR_OK);
	n_tok = s.b.n_tok;
	n_words = s.b.n_words;
	spell_batch(&s, &plain);
	assert_int_equal(
		batch_fill_mixed(&s.b, s.e, s.index, 64, &s.mix, &r, NULL), ERR_OK);
	spell_batch(&s, &mixed);
	assert_true(s.b.n_tok > n_tok);
	assert_int_equal(s.b.n_words, n_words);
	assert_string_equal(buf_str(&plain), buf_str(&mixed));
	for (uint32_t q = 0; q < 64; q++) {
		uint32_t len = s.b.start[q + 1] - s.b.start[q];

		longest = len > longest ? len : longest;
		assert_int_equal(s.b.intent[q], s.e->intent[s.index[q]]);
	}
	assert_int_equal(s.b.longest, longest);
	/* A word's first token begins with the space that stands before every word. */
	for (uint32_t w = 0; w < s.b.n_words; w++) {
		buf_reset(&mixed);
		spell(s.c.tokeniser, s.b.ids[s.b.word_tok[w]], &mixed);
		assert_true(mixed.data[0] == ' ' || mixed.data[0] == '?');
	}
	buf_release(&plain);
	buf_release(&mixed);
	setting_release(&s);
}

static void mixing_nothing_equals_plain_batch(void **state)
{
	struct setting s;
	struct batch plain;
	struct rng r;

	(void)state;
	setting_make(&s, 0);
	batch_init(&plain);
	rng_init(&r, 2);
	assert_int_equal(batch_fill(&plain, s.e, s.index, 64, NULL), ERR_OK);
	assert_int_equal(
		batch_fill_mixed(&s.b, s.e, s.index, 64, &s.mix, &r, NULL), ERR_OK);
	assert_int_equal(plain.n_tok, s.b.n_tok);
	assert_int_equal(plain.n_slots, s.b.n_slots);
	assert_memory_equal(plain.ids, s.b.ids, plain.n_tok * sizeof(*plain.ids));
	assert_memory_equal(plain.start, s.b.start, 65 * sizeof(*plain.start));
	assert_memory_equal(
		plain.word_tok, s.b.word_tok, plain.n_words * sizeof(*plain.word_tok));
	assert_memory_equal(
		plain.word_tag, s.b.word_tag, plain.n_words * sizeof(*plain.word_tag));
	batch_release(&plain);
	setting_release(&s);
}

static void mixing_keeps_to_longest_sequence(void **state)
{
	struct setting s;
	struct rng r;

	(void)state;
	setting_make(&s, 0.9);
	rng_init(&r, 2);
	/* Hardly any text fits once it is cut into small tokens. */
	s.mix.seq_len = 12;
	assert_int_equal(corpus_encoded(&s.c, SPLIT_TRAIN, s.c.tokeniser->vocab_size, 12,
				 &s.e, NULL),
		ERR_OK);
	assert_int_equal(
		batch_fill_mixed(&s.b, s.e, s.index, 64, &s.mix, &r, NULL), ERR_OK);
	assert_int_equal(s.b.n_seq, 64);
	assert_true(s.b.longest <= 12);
	for (uint32_t w = 0; w < s.b.n_words; w++)
		assert_true(s.b.word_tok[w] < s.b.n_tok);
	setting_release(&s);
}

static void words_are_dropped_at_their_rate(void **state)
{
	struct setting s;
	size_t n_unknown = 0;
	struct rng r;

	(void)state;
	setting_make(&s, 0);
	rng_init(&r, 2);
	assert_int_equal(batch_fill(&s.b, s.e, s.index, 64, NULL), ERR_OK);
	batch_drop_words(&s.b, 0.25, &r);
	for (uint32_t t = 0; t < s.b.n_tok; t++)
		n_unknown += s.b.ids[t] == TOKEN_UNK;
	assert_true(n_unknown > s.b.n_tok / 6 && n_unknown < s.b.n_tok / 3);
	setting_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mixing_changes_tokens_but_not_text),
		cmocka_unit_test(mixing_nothing_equals_plain_batch),
		cmocka_unit_test(mixing_keeps_to_longest_sequence),
		cmocka_unit_test(words_are_dropped_at_their_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
