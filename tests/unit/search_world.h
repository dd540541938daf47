/* A world whose law is known, for tests of the search: latency and quality are functions
 * of the genome, models are a ridge regression fitted to what was evaluated. Facts
 * survive a restart, as the store's do; everything that the search asks is logged.
 *
 * Included by one test file each, after cmocka's headers.
 */
#ifndef HAWSER_TESTS_UNIT_SEARCH_WORLD_H
#define HAWSER_TESTS_UNIT_SEARCH_WORLD_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/search.h"
#include "src/base/buf.h"
#include "src/model/graph.h"

static const struct task_shape task = {
	.kind = TASK_INTENT_SLOTS, .n_intents = 7, .n_tags = 20};

static struct space *parse(const char *text)
{
	struct err_ctx ctx = {""};
	struct space *s = NULL;

	if (space_parse(&s, text, "t.yaml", &ctx))
		fail_msg("%s", ctx.msg);
	return s;
}

/* 3 vocabularies, 5 widths, 30 kinds of layers, 1 or 2 layers: 13,950 genomes. */
#define SPACE                                                                            \
	"name: t\narch: enc\ngenes:\n  vocab_size: [300, 600, 1000]\n  seq_len: 32\n"    \
	"  d_model: [16, 32, 48, 64, 96]\n  n_layers: [1, 2]\n  n_heads: [1, 2, 4]\n"    \
	"  d_head: 16\n  d_ff: [32, 64, 96, 128, 192]\n  bits: [32, 8]\n"

/* ---- the world */

#define P 14
#define MAX_FACTS 2048

struct fact {
	struct hash genome;
	int look;
	struct evaluation e;
};

struct world {
	struct evaluator ev;
	struct objective objectives[3];
	int zdt;	      /* two other laws, for NSGA-II */
	double noise;	      /* relative, of one look at latency */
	int fail_every;	      /* genomes whose hash falls so fail; 0: none */
	double latency_limit; /* feasible below; 0: none */
	int cannot_predict, cannot_fit;
	int abort_after;    /* the n-th evaluate call breaks (a kill); 0: never */
	int stop_after;	    /* stop() from this generation on; 0: never */
	struct fact *facts; /* survive an abort, as the store does */
	size_t n_facts, n_work;
	size_t n_evaluate, n_refine;
	struct generation_note last_note;
	struct buf log;
	struct hash_state asked; /* of every predict and refine */
	double rows[MAX_FACTS][P], y[2][MAX_FACTS];
	size_t n_rows;
	double weights[2][P];
	int fitted;
};

static void features(const struct genome *g, double *x)
{
	struct graph_cost c;
	double heads_sum = 0, ff_sum = 0, int8 = 0, d = g->d_model;

	graph_cost(g, &task, g->seq_len, &c);
	for (int i = 0; i < g->n_layers; i++) {
		heads_sum += g->layer[i].n_heads;
		ff_sum += g->layer[i].d_ff;
		int8 += g->layer[i].bits == 8;
	}
	const double v[P] = {1, log(c.macs), g->n_layers, log(d), d / 96, 16 / d,
		heads_sum, log(heads_sum), log(ff_sum), int8, g->vocab_size / 1000.0,
		log(g->vocab_size), 1.0 / g->n_layers, log(c.macs) * log(c.macs) / 10};

	memcpy(x, v, sizeof(v));
}

static double law_latency(const struct genome *g)
{
	struct graph_cost c;

	graph_cost(g, &task, g->seq_len, &c);
	return 5 + c.macs_bits[0] / 2e4 + c.macs_bits[1] / 6e4 + c.macs_attention / 3e4 +
	       7.0 * g->n_layers + c.n_norm / 4e3;
}

static double law_bytes(const struct genome *g)
{
	struct graph_cost c;

	graph_cost(g, &task, g->seq_len, &c);
	return c.model_bytes;
}

static double law_quality(const struct genome *g)
{
	double d = g->d_model, capacity = 0, int8 = 0;

	for (int i = 0; i < g->n_layers; i++) {
		const struct layer_genes *l = &g->layer[i];

		capacity += (sqrt(l->n_heads) + l->d_ff / 120.0) / (i + 1);
		int8 += l->bits == 8;
	}
	return 95 - 240 / (d + 8) - 9 / (0.4 + capacity) -
	       2500.0 / (g->vocab_size + 200) - 0.3 * int8 +
	       1.2 * (g->n_layers == 2 && d < 60);
}

