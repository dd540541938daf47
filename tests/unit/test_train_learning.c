/* Training one network alone: it learns, repeats itself bit by bit, and cannot learn
 * noise. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/train_fixture.h"

#include <math.h>

/* Evaluates on the training split. */
static void fixture_quality(struct corpus *c, const struct genome *g, const float *w,
	int full, struct quality *q)
{
	struct err_ctx ctx = {""};

	if (quality_evaluate(c, g, w, SPLIT_TRAIN, full, q, &ctx))
		fixture_fail("quality_evaluate", &ctx);
}

/* Even labels without any sense: a network this small learns fifty sentences. */
static void training_learns_small_set_by_heart(void **state)
{
	struct train_options o = fixture_options(TASK_INTENT_SLOTS, 150);
	struct err_ctx ctx = {""};
	struct dataset d;
	struct corpus c;
	struct genome g;
	struct quality q;
	float *w;

	(void)state;
	fixture_easy(&d, 50);
	dataset_shuffle_labels(&d, 1);
	if (corpus_from_dataset(&c, &d, 150, &ctx))
		fixture_fail("corpus", &ctx);
	fixture_genome(&g, FIXTURE_NET);
	o.batch = 16;
	o.dropout = o.word_dropout = o.subword_dropout = 0;
	w = fixture_train(&c, &g, &o);
	fixture_quality(&c, &g, w, 0, &q);
	free(w);
	corpus_release(&c);
	assert_true(q.intent_acc == 100);
	assert_true(q.slot_f1 == 100);
	assert_true(q.sentence_acc == 100);
}

static void training_learns_with_every_kind_of_gene(void **state)
{
	static const char *const genomes[] = {
		"enc;v=150;t=24;d=16;e=8;eb=32;act=gelu;norm=rms;place=post;pool=max;abs="
		"1;rel=0;"
		"conv=0;opt=O2;kern=ref;L=h2k1x8f32r4b32,h2k1x8f32r4b32s",
		"enc;v=150;t=24;d=16;e=16;eb=4;act=silu;norm=ln;place=pre;pool=first;abs="
		"1;rel=2;"
		"conv=5;opt=O2;kern=ref;L=h2k2x8f32r0b4,h1k1x8f16r0b8",
	};
	struct train_options o = fixture_options(TASK_INTENT_SLOTS, 12);
	struct corpus c;

	(void)state;
	fixture_corpus(&c, "builtin:home?seed=5&n=120");
	for (size_t i = 0; i < sizeof(genomes) / sizeof(genomes[0]); i++) {
		struct train_options none = o;
		struct quality before, after;
		struct genome g;
		float *w;

		fixture_genome(&g, genomes[i]);
		none.epochs = 1e-3;
		none.lr = 0;
		w = fixture_train(&c, &g, &none);
		fixture_quality(&c, &g, w, 1, &before);
		free(w);
		w = fixture_train(&c, &g, &o);
		fixture_quality(&c, &g, w, 0, &after);
		assert_true(after.cross_entropy < 0.7 * before.cross_entropy);
		free(w);
	}
	corpus_release(&c);
}

static void training_repeats_itself_whatever_the_threads(void **state)
{
	struct train_options o = fixture_options(TASK_INTENT_SLOTS, 3);
	struct corpus c;
	struct genome g;
	float *w[4];
	size_t n;

	(void)state;
	fixture_corpus(&c, "builtin:home?seed=5&n=100");
	fixture_genome(&g, FIXTURE_NET);
	n = fixture_floats(&c, &g) * sizeof(float);
	for (int i = 0; i < 4; i++) {
		o.threads = i < 2 ? 1 : 2;
		o.seed = i == 3 ? 2 : 1;
		w[i] = fixture_train(&c, &g, &o);
	}
	assert_memory_equal(w[0], w[1], n);
	assert_memory_equal(w[0], w[2], n);
	assert_true(memcmp(w[2], w[3], n));
	for (int i = 0; i < 4; i++)
		free(w[i]);
	corpus_release(&c);
}

static void training_goes_on_from_given_weights(void **state)
{
	struct train_options o = fixture_options(TASK_INTENT_SLOTS, 6);
	struct err_ctx ctx = {""};
	struct quality before, after;
	struct corpus c;
	struct genome g;
	float *w;

	(void)state;
	fixture_corpus(&c, "builtin:home?seed=5&n=100");
	fixture_genome(&g, FIXTURE_NET);
	w = fixture_train(&c, &g, &o);
	fixture_quality(&c, &g, w, 1, &before);
	o.lr = 0; /* nothing moves: the start is what comes out */
	assert_int_equal(train_alone(&c, &g, w, &o, w, &ctx), ERR_OK);
	fixture_quality(&c, &g, w, 1, &after);
	assert_true(before.cross_entropy == after.cross_entropy);
	o.lr = 5e-3;
	assert_int_equal(train_alone(&c, &g, w, &o, w, &ctx), ERR_OK);
	fixture_quality(&c, &g, w, 1, &after);
	assert_true(after.cross_entropy < before.cross_entropy);
	free(w);
	corpus_release(&c);
}

