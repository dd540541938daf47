#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "src/train/data/home.h"
#include "src/train/data/strmap.h"
#include "src/train/dataset.h"

static struct dataset home; /* as it is used without options */

static int setup(void **state)
{
	struct err_ctx ctx = {{0}};

	(void)state;
	return dataset_open(&home, "builtin:home", NULL, &ctx) ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	dataset_release(&home);
	return 0;
}

static uint32_t put(struct strmap *m, const char *key)
{
	struct err_ctx ctx = {{0}};
	uint32_t index = 0;

	assert_int_equal(strmap_put(m, key, strlen(key), &index, &ctx), ERR_OK);
	return index;
}

/* Adds "slot value" of every span. */
static void put_values(const struct dataset *d, enum split s, struct strmap *m)
{
	for (size_t i = 0; i < d->n[s]; i++) {
		const struct utterance *u = &d->u[s][i];
		char text[1024], key[1024] = "", *save = NULL;
		uint32_t w = 0;

		strcpy(text, u->text);
		for (char *p = strtok_r(text, " ", &save); p;
			p = strtok_r(NULL, " ", &save), w++) {
			const char *tag = d->tags[u->tags[w]];

			if (tag[0] != 'I' && key[0])
				put(m, key);
			if (tag[0] != 'I')
				snprintf(key, sizeof(key), "%s",
					tag[0] == 'B' ? tag + 2 : "");
			if (tag[0] != 'O')
				snprintf(key + strlen(key), sizeof(key) - strlen(key),
					" %s", p);
		}
		if (key[0])
			put(m, key);
	}
}

/* Adds every utterance with its slots' words replaced by their names. */
static void put_skeletons(const struct dataset *d, enum split s, struct strmap *m)
{
	for (size_t i = 0; i < d->n[s]; i++) {
		const struct utterance *u = &d->u[s][i];
		char text[1024], key[2048] = "", *save = NULL;
		uint32_t w = 0;

		strcpy(text, u->text);
		for (char *p = strtok_r(text, " ", &save); p;
			p = strtok_r(NULL, " ", &save), w++) {
			const char *tag = d->tags[u->tags[w]];

			if (tag[0] != 'I')
				snprintf(key + strlen(key), sizeof(key) - strlen(key),
					" %s", tag[0] == 'B' ? tag : p);
		}
		put(m, key);
	}
}

static size_t n_shared(const struct strmap *a, const struct strmap *b)
{
	size_t n = 0;

	for (uint32_t i = 0; i < b->n; i++)
		n += strmap_find(a, b->keys[i], b->lens[i]) != STRMAP_NONE;
	return n;
}

static void sizes_are_as_promised(void **state)
{
	(void)state;
	assert_int_equal(home.kind, TASK_INTENT_SLOTS);
	assert_int_equal(home.n[SPLIT_TRAIN], 6000);
	assert_int_equal(home.n[SPLIT_VALID], 1000);
	assert_int_equal(home.n[SPLIT_TEST], 1200);
	assert_true(home.n_intents >= 14);
	assert_true(home.n_tags >= 60);
	assert_true(home.n_tags < 128);
}

static void utterances_are_distinct(void **state)
{
	struct strmap texts;
	size_t n = 0;

	(void)state;
	strmap_init(&texts);
	for (int s = 0; s < N_SPLITS; s++)
		for (size_t i = 0; i < home.n[s]; i++, n++)
			assert_int_equal(put(&texts, home.u[s][i].text), n);
	strmap_release(&texts);
}

static void intents_are_balanced_in_every_split(void **state)
{
	(void)state;
	for (int s = 0; s < N_SPLITS; s++) {
		size_t count[128] = {0}, least = home.n[s] / home.n_intents;

		for (size_t i = 0; i < home.n[s]; i++)
			count[home.u[s][i].intent]++;
		for (size_t k = 0; k < home.n_intents; k++)
			assert_in_range(count[k], least, least + 1);
	}
}

static void every_slot_occurs_in_every_split(void **state)
{
	(void)state;
	for (int s = 0; s < N_SPLITS; s++) {
		size_t count[256] = {0};

		for (size_t i = 0; i < home.n[s]; i++)
			for (uint32_t w = 0; w < home.u[s][i].n_words; w++)
				count[home.u[s][i].tags[w]]++;
		for (size_t k = 0; k < home.n_tags; k++)
			if (home.tags[k][0] == 'B' && count[k] < 3)
				fail_msg("%s: %zu of %s", split_names[s], count[k],
					home.tags[k]);
	}
}