static void law_zdt(const struct genome *g, double f[2])
{
	double x[8], rest = 0, r;

	for (int i = 0; i < 8; i++)
		x[i] = (g->layer[i].d_ff / 10 - 1) / 9.0;
	for (int i = 1; i < 8; i++)
		rest += x[i] / 7;
	r = 1 + 9 * rest;
	f[0] = x[0];
	f[1] = r * (1 - sqrt(x[0] / r));
}

static double look_noise(const struct hash *h, int look)
{
	struct rng rng;

	rng_init(&rng, hash_u64(h) + (uint64_t)look * 77777);
	return rng_normal(&rng);
}

static struct evaluation evaluate_one(
	const struct world *w, const struct genome *g, const struct hash *h, int look)
{
	struct evaluation e;
	double v[2];

	memset(&e, 0, sizeof(e));
	if (w->zdt) {
		law_zdt(g, v);
	} else {
		v[0] = law_quality(g);
		v[1] = law_latency(g) * exp(w->noise * look_noise(h, look));
	}
	e.feasible = !(w->latency_limit > 0 && v[1] > w->latency_limit);
	e.failed = w->fail_every && hash_u64(h) % (uint64_t)w->fail_every == 0;
	for (int k = 0; k < 2; k++)
		e.v[k].value = e.failed ? NAN : v[k];
	if (w->ev.n_objectives == 3)
		e.v[2].value = e.failed ? NAN : law_bytes(g);
	e.feasible = e.feasible && !e.failed;
	e.looks = look;
	return e;
}

static struct fact *find_fact(struct world *w, const struct hash *h, int look)
{
	for (size_t i = 0; i < w->n_facts; i++)
		if (w->facts[i].look == look && hash_equal(&w->facts[i].genome, h))
			return &w->facts[i];
	return NULL;
}

static enum err evaluate(void *self, const struct genome *g, size_t n, int look,
	const char *origin, int generation, struct evaluation *out, struct err_ctx *ctx)
{
	struct world *w = self;
	int broken = ++w->n_evaluate == (size_t)w->abort_after;

	assert_true(n > 0);
	buf_printf(
		&w->log, "evaluate look %d %s generation %d:", look, origin, generation);
	for (size_t i = 0; i < n; i++) {
		char hex[HASH_HEX + 1];
		struct hash h;
		struct fact *f;

		genome_hash(&g[i], &h);
		hash_to_hex(&h, hex);
		buf_printf(&w->log, " %.12s", hex);
		f = find_fact(w, &h, look);
		if (!f) {
			/* A kill in the midst of a batch: half of the facts are there. */
			if (broken && i >= n / 2)
				return err_set(ctx, ERR_IO, "killed");
			assert_true(w->n_facts < MAX_FACTS);
			f = &w->facts[w->n_facts++];
			*f = (struct fact){h, look, evaluate_one(w, &g[i], &h, look)};
			w->n_work++;
		}
		out[i] = f->e;
		if (look == 1 && !f->e.failed) {
			features(&g[i], w->rows[w->n_rows]);
			w->y[0][w->n_rows] = f->e.v[0].value;
			w->y[1][w->n_rows++] = log(f->e.v[1].value);
		}
	}
	buf_puts(&w->log, "\n");
	return broken ? err_set(ctx, ERR_IO, "killed") : ERR_OK;
}

/* Ridge regression by Gaussian elimination on the normal equations. */
static void fit_one(struct world *w, int k)
{
	double a[P][P + 1];

	memset(a, 0, sizeof(a));
	for (size_t i = 0; i < w->n_rows; i++)
		for (int r = 0; r < P; r++) {
			for (int c = 0; c < P; c++)
				a[r][c] += w->rows[i][r] * w->rows[i][c];
			a[r][P] += w->rows[i][r] * w->y[k][i];
		}
	for (int r = 0; r < P; r++)
		a[r][r] += 1e-3;
	for (int c = 0; c < P; c++)
		for (int r = 0; r < P; r++) {
			double f = r == c ? 0 : a[r][c] / a[c][c];

			for (int j = c; f != 0 && j <= P; j++)
				a[r][j] -= f * a[c][j];
		}
	for (int r = 0; r < P; r++)
		w->weights[k][r] = a[r][P] / a[r][r];
}

static enum err refit(void *self, struct err_ctx *ctx)
{
	struct world *w = self;