static void training_falls_to_chance_when_labels_are_shuffled(void **state)
{
	struct train_options o = fixture_options(TASK_INTENT_SLOTS, 15);

	(void)state;
	for (int shuffle = 0; shuffle < 2; shuffle++) {
		struct err_ctx ctx = {""};
		struct dataset d;
		struct corpus c;
		struct genome g;
		struct quality q;
		float *w;

		fixture_genome(&g, FIXTURE_NET);
		fixture_easy(&d, 600);
		if (shuffle)
			dataset_shuffle_labels(&d, 3);
		assert_int_equal(corpus_from_dataset(&c, &d, 150, &ctx), ERR_OK);
		w = fixture_train(&c, &g, &o);
		assert_int_equal(
			quality_evaluate(&c, &g, w, SPLIT_VALID, 0, &q, &ctx), ERR_OK);
		free(w);
		corpus_release(&c);
		if (!shuffle) {
			assert_true(q.intent_acc > 98);
			assert_true(q.slot_f1 > 98);
			continue;
		}
		/* Eight intents told by eight verbs: each verb is right by chance in an
		 * eighth of all shuffles, so 12.5 % is expected and 37.5 % happens. */
		assert_true(q.intent_acc < 40);
		assert_true(q.slot_f1 < 25 || isnan(q.slot_f1));
	}
}

static void training_stops_when_cancelled(void **state)
{
	struct train_options o = fixture_options(TASK_INTENT_SLOTS, 3);
	volatile const int cancel = 1;
	struct err_ctx ctx = {""};
	struct corpus c;
	struct genome g;
	float *w;

	(void)state;
	fixture_corpus(&c, "builtin:home?seed=5&n=100");
	fixture_genome(&g, FIXTURE_NET);
	w = malloc(fixture_floats(&c, &g) * sizeof(*w));
	o.cancel = &cancel;
	assert_int_equal(train_alone(&c, &g, NULL, &o, w, &ctx), ERR_CANCELLED);
	free(w);
	corpus_release(&c);
}

static void training_reports_divergence(void **state)
{
	struct train_options o = fixture_options(TASK_INTENT_SLOTS, 3);
	struct err_ctx ctx = {""};
	struct corpus c;
	struct genome g;
	float *w;

	(void)state;
	fixture_corpus(&c, "builtin:home?seed=5&n=100");
	fixture_genome(&g, FIXTURE_NET);
	w = malloc(fixture_floats(&c, &g) * sizeof(*w));
	for (size_t i = 0; i < fixture_floats(&c, &g); i++)
		w[i] = NAN;
	assert_int_equal(train_alone(&c, &g, w, &o, w, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "diverged"));
	free(w);
	corpus_release(&c);
}

static void options_refuse_nonsense(void **state)
{
	static const struct {
		const char *key;
		double value;
		enum err err;
	} cases[] = {
		{"epochs", 12.5, ERR_OK},
		{"batch", 64, ERR_OK},
		{"batch", 0, ERR_INVALID},
		{"batch", 3.5, ERR_INVALID},
		{"lr", -1, ERR_INVALID},
		{"lr", NAN, ERR_INVALID},
		{"dropout", 1, ERR_INVALID},
		{"seed", -1, ERR_INVALID},
		{"threads", 0, ERR_INVALID},
		{"learning_rate", 1, ERR_INVALID},
		{"qat_share", 1.5, ERR_INVALID},
	};
	struct err_ctx ctx = {""};
	struct train_options o;

	(void)state;
	train_options_default(&o, TASK_INTENT_SLOTS);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			train_options_set(&o, cases[i].key, cases[i].value, &ctx),
			cases[i].err);
	assert_true(o.epochs == 12.5 && o.batch == 64);
	train_options_set(&o, "nonsense", 1, &ctx);
	assert_non_null(strstr(ctx.msg, "word_dropout"));
}

static void options_hash_changes_with_what_changes_results(void **state)
{
	struct train_options o;
	struct hash h[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct hash_state st;

		train_options_default(&o, TASK_INTENT_SLOTS);
		o.threads = i == 1 ? 7 : 2;
		o.seed = i == 2 ? 9 : 1;
		o.slot_weight = i == 3 ? 3 : 2;
		hash_init(&st);
		train_options_hash(&o, &st);
		hash_final(&st, &h[i]);
	}
	assert_true(hash_equal(&h[0], &h[1]));
	assert_false(hash_equal(&h[0], &h[2]));
	assert_false(hash_equal(&h[0], &h[3]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(training_learns_small_set_by_heart),
		cmocka_unit_test(training_learns_with_every_kind_of_gene),
		cmocka_unit_test(training_repeats_itself_whatever_the_threads),
		cmocka_unit_test(training_goes_on_from_given_weights),
		cmocka_unit_test(training_falls_to_chance_when_labels_are_shuffled),
		cmocka_unit_test(training_stops_when_cancelled),
		cmocka_unit_test(training_reports_divergence),
		cmocka_unit_test(options_refuse_nonsense),
		cmocka_unit_test(options_hash_changes_with_what_changes_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