static void splits_share_neither_values_nor_templates(void **state)
{
	struct strmap values[N_SPLITS], skeletons[N_SPLITS];

	(void)state;
	for (int s = 0; s < N_SPLITS; s++) {
		strmap_init(&values[s]);
		strmap_init(&skeletons[s]);
		put_values(&home, (enum split)s, &values[s]);
		put_skeletons(&home, (enum split)s, &skeletons[s]);
		assert_true(values[s].n > 500);
		assert_true(skeletons[s].n > 300);
		for (int r = 0; r < s; r++) {
			assert_int_equal(n_shared(&values[r], &values[s]), 0);
			assert_int_equal(n_shared(&skeletons[r], &skeletons[s]), 0);
		}
	}
	for (int s = 0; s < N_SPLITS; s++) {
		strmap_release(&values[s]);
		strmap_release(&skeletons[s]);
	}
}

static void grammar_templates_are_distinct_and_every_intent_has_all_splits(void **state)
{
	struct strmap texts, intents;
	unsigned seen[64] = {0};
	uint32_t n = 0;

	(void)state;
	strmap_init(&texts);
	strmap_init(&intents);
	for (size_t topic = 0; home_topics[topic]; topic++) {
		for (const struct home_template *t = home_topics[topic]; t->intent; t++) {
			uint32_t before = intents.n, k = put(&intents, t->intent);

			assert_int_equal(put(&texts, t->text), n++);
			/* Grouped: an intent that was left does not come back. */
			assert_true(k == before || k + 1 == intents.n);
			seen[k] |= 1u << t->split;
		}
	}
	for (uint32_t k = 0; k < intents.n; k++)
		assert_int_equal(seen[k], 7);
	strmap_release(&texts);
	strmap_release(&intents);
}

static void same_seed_gives_the_same_set(void **state)
{
	struct err_ctx ctx = {{0}};
	struct dataset a, b, c;

	(void)state;
	assert_int_equal(
		dataset_open(&a, "builtin:home?seed=7&n=400", NULL, &ctx), ERR_OK);
	assert_int_equal(
		dataset_open(&b, "builtin:home?n=400&seed=7", NULL, &ctx), ERR_OK);
	assert_int_equal(
		dataset_open(&c, "builtin:home?seed=8&n=400", NULL, &ctx), ERR_OK);
	assert_true(hash_equal(&a.hash, &b.hash));
	assert_false(hash_equal(&a.hash, &c.hash));
	assert_int_equal(a.n[SPLIT_TRAIN], 400);
	assert_int_equal(a.n[SPLIT_VALID], 66);
	assert_int_equal(a.n[SPLIT_TEST], 80);
	dataset_release(&a);
	dataset_release(&b);
	dataset_release(&c);
}

static void bad_names_are_refused(void **state)
{
	static const struct {
		const char *source, *message;
	} rows[] = {
		{"builtin:", "no built-in data set"},
		{"builtin:house", "'house'"},
		{"builtin:homes", "no built-in data set"},
		{"builtin:home?", "cannot read"},
		{"builtin:home?seed", "cannot read 'seed'"},
		{"builtin:home?seed=", "cannot read"},
		{"builtin:home?seed=-1", "cannot read"},
		{"builtin:home?n=12x", "cannot read 'n=12x'"},
		{"builtin:home?n=400&", "cannot read"},
		{"builtin:home?size=3", "cannot read 'size=3'"},
		{"builtin:home?n=5", "n must be"},
		{"builtin:home?n=99999999", "n must be"},
		{"builtin:home?seed=99999999999999999999", "cannot read"},
		{"", "no data set named"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err_ctx ctx = {{0}};
		struct dataset d;
		enum err e = dataset_open(&d, rows[i].source, NULL, &ctx);

		if (!e || err_exit_code(e) != 2 || !strstr(ctx.msg, rows[i].message))
			fail_msg("%s: %s '%s'", rows[i].source, err_name(e), ctx.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_as_promised),
		cmocka_unit_test(utterances_are_distinct),
		cmocka_unit_test(intents_are_balanced_in_every_split),
		cmocka_unit_test(every_slot_occurs_in_every_split),
		cmocka_unit_test(splits_share_neither_values_nor_templates),
		cmocka_unit_test(
			grammar_templates_are_distinct_and_every_intent_has_all_splits),
		cmocka_unit_test(same_seed_gives_the_same_set),
		cmocka_unit_test(bad_names_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
