#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/codegen/codegen.h"
#include "tests/bench/engine.h"

#define SEED 1
#define ASK_MS 60000

/* The golden input's ids: the same for every engine of a shape. */
static void make_ids(int32_t *ids, uint32_t n, uint32_t vocab_size)
{
	struct rng rng;

	rng_init(&rng, SEED);
	for (uint32_t i = 0; i < n; i++)
		ids[i] = (int32_t)rng_below(&rng, vocab_size);
}

enum err image_build(struct engine *e, const struct genome *g,
	const struct task_shape *task, const struct options *o, struct err_ctx *ctx)
{
	struct random_weights random = {SEED};
	struct target target = {
		"gcc", e->set->cflags, e->set->isa, "tests/bench/harness"};
	struct codegen_input in;
	uint32_t n = task->kind == TASK_LM ? 4 : g->seq_len;
	char cache[4096];
	int32_t *ids = malloc(n * sizeof(*ids));
	enum err rc;

	if (!ids)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	make_ids(ids, n, g->vocab_size);
	memset(&in, 0, sizeof(in));
	in.genome = g;
	in.task = *task;
	in.weights = tensor_source_random(&random);
	hash_bytes(&in.weights_hash, "random 1", 8);
	in.golden_ids = ids;
	in.golden_len = &n;
	in.n_golden = 1;
	in.timed_tokens = n;
	in.n_threads = e->threads;
	rc = file_join(cache, sizeof(cache), o->dir, "builds", ctx);
	if (!rc)
		rc = codegen_build(&in, &target, cache, &e->artefact, NULL, ctx);
	free(ids);
	return rc;
}

enum err image_start(struct engine *e, struct worker *w, struct err_ctx *ctx)
{
	const char *argv[] = {e->artefact.path, NULL}, *answer;
	enum err rc = worker_start(w, argv, ctx);

	if (!rc)
		rc = worker_ask(w, "golden", ASK_MS, &answer, ctx);
	if (rc)
		return rc;
	if (sscanf(answer, "%lf %lf", &e->golden_error, &e->golden_tolerance) != 2)
		return err_set(ctx, ERR_PARSE, "golden: '%.60s'", answer);
	if (!(e->golden_error <= e->golden_tolerance))
		return err_set(ctx, ERR_INVALID,
			"wrong answer: golden output off by %.3g, %.3g is allowed",
			e->golden_error, e->golden_tolerance);
	return ERR_OK;
}

/* ---- for the peer */

static enum err put(const char *dir, const char *name, const void *data, size_t len,
	struct err_ctx *ctx)
{
	char path[4096];
	enum err rc = file_join(path, sizeof(path), dir, name, ctx);

	return rc ? rc : file_write_atomic(path, data, len, 0644, ctx);
}

static enum err put_text(
	const char *dir, const char *name, struct buf *text, struct err_ctx *ctx)
{
	enum err rc = buf_err(text, ctx);

	rc = rc ? rc : put(dir, name, buf_str(text), text->len, ctx);
	buf_reset(text);
	return rc;
}

static enum err put_weights(
	const struct layout *l, const char *dir, struct buf *text, struct err_ctx *ctx)
{
	float *w = malloc(l->n_floats * sizeof(*w));
	enum err rc;

	if (!w)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	weights_init(l, SEED, w);
	rc = put(dir, "weights.f32", w, l->n_floats * sizeof(*w), ctx);
	free(w);
	for (size_t i = 0; i < l->n_tensors; i++)
		buf_printf(text, "%s %d %u %u %zu\n", tensor_names[l->t[i].kind],
			l->t[i].layer, l->t[i].rows, l->t[i].cols, l->t[i].offset);
	return rc ? rc : put_text(dir, "layout.txt", text, ctx);
}

enum err image_export(const struct genome *g, const struct shape *s, const char *dir,
	struct err_ctx *ctx)
{
	struct layout *l = malloc(sizeof(*l));
	int32_t *ids = malloc(s->seq_len * sizeof(*ids));
	struct buf text;
	enum err rc = file_mkdirs(dir, ctx);

	buf_init(&text);
	if (!l || !ids)
		rc = err_set(ctx, ERR_NOMEM, "out of memory");
	if (!rc) {
		layout_init(l, g, &encoder_task);
		rc = put_weights(l, dir, &text, ctx);
	}
	if (!rc) {
		buf_printf(&text,
			"n_layers %u\nd_model %u\nn_heads %u\nseq_len %u\nn_classes %d\n",
			s->n_layers, s->d_model, s->n_heads, s->seq_len, BENCH_CLASSES);
		rc = put_text(dir, "shape.txt", &text, ctx);
	}
	if (!rc) {
		make_ids(ids, s->seq_len, g->vocab_size);
		for (unsigned i = 0; i < s->seq_len; i++)
			buf_printf(&text, "%d ", (int)ids[i]);
		rc = put_text(dir, "ids.txt", &text, ctx);
	}
	buf_release(&text);
	free(ids);
	free(l);
	return rc;
}
