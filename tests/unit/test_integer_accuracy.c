/* What inference without floating point costs in accuracy: a small network is trained, and
 * labels a split that training never saw in integers and in floating point. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/codegen/integer.h"
#include "src/model/calibrate.h"
#include "tests/unit/train_fixture.h"

#define N_CALIBRATION 64
#define MOST_LOST 1.0 /* points */

static const struct encoded *encoded_split(
	struct corpus *c, const struct genome *g, enum split split)
{
	const struct encoded *e = NULL;
	struct err_ctx ctx = {""};

	if (corpus_encoded(c, split, g->vocab_size, g->seq_len, &e, &ctx))
		fixture_fail("corpus_encoded", &ctx);
	return e;
}

/* Scales as a job's builds have them: from sentences of the training split. */
static void find_scales(struct corpus *c, const struct genome *g,
	const struct task_shape *task, const struct tensor_source *weights,
	struct act_scales *out)
{
	const struct encoded *e = encoded_split(c, g, SPLIT_TRAIN);
	uint32_t len[N_CALIBRATION];
	struct calibration_inputs in = {e->ids, len, N_CALIBRATION};
	struct err_ctx ctx = {""};

	for (size_t i = 0; i < N_CALIBRATION; i++)
		len[i] = e->start[i + 1] - e->start[i];
	if (calibrate(g, task, weights, &in, out, &ctx))
		fixture_fail("calibrate", &ctx);
}

struct labelling {
	const struct encoded *e;
	const struct label_rules *rules;
	struct label_room room;
	struct integer_model *model;
	int16_t *intent, *tags;
};

static void label(struct labelling *l, size_t i)
{
	uint32_t first = l->e->word_start[i], n_words = l->e->word_start[i + 1] - first;
	uint32_t n = l->e->start[i + 1] - l->e->start[i], row[64];
	struct label_words words = {NULL, row, 0};
	struct integer_output o;
	float intent[64];

	integer_model_run(l->model, l->e->ids + l->e->start[i], n, &o);
	words.logits = o.tags;
	for (; words.n < n_words && words.n < 64; words.n++) {
		row[words.n] = l->e->word_token[first + words.n];
		if (row[words.n] >= n)
			break;
	}
	assert_true(l->rules->n_intents <= 64);
	memcpy(intent, o.intent, l->rules->n_intents * sizeof(*intent));
	l->intent[i] =
		(int16_t)labels_best(l->rules, intent, &words, &l->room, l->tags + first);
}

static void integer_quality(struct corpus *c, const struct genome *g, float *w,
	enum split split, struct quality *out)
{
	struct task_shape task = dataset_task(&c->data);
	struct flat_weights flat = {w};
	struct tensor_source weights = tensor_source_flat(&flat);
	struct labelling l = {
		encoded_split(c, g, split), &c->rules, {0}, NULL, NULL, NULL};
	struct err_ctx ctx = {""};
	struct act_scales scales;
	struct program *p;

	find_scales(c, g, &task, &weights, &scales);
	if (program_new(&p, g, &task, &ctx) ||
		integer_model_new(&l.model, p, &weights, &scales, &ctx) ||
		label_room_make(&l.room, l.rules, 64, &ctx))
		fixture_fail("integer model", &ctx);
	l.intent = calloc(l.e->n, sizeof(*l.intent));
	l.tags = calloc(l.e->word_start[l.e->n], sizeof(*l.tags));
	for (size_t i = 0; i < l.e->n; i++)
		label(&l, i);
	quality_from_predictions(l.e, l.rules, l.intent, l.tags, out);
	label_room_release(&l.room);
	free(l.intent);
	free(l.tags);
	integer_model_free(l.model);
	program_free(p);
}

static void integers_lose_less_than_a_point(void **state)
{
	static const char *const genomes[] = {
		"enc;v=300;t=32;d=32;e=32;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=8;conv=3;opt=O2;kern=ref;as=integer;L=h2k2x16f64r0b8,h2k2x16f64r0b8",
		"enc;v=300;t=32;d=32;e=32;eb=8;act=silu;norm=rms;place=post;pool=max;abs="
		"1;rel=0;conv=0;opt=O2;kern=ref;as=integer;L=h2k2x16f64r0b8",
	};
	struct train_options o = fixture_options(TASK_INTENT_SLOTS, 16);
	struct err_ctx ctx = {""};
	struct corpus c;

	(void)state;
	if (corpus_open(&c, "builtin:home?seed=5&n=2400", NULL, 300, &ctx))
		fixture_fail("corpus", &ctx);
	for (size_t i = 0; i < sizeof(genomes) / sizeof(genomes[0]); i++) {
		struct quality full, quantised, integer;
		struct genome g;
		float *w;

		fixture_genome(&g, genomes[i]);
		w = fixture_train(&c, &g, &o);
		if (quality_evaluate(&c, &g, w, SPLIT_TEST, 1, &full, &ctx) ||
			quality_evaluate(&c, &g, w, SPLIT_TEST, 0, &quantised, &ctx))
			fixture_fail("quality", &ctx);
		integer_quality(&c, &g, w, SPLIT_TEST, &integer);
		print_message("# of %zu sentences: intents fp32 %.2f, weights int %.2f, "
			      "integer %.2f; slot F1 %.2f, %.2f, %.2f\n",
			full.n, full.intent_acc, quantised.intent_acc, integer.intent_acc,
			full.slot_f1, quantised.slot_f1, integer.slot_f1);
		assert_true(
			full.intent_acc > 60 && full.slot_f1 > 30); /* it has learnt */
		assert_true(integer.intent_acc > full.intent_acc - MOST_LOST);
		assert_true(integer.slot_f1 > full.slot_f1 - MOST_LOST);
		free(w);
	}
	corpus_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_lose_less_than_a_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
