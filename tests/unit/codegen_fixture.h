/* What the code generator's tests share: genomes, inputs, a folder to build in. */
#ifndef HAWSER_TESTS_UNIT_CODEGEN_FIXTURE_H
#define HAWSER_TESTS_UNIT_CODEGEN_FIXTURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/file.h"
#include "src/base/rng.h"
#include "src/codegen/codegen.h"

#define FIXTURE_HARNESS "tests/codegen_harness"
#define FIXTURE_N_GOLDEN 3

#define ASSERT_OK(e, ctx)                                                                \
	do {                                                                             \
		if (e)                                                                   \
			fail_msg("%s: %s", err_name(e), (ctx)->msg);                     \
	} while (0)

struct fixture {
	struct genome genome;
	struct random_weights random;
	int32_t ids[3 * 128];
	uint32_t len[FIXTURE_N_GOLDEN];
	struct codegen_input in;
};

/* Weights as weights_init makes them, but nothing stays at a value that would hide a
 * fault: biases, gains, convolutions and relative positions are all random. */
static inline enum err fixture_read(
	void *self, const struct tensor *t, float *w, struct err_ctx *ctx)
{
	const struct random_weights *r = self;
	size_t n = (size_t)t->rows * t->cols;
	struct rng root, rng;

	(void)ctx;
	weights_init_tensor(t, r->seed, w);
	rng_init(&root, r->seed);
	rng_split(&root, tensor_names[t->kind], (uint64_t)(t->layer + 100), &rng);
	for (size_t i = 0; i < n; i++)
		if (t->cols == 1 || t->kind == T_CONV || t->kind == T_REL)
			w[i] += 0.3f * (float)rng_normal(&rng);
	return ERR_OK;
}

/* Golden inputs of one token, a few, and the full length. */
static inline int fixture_init(
	struct fixture *f, const char *text, struct task_shape task)
{
	uint32_t at = 0;
	struct rng rng;

	memset(f, 0, sizeof(*f));
	if (genome_parse(&f->genome, text, NULL) || f->genome.seq_len > 128)
		return -1;
	rng_init(&rng, 7);
	f->len[0] = 1;
	f->len[1] = (f->genome.seq_len + 1u) / 2;
	f->len[2] = f->genome.seq_len;
	for (int i = 0; i < FIXTURE_N_GOLDEN; i++)
		for (uint32_t j = 0; j < f->len[i]; j++)
			f->ids[at++] = (int32_t)rng_below(&rng, f->genome.vocab_size);
	f->random.seed = 11;
	f->in.genome = &f->genome;
	f->in.task = task;
	f->in.weights.read = fixture_read;
	f->in.weights.self = &f->random;
	hash_bytes(&f->in.weights_hash, &f->random.seed, sizeof(f->random.seed));
	f->in.golden_ids = f->ids;
	f->in.golden_len = f->len;
	f->in.n_golden = FIXTURE_N_GOLDEN;
	f->in.timed_tokens = f->genome.seq_len;
	return 0;
}

/* The test program's own folder, and the build cache in it. */
static char dir[4096], cache[4096];

/* A cache that the programs of one `make test` share, so that the sanitised ones find the
 * builds of the others, if their generated sources are the same; else the own one. */
static inline const char *shared_cache(void)
{
	const char *shared = getenv("HAWSER_TEST_CACHE");

	return shared && *shared ? shared : cache;
}

static inline int make_dir(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir) - 8, "%s/hawser-test-XXXXXX",
		tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(cache, sizeof(cache), "%.4000s/cache", dir);
	return 0;
}

static inline int remove_dir(void **state)
{
	(void)state;
	return file_remove_tree(dir, NULL) ? -1 : 0;
}

/* Runs an image, which checks its own golden outputs; under an emulator where one is
 * named. */
static inline void run_image_under(
	const char *emulator, const struct artefact *a, const char *what)
{
	const char *const own[] = {a->path, NULL};
	const char *const emulated[] = {emulator, "-cpu", "max", a->path, NULL};
	const char *const *argv = emulator ? emulated : own;
	struct err_ctx ctx = {""};
	struct buf out;
	enum err e;

	buf_init(&out);
	e = process_run_command(argv, NULL, 60, &out, NULL, &ctx);
	if (e)
		fail_msg("%s: %s (%s)", what, ctx.msg, buf_str(&out));
	if (getenv("HAWSER_TEST_VERBOSE"))
		print_message("%-32s error tolerance: %s", what, buf_str(&out));
	buf_release(&out);
}

static inline void run_image(const struct artefact *a, const char *what)
{
	run_image_under(NULL, a, what);
}

#endif
