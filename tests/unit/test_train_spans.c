#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "src/train/train.h"

static char *names[] = {"O", "B-a", "I-a", "B-b", "I-b"};
enum { O, BA, IA, BB, IB, N_TAGS };

static struct dataset tagged(void)
{
	struct dataset d;

	memset(&d, 0, sizeof(d));
	d.kind = TASK_INTENT_SLOTS;
	d.n_tags = N_TAGS;
	d.tags = names;
	d.n_intents = 3;
	return d;
}

static struct label_rules rules_of(const struct dataset *d)
{
	struct label_rules r;

	assert_int_equal(label_rules_make(&r, d, NULL), ERR_OK);
	return r;
}

static int may_follow(int before, int tag)
{
	if (tag == IA)
		return before == BA || before == IA;
	if (tag == IB)
		return before == BB || before == IB;
	return 1;
}

/* Every path of n words, by counting in base N_TAGS; of tags in the set of bits only. */
static double best_score(const float *logits, size_t n, unsigned allowed)
{
	double best = -1e300;
	size_t n_paths = 1;

	for (size_t i = 0; i < n; i++)
		n_paths *= N_TAGS;
	for (size_t path = 0; path < n_paths; path++) {
		size_t rest = path;
		int before = O, legal = 1;
		double score = 0;

		for (size_t w = 0; w < n; w++, rest /= N_TAGS) {
			int tag = (int)(rest % N_TAGS);

			legal &= may_follow(before, tag) && (allowed >> tag & 1);
			score += (double)logits[w * N_TAGS + (size_t)tag];
			before = tag;
		}
		if (legal && score > best)
			best = score;
	}
	return best;
}

/* The score of an answer; fails when it breaks a rule. */
static double score_of(
	const float *logits, const int16_t *tags, size_t n, unsigned allowed)
{
	double score = 0;
	int before = O;

	for (size_t w = 0; w < n; w++) {
		assert_true(may_follow(before, tags[w]) && (allowed >> tags[w] & 1));
		before = tags[w];
		score += (double)logits[w * N_TAGS + (size_t)tags[w]];
	}
	return score;
}

static void make_logits(struct rng *r, float *logits, size_t n)
{
	for (size_t i = 0; i < n * N_TAGS; i++)
		logits[i] = (float)rng_normal(r) + (i % N_TAGS % 2 ? 0.0f : 0.7f);
}

static void path_is_best_legal_one_always(void **state)
{
	struct dataset d = tagged();
	struct label_rules rules = rules_of(&d);
	struct label_room room;
	struct rng r;

	(void)state;
	rng_init(&r, 3);
	assert_int_equal(label_room_make(&room, &rules, 5, NULL), ERR_OK);
	for (int trial = 0; trial < 300; trial++) {
		uint32_t n = 1 + (uint32_t)rng_below(&r, 5);
		float logits[5 * N_TAGS];
		struct label_words words = {logits, NULL, n};
		int16_t tags[5];

		make_logits(&r, logits, n);
		labels_path(&rules, &words, &room, tags);
		assert_true(fabs(score_of(logits, tags, n, 31) -
				 best_score(logits, n, 31)) < 1e-5);
	}
	label_room_release(&room);
	label_rules_release(&rules);
}

/* Rows in another order and the rules of three intents: one with everything, one with a,
 * one with stray insides of b. */
static void answer_is_best_pair_of_intent_and_path_always(void **state)
{
	static const uint8_t pairs[3] = {31, 1 << O | 1 << BA | 1 << IA, 1 << O | 1 << IB};
	static const uint32_t row[5] = {4, 2, 0, 1, 3};
	struct dataset d = tagged();
	struct label_rules rules = rules_of(&d);
	struct label_room room;
	struct rng r;

	(void)state;
	rng_init(&r, 4);
	rules.pairs = pairs;
	assert_int_equal(label_room_make(&room, &rules, 5, NULL), ERR_OK);
	for (int trial = 0; trial < 300; trial++) {
		uint32_t n = (uint32_t)rng_below(&r, 6), best;
		float logits[5 * N_TAGS], shuffled[5 * N_TAGS], intent[3], sum[3];
		struct label_words words = {shuffled, row, n};
		int16_t tags[5];

		make_logits(&r, logits, 5);
		for (uint32_t w = 0; w < 5; w++)
			memcpy(shuffled + row[w] * N_TAGS, logits + w * N_TAGS,
				N_TAGS * sizeof(float));
		for (int i = 0; i < 3; i++)
			sum[i] = intent[i] = 2 * (float)rng_normal(&r);
		best = labels_best(&rules, sum, &words, &room, tags);
		assert_true(best < 3);
		for (int i = 0; i < 3; i++) {
			double expected = (double)intent[i] +
					  (n ? best_score(logits, n, pairs[i]) : 0);

			assert_true(fabs((double)sum[i] - expected) < 1e-5);
			assert_true(sum[best] >= sum[i]);
		}
		assert_true(fabs((double)intent[best] +
				 score_of(logits, tags, n, pairs[best]) -
				 (double)sum[best]) < 1e-5);
	}
	label_room_release(&room);
	rules.pairs = NULL;
	label_rules_release(&rules);
}

static void path_begins_span_when_only_inside_is_likely(void **state)
{
	struct dataset d = tagged();
	struct label_rules rules = rules_of(&d);
	/* I-a wins twice, but needs a B-a before it. */
	float logits[] = {1, 0.8f, 3, 0, 0, 0, 0, 3, 0, 0};
	struct label_words words = {logits, NULL, 2};
	struct label_room room;
	int16_t tags[2];

	(void)state;
	assert_int_equal(label_room_make(&room, &rules, 2, NULL), ERR_OK);
	labels_path(&rules, &words, &room, tags);
	assert_int_equal(tags[0], BA);
	assert_int_equal(tags[1], IA);
	label_room_release(&room);
	label_rules_release(&rules);
}

