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

static int may_follow(int before, int tag)
{
	if (tag == IA)
		return before == BA || before == IA;
	if (tag == IB)
		return before == BB || before == IB;
	return 1;
}

/* Every path of n words, by counting in base N_TAGS. */
static double best_score(const float *logits, size_t n)
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

			legal &= may_follow(before, tag);
			score += (double)logits[w * N_TAGS + (size_t)tag];
			before = tag;
		}
		if (legal && score > best)
			best = score;
	}
	return best;
}

static void decode_finds_best_legal_path_always(void **state)
{
	struct dataset d = tagged();
	struct rng r;

	(void)state;
	rng_init(&r, 3);
	for (int trial = 0; trial < 300; trial++) {
		size_t n = 1 + (size_t)rng_below(&r, 5);
		float logits[5 * N_TAGS];
		int16_t tags[5];
		double score = 0;
		int before = O;

		for (size_t i = 0; i < n * N_TAGS; i++)
			logits[i] =
				(float)rng_normal(&r) + (i % N_TAGS % 2 ? 0.0f : 0.7f);
		decode_tags(&d, logits, n, tags);
		for (size_t w = 0; w < n; w++) {
			assert_true(may_follow(before, tags[w]));
			before = tags[w];
			score += (double)logits[w * N_TAGS + (size_t)tags[w]];
		}
		assert_true(fabs(score - best_score(logits, n)) < 1e-5);
	}
}

static void decode_begins_span_when_only_inside_is_likely(void **state)
{
	struct dataset d = tagged();
	/* I-a wins twice, but needs a B-a before it. */
	float logits[] = {1, 0.8f, 3, 0, 0, 0, 0, 3, 0, 0};
	int16_t tags[2];

	(void)state;
	decode_tags(&d, logits, 2, tags);
	assert_int_equal(tags[0], BA);
	assert_int_equal(tags[1], IA);
}

static void decode_does_nothing_without_words(void **state)
{
	struct dataset d = tagged();
	int16_t tag = 77;

	(void)state;
	decode_tags(&d, NULL, 0, &tag);
	assert_int_equal(tag, 77);
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
		quality_from_predictions(&e, &d, &found_intent, f1_cases[i].found, &q);
		assert_int_equal(q.n_spans, f1_cases[i].spans);
		assert_true(isnan(f1_cases[i].f1)
				    ? isnan(q.slot_f1)
				    : fabs(q.slot_f1 - f1_cases[i].f1) < 1e-9);
		assert_true(fabs(q.sentence_acc - 100 * f1_cases[i].all_right) < 1e-9);
		found_intent = 2;
		quality_from_predictions(&e, &d, &found_intent, f1_cases[i].found, &q);
		assert_true(q.intent_acc == 0 && q.sentence_acc == 0);
	}
}

static void quality_gives_intervals_around_values(void **state)
{
	uint32_t start[101], word_start[101];
	int16_t intent[100], found[100], tags[100];
	struct dataset d = tagged();
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
	quality_from_predictions(&e, &d, found, tags, &q);
	assert_true(fabs(q.intent_acc - 90) < 1e-9);
	/* Wilson's interval of 90 in 100 */
	assert_true(fabs(q.intent_ci.lo - 82.56) < 0.05 &&
		    fabs(q.intent_ci.hi - 94.48) < 0.05);
	assert_true(fabs(q.slot_f1 - 100) < 1e-9 && q.f1_ci.lo > 95 && q.f1_ci.hi <= 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decode_finds_best_legal_path_always),
		cmocka_unit_test(decode_begins_span_when_only_inside_is_likely),
		cmocka_unit_test(decode_does_nothing_without_words),
		cmocka_unit_test(quality_counts_exact_spans),
		cmocka_unit_test(quality_gives_intervals_around_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
