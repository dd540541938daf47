/* The linear baseline, the n-gram baseline, and language models. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/train_fixture.h"

#include <math.h>

static void baseline_learns_easy_task_and_no_noise(void **state)
{
	(void)state;
	for (int shuffle = 0; shuffle < 2; shuffle++) {
		struct quality valid, test;
		struct err_ctx ctx = {""};
		struct dataset d;
		struct corpus c;

		fixture_easy(&d, 300);
		if (shuffle)
			dataset_shuffle_labels(&d, 3);
		assert_int_equal(corpus_from_dataset(&c, &d, 150, &ctx), ERR_OK);
		assert_int_equal(baseline_train(&c, 1, &valid, &test, &ctx), ERR_OK);
		corpus_release(&c);
		assert_int_equal(valid.n, 200);
		assert_int_equal(valid.n_spans, 400);
		if (shuffle) {
			assert_true(test.intent_acc < 45);
			assert_true(!(test.slot_f1 > 25));
		} else {
			assert_true(valid.intent_acc == 100 && test.intent_acc == 100);
			assert_true(valid.slot_f1 == 100 && test.slot_f1 == 100);
		}
	}
}

static void baseline_repeats_itself(void **state)
{
	struct quality a[2], b[2];
	struct corpus c;

	(void)state;
	fixture_corpus(&c, "builtin:home?seed=5&n=200");
	assert_int_equal(baseline_train(&c, 4, &a[0], &a[1], NULL), ERR_OK);
	assert_int_equal(baseline_train(&c, 4, &b[0], &b[1], NULL), ERR_OK);
	assert_true(a[0].intent_acc == b[0].intent_acc && a[0].slot_f1 == b[0].slot_f1);
	assert_true(a[1].intent_acc == b[1].intent_acc && a[1].slot_f1 == b[1].slot_f1);
	corpus_release(&c);
}

/* Text in which every word is told by the one before it, but for a choice of four. */
static void text_corpus(struct corpus *c)
{
	static const char *const animal[] = {"cat", "dog", "owl", "fox"};
	struct err_ctx ctx = {""};
	struct buf text;
	struct rng r;
	char dir[256], path[300];

	fixture_folder(dir, sizeof(dir));
	buf_init(&text);
	rng_init(&r, 1);
	for (int i = 0; i < 900; i++)
		buf_printf(&text, "the %s sat on a mat\n", animal[rng_below(&r, 4)]);
	fixture_write(dir, "text.txt", buf_str(&text));
	buf_release(&text);
	snprintf(path, sizeof(path), "%s/text.txt", dir);
	if (corpus_open(c, path, NULL, 60, &ctx))
		fixture_fail("corpus_open", &ctx);
	file_remove_tree(dir, NULL);
}

static void language_model_reaches_entropy_of_text(void **state)
{
	static const char *const nets[] = {
		"dec;v=60;t=24;d=16;e=16;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=4;"
		"conv=3;opt=O2;kern=ref;L=h2k1x8f32r0b8",
		"dec;v=60;t=24;d=16;e=8;eb=32;act=relu;norm=rms;place=pre;pool=mean;abs="
		"1;rel=0;"
		"conv=0;opt=O2;kern=ref;L=h2k2x8f32r8b32,h2k2x8f32r8b32s",
	};
	struct train_options o = fixture_options(TASK_LM, 12);
	struct quality gram[2], q;
	struct err_ctx ctx = {""};
	struct corpus c;
	struct genome g;
	float *w;

	(void)state;
	text_corpus(&c);
	assert_int_equal(c.data.kind, TASK_LM);
	assert_int_equal(baseline_train(&c, 1, &gram[0], &gram[1], &ctx), ERR_OK);
	for (int i = 0; i < 2; i++) {
		fixture_genome(&g, nets[i]);
		w = fixture_train(&c, &g, &o);
		assert_int_equal(
			quality_evaluate(&c, &g, w, SPLIT_VALID, 0, &q, &ctx), ERR_OK);
		free(w);
		assert_true(q.n_tokens > 100);
		assert_true(fabs(q.perplexity - exp(q.cross_entropy)) < 1e-9);
		/* One choice of four a line: nobody can be below log 4 per line of
		 * tokens, and both come close to the n-grams, which know the text's rule.
		 */
		assert_true(q.cross_entropy < gram[0].cross_entropy + 0.15);
		assert_true(q.cross_entropy > 0.03);
	}
	corpus_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(baseline_learns_easy_task_and_no_noise),
		cmocka_unit_test(baseline_repeats_itself),
		cmocka_unit_test(language_model_reaches_entropy_of_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