	if (w->cannot_fit || w->n_rows < 4)
		return err_set(ctx, ERR_INVALID, "too few points");
	buf_printf(&w->log, "refit on %zu\n", w->n_rows);
	fit_one(w, 0);
	fit_one(w, 1);
	w->fitted = 1;
	return ERR_OK;
}

static void note_asked(struct world *w, const struct genome *g, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		hash_update(&w->asked, &g[i].vocab_size, sizeof(g[i].vocab_size));
		hash_update(&w->asked, &g[i].d_model, sizeof(g[i].d_model));
		hash_field(&w->asked, g[i].layer, g[i].n_layers * sizeof(*g[i].layer));
	}
}

static enum err predict(void *self, const struct genome *g, size_t n,
	struct prediction *out, struct err_ctx *ctx)
{
	struct world *w = self;
	double x[P];

	note_asked(w, g, n);
	if (w->cannot_predict == 2)
		return err_set(ctx, ERR_CORRUPT, "models are damaged");
	if (w->cannot_predict || !w->fitted)
		return err_set(ctx, ERR_NOTFOUND, "no model yet");
	for (size_t i = 0; i < n; i++) {
		memset(&out[i], 0, sizeof(out[i]));
		features(&g[i], x);
		for (int k = 0; k < 2; k++)
			for (int j = 0; j < P; j++)
				out[i].mean[k] += w->weights[k][j] * x[j];
		out[i].mean[1] = exp(out[i].mean[1]);
		out[i].mean[2] = law_bytes(&g[i]); /* analytic: known */
		out[i].sd[0] = 0.5;
		out[i].sd[1] = 0.05 * out[i].mean[1];
		if (w->latency_limit > 0 && out[i].mean[1] > w->latency_limit)
			out[i].violation = out[i].mean[1] / w->latency_limit - 1;
	}
	return ERR_OK;
}

static enum err refine(void *self, const struct genome *g, size_t n,
	struct prediction *out, struct err_ctx *ctx)
{
	struct world *w = self;

	(void)ctx;
	note_asked(w, g, n);
	w->n_refine += n;
	for (size_t i = 0; i < n; i++) {
		out[i].mean[0] = law_quality(&g[i]);
		out[i].sd[0] = 0;
	}
	return ERR_OK;
}

static enum err note(void *self, const struct generation_note *n, struct err_ctx *ctx)
{
	struct world *w = self;

	(void)ctx;
	buf_printf(&w->log, "note %d: %d candidates, %d looks, %.17g %.17g\n",
		n->generation, n->n_candidates, n->n_measured, n->hv_claimed,
		n->hv_remeasured);
	w->last_note = *n;
	return ERR_OK;
}

static int stop(void *self)
{
	const struct world *w = self;

	return w->stop_after && w->last_note.generation + 1 >= w->stop_after;
}

/* Forgets everything but the facts: what a new process starts with. */
static void world_restart(struct world *w)
{
	buf_reset(&w->log);
	hash_init(&w->asked);
	w->n_rows = w->n_evaluate = w->n_refine = w->n_work = 0;
	w->fitted = 0;
	w->last_note = (struct generation_note){.generation = -1};
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->facts = calloc(MAX_FACTS, sizeof(*w->facts));
	assert_non_null(w->facts);
	buf_init(&w->log);
	assert_int_equal(objective_parse(&w->objectives[0], "slot_f1", NULL), ERR_OK);
	assert_int_equal(
		objective_parse(&w->objectives[1], "latency_us@sim", NULL), ERR_OK);
	assert_int_equal(objective_parse(&w->objectives[2], "model_bytes", NULL), ERR_OK);
	w->ev = (struct evaluator){
		w, w->objectives, 2, predict, refine, evaluate, refit, note, stop};
	world_restart(w);
	return w;
}

static void world_free(struct world *w)
{
	buf_release(&w->log);
	free(w->facts);
	free(w);
}

static struct search_options options(const char *algorithm, uint64_t seed, uint32_t n)
{
	struct search_options o;

	search_options_default(&o);
	snprintf(o.algorithm, sizeof(o.algorithm), "%s", algorithm);
	o.seed = seed;
	o.max_candidates = n;
	return o;
}

static struct search_result run(
	struct world *w, const struct space *s, const struct search_options *o)
{
	struct search_result r = {NULL, 0, NULL};
	struct err_ctx ctx = {""};

	if (search_run(s, &task, o, &w->ev, &r, &ctx))
		fail_msg("%s", ctx.msg);
	return r;
}

#endif
