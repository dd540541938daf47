/* Damaged genome texts, limits, YAML and spaces: either refused with a message, or
 * understood and then consistent. Fixed seeds: a failure repeats. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/space/space.h"
#include "src/base/file.h"
#include "src/base/yaml.h"
#include "src/model/genome.h"
#include "src/model/objective.h"
#include "tests/fuzz/mutate.h"

#define TEXT_CAP 8192

/* A copy of `text` with one to four damages, NUL-terminated and without NUL inside, in a
 * heap block of its exact size, so that a sanitiser sees the first byte read too far. */
static char *damaged(struct rng *rng, const char *text, const char *const *words)
{
	static uint8_t work[TEXT_CAP];
	size_t len = strlen(text);
	uint64_t n = 1 + rng_below(rng, 4);
	char *copy;

	assert_true(len < TEXT_CAP);
	memcpy(work, text, len);
	while (n--)
		len = mutate(rng, work, len, TEXT_CAP - 1, words);
	for (size_t i = 0; i < len; i++)
		if (!work[i])
			work[i] = ' ';
	copy = malloc(len + 1);
	assert_non_null(copy);
	memcpy(copy, work, len);
	copy[len] = '\0';
	return copy;
}

static void expect_message(const struct err_ctx *ctx, const char *text)
{
	if (!ctx->msg[0])
		fail_msg("refused without a message: %s", text);
}

static void genome_texts_survive_damage(void **state)
{
	static const char *const words[] = {"enc;", "dec;", "L=", "h1k1x16f32r0b8", ",",
		"s,", "99999999999", "-1", "t=0", "bits", NULL};
	struct rng rng;
	int understood = 0;

	(void)state;
	rng_init(&rng, 1);
	for (int i = 0; i < 20000; i++) {
		struct genome seed, g, again;
		char text[GENOME_TEXT_MAX], *bad;
		struct err_ctx ctx = {""};

		assert_int_equal(
			preset_find(preset_name((size_t)i % 3), &seed, NULL), ERR_OK);
		genome_format(&seed, text);
		bad = damaged(&rng, text, words);
		if (genome_parse(&g, bad, &ctx)) {
			expect_message(&ctx, bad);
		} else {
			understood++;
			assert_int_equal(genome_check(&g, NULL), ERR_OK);
			genome_format(&g, text);
			assert_int_equal(genome_parse(&again, text, NULL), ERR_OK);
			assert_true(genome_equal(&g, &again));
		}
		free(bad);
	}
	assert_in_range(understood, 100, 19000); /* both ways were tried */
}

static void limits_survive_damage(void **state)
{
	static const char *const seeds[] = {"latency_us@local<200",
		"flash_bytes@local<=280000", "slot_f1>=89.5", "params<=1e6"};
	static const char *const words[] = {
		"<", ">=", "nan", "inf", "1e999", "@", "_us", NULL};
	struct rng rng;
	int understood = 0;

	(void)state;
	rng_init(&rng, 2);
	for (int i = 0; i < 20000; i++) {
		char *bad = damaged(&rng, seeds[i % 4], words),
		     text[METRIC_NAME_MAX * 2 + 4];
		struct err_ctx ctx = {""};
		struct objective again;
		struct limit l;

		if (limit_parse(&l, bad, &ctx)) {
			expect_message(&ctx, bad);
		} else {
			understood++;
			objective_format(&l.what, text, sizeof(text));
			assert_int_equal(objective_parse(&again, text, NULL), ERR_OK);
			assert_ptr_equal(again.metric, l.what.metric);
			assert_string_equal(again.device, l.what.device);
			assert_true(l.bound - l.bound == 0); /* finite */
		}
		free(bad);
	}
	assert_in_range(understood, 100, 19000);
}

static const char *const yaml_words[] = {": ", "- ", "[", "]", "{", "}", "&a ", "*a",
	"---\n", "\n  ", "\t", "!!x ", "|\n", "\"", "'", "? ", "<<: ", "%YAML", "nan",
	"-99999999999999", NULL};

static void read_space(struct buf *b, const char *name)
{
	char home[1024], path[2048];

	assert_int_equal(file_home(home, sizeof(home), NULL), ERR_OK);
	snprintf(path, sizeof(path), "%s/search/spaces/%s.yaml", home, name);
	buf_init(b);
	assert_int_equal(file_read(path, TEXT_CAP - 1, b, NULL), ERR_OK);
}

/* Touches everything, as deep as it goes. */
static size_t walk(const struct yaml_doc *doc, const struct yaml_node *n, size_t budget)
{
	struct err_ctx ctx;
	const char *s;
	double d;

	if (!budget)
		return 0;
	budget--;
	if (yaml_kind(n) == YAML_SCALAR) {
		if (!yaml_str(doc, n, &s, &ctx))
			assert_true(strlen(s) < TEXT_CAP);
		yaml_double(doc, n, -1e9, 1e9, &d, &ctx);
		return budget;
	}
	for (size_t i = 0; i < yaml_count(n); i++) {
		if (yaml_kind(n) == YAML_MAPPING)
			assert_ptr_equal(yaml_get(n, yaml_key(n, i)), yaml_value(n, i));
		budget = walk(doc, yaml_item(n, i), budget);
	}
	return budget;
}

static void yaml_survives_damage(void **state)
{
	struct rng rng;
	struct buf text;
	int understood = 0;

	(void)state;
	rng_init(&rng, 3);
	read_space(&text, "home-small");
	for (int i = 0; i < 4000; i++) {
		char *bad = damaged(&rng, buf_str(&text), yaml_words);
		struct err_ctx ctx = {""};
		struct yaml_doc *doc;

		if (yaml_parse(&doc, bad, "t", &ctx)) {
			assert_int_equal(strncmp(ctx.msg, "t:", 2), 0);
		} else {
			understood++;
			walk(doc, yaml_root(doc), 2000);
			yaml_close(doc);
		}
		free(bad);
	}
	buf_release(&text);
	assert_in_range(understood, 100, 3900);
}

static void spaces_survive_damage(void **state)
{
	const struct task_shape task = {TASK_INTENT_SLOTS, 5, 9};
	struct rng rng, draw;
	struct buf text;
	int understood = 0;

	(void)state;
	rng_init(&rng, 4);
	read_space(&text, "home-small");
	for (int i = 0; i < 2000; i++) {
		char *bad = damaged(&rng, buf_str(&text), yaml_words);
		struct err_ctx ctx = {""};
		struct genome g;
		struct space *s;

		if (space_parse(&s, bad, "t", &ctx)) {
			expect_message(&ctx, bad);
		} else if (space_arch(s) == ARCH_ENCODER) {
			understood++;
			rng_split(&rng, "draw", (uint64_t)i, &draw);
			space_sample(s, &task, &draw, &g);
			if (genome_check(&g, &ctx) || space_contains(s, &g, &task, &ctx))
				fail_msg("drew what is not in the space: %s", ctx.msg);
			assert_true(space_size(s) >= 1);
			space_close(s);
		} else {
			space_close(s);
		}
		free(bad);
	}
	buf_release(&text);
	assert_in_range(understood, 50, 1950);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(genome_texts_survive_damage),
		cmocka_unit_test(limits_survive_damage),
		cmocka_unit_test(yaml_survives_damage),
		cmocka_unit_test(spaces_survive_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