static void rules_tell_pairs_of_training(void **state)
{
	struct dataset d = tagged();
	int16_t tags[2] = {BB, IB};
	struct utterance u = {NULL, 2, 1, tags};
	struct label_rules rules;

	(void)state;
	d.n[SPLIT_TRAIN] = 1;
	d.u[SPLIT_TRAIN] = &u;
	rules = rules_of(&d);
	assert_int_equal(rules.pairs[0], 1 << O);
	assert_int_equal(rules.pairs[1], 1 << O | 1 << BB | 1 << IB);
	assert_int_equal(rules.begin[IB], BB);
	assert_int_equal(rules.mark[IB], LABEL_INSIDE);
	assert_int_equal(rules.begin[O], -1);
	label_rules_release(&rules);
}

/* One sentence of six words. */
static const struct {
	int16_t truth[6], found[6];
	size_t spans;
	double f1; /* NAN: no span anywhere */
	int all_right;
} f1_cases[] = {
	{{O, BA, IA, O, BB, O}, {O, BA, IA, O, BB, O}, 2, 100, 1},
	{{O, BA, IA, O, BB, O}, {O, BA, O, O, BB, O}, 2, 50, 0},  /* too short */
	{{O, BA, IA, O, BB, O}, {O, BB, IB, O, BB, O}, 2, 50, 0}, /* wrong kind */
	{{O, BA, IA, O, BB, O}, {O, O, O, O, O, O}, 2, 0, 0},
	{{O, BA, BA, O, O, O}, {O, BA, IA, O, O, O}, 2, 0, 0}, /* two spans, not one */
	{{BA, IA, IA, BA, IB, O}, {BA, IA, IA, BA, IB, O}, 3, 100, 1}, /* stray inside */
	{{O, IA, IA, O, O, O}, {O, BA, IA, O, O, O}, 1, 100, 0},       /* same chunk */
	{{O, O, O, O, O, O}, {O, O, O, O, O, O}, 0, NAN, 1},
	{{O, O, O, O, O, O}, {O, BB, O, O, O, O}, 0, 0, 0},
	{{BA, O, BA, O, BA, O}, {BA, O, O, O, O, BB}, 3, 40, 0}, /* p 1/2, r 1/3 */
};

static void quality_counts_exact_spans(void **state)
{
	uint32_t start[2] = {0, 6}, word_start[2] = {0, 6};
	struct dataset d = tagged();
	struct label_rules rules = rules_of(&d);

	(void)state;
	for (size_t i = 0; i < sizeof(f1_cases) / sizeof(f1_cases[0]); i++) {
		int16_t truth[6], intent = 1, found_intent = 1;
		struct encoded e;
		struct quality q;

		memcpy(truth, f1_cases[i].truth, sizeof(truth));
		memset(&e, 0, sizeof(e));
		e.n = 1;
		e.start = start;
		e.intent = &intent;
		e.word_start = word_start;
		e.word_tags = truth;
		quality_from_predictions(&e, &rules, &found_intent, f1_cases[i].found, &q);
		assert_int_equal(q.n_spans, f1_cases[i].spans);
		assert_true(isnan(f1_cases[i].f1)
				    ? isnan(q.slot_f1)
				    : fabs(q.slot_f1 - f1_cases[i].f1) < 1e-9);
		assert_true(fabs(q.sentence_acc - 100 * f1_cases[i].all_right) < 1e-9);
		found_intent = 2;
		quality_from_predictions(&e, &rules, &found_intent, f1_cases[i].found, &q);
		assert_true(q.intent_acc == 0 && q.sentence_acc == 0);
	}
	label_rules_release(&rules);
}

static void quality_gives_intervals_around_values(void **state)
{
	uint32_t start[101], word_start[101];
	int16_t intent[100], found[100], tags[100];
	struct dataset d = tagged();
	struct label_rules rules = rules_of(&d);
	struct encoded e;
	struct quality q;

	(void)state;
	for (uint32_t i = 0; i <= 100; i++)
		start[i] = word_start[i] = i;
	for (int i = 0; i < 100; i++) {
		intent[i] = (int16_t)(i % 3);
		found[i] = (int16_t)(i < 90 ? i % 3 : (i + 1) % 3);
		tags[i] = BA;
	}
	memset(&e, 0, sizeof(e));
	e.n = 100;
	e.start = start;
	e.intent = intent;
	e.word_start = word_start;
	e.word_tags = tags;
	quality_from_predictions(&e, &rules, found, tags, &q);
	assert_true(fabs(q.intent_acc - 90) < 1e-9);
	/* Wilson's interval of 90 in 100 */
	assert_true(fabs(q.intent_ci.lo - 82.56) < 0.05 &&
		    fabs(q.intent_ci.hi - 94.48) < 0.05);
	assert_true(fabs(q.slot_f1 - 100) < 1e-9 && q.f1_ci.lo > 95 && q.f1_ci.hi <= 100);
	label_rules_release(&rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_is_best_legal_one_always),
		cmocka_unit_test(answer_is_best_pair_of_intent_and_path_always),
		cmocka_unit_test(path_begins_span_when_only_inside_is_likely),
		cmocka_unit_test(rules_tell_pairs_of_training),
		cmocka_unit_test(quality_counts_exact_spans),
		cmocka_unit_test(quality_gives_intervals_around_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
