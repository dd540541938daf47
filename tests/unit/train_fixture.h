/* What the tests of training share: a corpus small enough to be learnt in a second. */
#ifndef HAWSER_TESTS_TRAIN_FIXTURE_H
#define HAWSER_TESTS_TRAIN_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/train/train.h"

#define FIXTURE_NET                                                                          \
	"enc;v=150;t=24;d=16;e=16;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=4;"    \
	"conv=3;opt=O2;kern=ref;L=h2k2x8f32r0b8"

static inline void fixture_fail(const char *what, const struct err_ctx *ctx)
{
	fail_msg("%s: %s", what, ctx->msg);
}

static inline void fixture_corpus(struct corpus *c, const char *source)
{
	struct err_ctx ctx = {""};

	if (corpus_open(c, source, NULL, 150, &ctx))
		fixture_fail(source, &ctx);
}

static inline void fixture_genome(struct genome *g, const char *text)
{
	struct err_ctx ctx = {""};

	if (genome_parse(g, text, &ctx))
		fixture_fail(text, &ctx);
}

/* A temporary folder; remove it with file_remove_tree. */
static inline void fixture_folder(char *out, size_t cap)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(out, cap, "%s/hawser-train-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(out));
}

static inline void fixture_write(const char *dir, const char *name, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), ERR_OK);
}

/* One split of an easy task: eight intents told by a verb, slots by the word before them. */
static inline void fixture_easy_split(const char *dir, size_t n, uint64_t seed)
{
	static const char *const verb[] = {
		"play", "stop", "find", "buy", "open", "close", "paint", "lift"};
	static const char *const noun[] = {"apple", "door", "piano", "lamp", "river", "candle"};
	struct buf in, out, label;
	struct rng r;

	rng_init(&r, seed);
	buf_init(&in);
	buf_init(&out);
	buf_init(&label);
	for (size_t i = 0; i < n; i++) {
		size_t v = (size_t)rng_below(&r, 8);

		buf_printf(&in, "please %s the %s %s near a %s\n", verb[v],
			noun[rng_below(&r, 6)], noun[rng_below(&r, 6)], noun[rng_below(&r, 6)]);
		buf_puts(&out, "O O O B-thing I-thing O O B-place\n");
		buf_printf(&label, "%s\n", verb[v]);
	}
	assert_int_equal(file_mkdirs(dir, NULL), ERR_OK);
	fixture_write(dir, "seq.in", buf_str(&in));
	fixture_write(dir, "seq.out", buf_str(&out));
	fixture_write(dir, "label", buf_str(&label));
	buf_release(&in);
	buf_release(&out);
	buf_release(&label);
}

static inline void fixture_easy(struct dataset *d, size_t n_train)
{
	static const char *const split[] = {"train", "valid", "test"};
	struct err_ctx ctx = {""};
	char dir[256], sub[300];

	fixture_folder(dir, sizeof(dir));
	for (int i = 0; i < 3; i++) {
		snprintf(sub, sizeof(sub), "%s/%s", dir, split[i]);
		fixture_easy_split(sub, i ? 200 : n_train, 11 + (uint64_t)i);
	}
	if (dataset_open(d, dir, NULL, &ctx))
		fixture_fail(dir, &ctx);
	file_remove_tree(dir, NULL);
}

static inline size_t fixture_floats(const struct corpus *c, const struct genome *g)
{
	struct task_shape task = dataset_task(&c->data);
	struct layout *l = malloc(sizeof(*l));
	size_t n;

	assert_non_null(l);
	layout_init(l, g, &task);
	n = l->n_floats;
	free(l);
	return n;
}

/* Trains alone; the caller frees the weights. */
static inline float *fixture_train(
	struct corpus *c, const struct genome *g, const struct train_options *o)
{
	size_t n = fixture_floats(c, g);
	float *w = malloc(n * sizeof(*w));
	struct err_ctx ctx = {""};

	assert_non_null(w);
	if (train_alone(c, g, NULL, o, w, &ctx))
		fixture_fail("train_alone", &ctx);
	return w;
}

/* Defaults for few and quick steps. */
static inline struct train_options fixture_options(enum task_kind kind, double epochs)
{
	struct train_options o;

	train_options_default(&o, kind);
	o.epochs = epochs;
	o.lr = 1e-2;
	o.threads = 1;
	return o;
}

#endif
