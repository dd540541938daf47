/* The search against a world whose law is known: latency and quality are functions of the
 * genome, models are a ridge regression fitted to what was evaluated. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/algo/algorithm.h"
#include "search/pareto.h"
#include "search/search.h"
#include "search/stop.h"
#include "src/base/buf.h"
#include "src/base/stats.h"
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
static const unsigned vocabs[] = {300, 600, 1000}, widths[] = {16, 32, 48, 64, 96},
		      heads[] = {1, 2, 4}, ff_widths[] = {32, 64, 96, 128, 192};

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
	struct objective objectives[2];
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
	char text[GENOME_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		genome_format(&g[i], text);
		hash_field_str(&w->asked, text);
	}
}

static enum err predict(void *self, const struct genome *g, size_t n,
	struct prediction *out, struct err_ctx *ctx)
{
	struct world *w = self;
	double x[P];

	note_asked(w, g, n);
	if (w->cannot_predict || !w->fitted)
		return err_set(ctx, ERR_NOTFOUND, "no model yet");
	for (size_t i = 0; i < n; i++) {
		memset(&out[i], 0, sizeof(out[i]));
		features(&g[i], x);
		for (int k = 0; k < 2; k++)
			for (int j = 0; j < P; j++)
				out[i].mean[k] += w->weights[k][j] * x[j];
		out[i].mean[1] = exp(out[i].mean[1]);
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

/* The log, and a hash of everything that was asked of the models. */
static void world_log(struct world *w, struct buf *out)
{
	char hex[HASH_HEX + 1];
	struct hash h;

	hash_final(&w->asked, &h);
	hash_to_hex(&h, hex);
	buf_printf(out, "%s%s\n", buf_str(&w->log), hex);
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

/* ---- how good it is */

static double share_of(const double *x, size_t n)
{
	static const double ref[2] = {1, 1};

	return pareto_hypervolume(x, n, 2, ref);
}

/* Quality 40 to 95, log latency 12 to 400 us: the corners of the law, roughly. */
static void to_box(const struct genome *g, double *x)
{
	x[0] = (95 - law_quality(g)) / 55;
	x[1] = log(law_latency(g) / 12) / log(400.0 / 12);
}

static void add_layers(struct genome *g, unsigned from, double *x, size_t *n)
{
	for (unsigned c = 0; c < 30; c++) {
		g->layer[from] = (struct layer_genes){(uint16_t)heads[c % 3],
			(uint16_t)heads[c % 3], 16, (uint16_t)ff_widths[c / 3 % 5], 0,
			c / 15 ? 8 : 32, 0};
		g->n_layers = (uint8_t)(from + 1);
		to_box(g, &x[2 * (*n)++]);
		if (from == 0)
			add_layers(g, 1, x, n);
	}
	memset(&g->layer[from], 0, sizeof(g->layer[from]));
}

static double whole_hypervolume(const struct space *s)
{
	double *x = calloc(2 * 14000, sizeof(*x)), hv;
	struct genome g;
	size_t n = 0;

	assert_non_null(x);
	space_smallest(s, &g);
	for (int v = 0; v < 3; v++)
		for (int d = 0; d < 5; d++) {
			g.vocab_size = vocabs[v];
			g.d_model = g.d_embed = (uint16_t)widths[d];
			add_layers(&g, 0, x, &n);
		}
	assert_int_equal(n, 13950);
	assert_int_equal((size_t)space_size(s), n);
	hv = share_of(x, n);
	free(x);
	return hv;
}

/* Evaluations until the true hypervolume of what was evaluated reaches a share. */
static double evaluations_to(const struct search_result *r, double target)
{
	double *x = calloc(2 * (r->n + 1), sizeof(*x));
	size_t n = 0;

	assert_non_null(x);
	while (n < r->n && share_of(x, n) < target) {
		to_box(&r->members[n].g, &x[2 * n]);
		n++;
	}
	if (share_of(x, n) < target)
		n = 2 * r->n; /* never */
	free(x);
	return (double)n;
}

static double median_to(
	const char *algorithm, double noise, uint32_t budget, double share)
{
	struct space *s = parse(SPACE);
	double target = share * whole_hypervolume(s), n[7];

	for (uint64_t seed = 0; seed < 7; seed++) {
		struct search_options o = options(algorithm, seed + 1, budget);
		struct world *w = world_new();
		struct search_result r;

		w->noise = noise;
		r = run(w, s, &o);
		n[seed] = evaluations_to(&r, target);
		search_result_release(&r);
		world_free(w);
	}
	space_close(s);
	return stats_median(n, 7);
}

static void search_model_needs_far_fewer_evaluations_than_random(void **state)
{
	double model, nsga2, chance;

	(void)state;
	model = median_to("model", 0, 120, 0.99);
	nsga2 = median_to("nsga2", 0, 500, 0.99);
	chance = median_to("random", 0, 500, 0.99);
	print_message("evaluations to 99 %%: model %g, nsga2 %g, random %g\n", model,
		nsga2, chance);
	assert_true(model <= 60);
	assert_true(5 * model <= chance);
	assert_true(nsga2 < chance);
}

static void search_model_beats_random_when_looks_are_noisy(void **state)
{
	double model, chance;

	(void)state;
	model = median_to("model", 0.1, 150, 0.98);
	chance = median_to("random", 0.1, 400, 0.98);
	print_message("noisy, to 98 %%: model %g, random %g\n", model, chance);
	assert_true(3 * model <= chance);
}

/* ---- replay */

static void search_is_the_same_when_run_twice(void **state)
{
	static const char *const names[] = {"model", "nsga2", "random"};
	struct space *s = parse(SPACE);

	(void)state;
	for (int a = 0; a < 3; a++) {
		struct buf log[3];

		for (int i = 0; i < 3; i++) {
			struct search_options o = options(names[a], i < 2 ? 5 : 6, 60);
			struct world *w = world_new();
			struct search_result r;

			w->noise = 0.05;
			w->fail_every = 9;
			r = run(w, s, &o);
			assert_int_equal(r.n, 60);
			assert_string_equal(r.stopped_by, "candidates");
			buf_init(&log[i]);
			world_log(w, &log[i]);
			search_result_release(&r);
			world_free(w);
		}
		assert_string_equal(buf_str(&log[0]), buf_str(&log[1]));
		assert_string_not_equal(buf_str(&log[0]), buf_str(&log[2]));
		for (int i = 0; i < 3; i++)
			buf_release(&log[i]);
	}
	space_close(s);
}

static void search_resumes_identically_when_killed_anywhere(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 3, 60);
	struct world *calm = world_new();
	struct buf want, got;
	struct search_result r;
	size_t calls, work;

	(void)state;
	calm->noise = 0.1;
	calm->fail_every = 11;
	r = run(calm, s, &o);
	search_result_release(&r);
	calls = calm->n_evaluate;
	work = calm->n_work;
	assert_true(calls > 10);
	buf_init(&want);
	world_log(calm, &want);
	for (size_t at = 1; at <= calls; at++) {
		struct world *w = world_new();
		size_t before;

		w->noise = 0.1;
		w->fail_every = 11;
		w->abort_after = (int)at;
		assert_int_equal(search_run(s, &task, &o, &w->ev, &r, NULL), ERR_IO);
		before = w->n_work;
		assert_int_equal(
			strncmp(buf_str(&w->log), buf_str(&want), w->log.len), 0);
		world_restart(w);
		w->abort_after = 0;
		r = run(w, s, &o);
		buf_init(&got);
		world_log(w, &got);
		assert_string_equal(buf_str(&got), buf_str(&want));
		assert_int_equal(before + w->n_work, work); /* none lost, none repeated */
		buf_release(&got);
		search_result_release(&r);
		world_free(w);
	}
	buf_release(&want);
	world_free(calm);
	space_close(s);
}

static void search_goes_on_when_stopped_at_any_generation(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 3, 48);

	(void)state;
	for (int at = 1; at <= 6; at++) {
		struct world *w = world_new(), *calm = world_new();
		struct search_result r = run(calm, s, &o);

		search_result_release(&r);
		w->stop_after = at;
		r = run(w, s, &o);
		assert_string_equal(r.stopped_by, "request");
		assert_true(r.n > 0 && r.n < 48);
		search_result_release(&r);
		assert_int_equal(
			strncmp(buf_str(&w->log), buf_str(&calm->log), w->log.len), 0);
		world_restart(w);
		w->stop_after = 0;
		r = run(w, s, &o);
		assert_string_equal(buf_str(&w->log), buf_str(&calm->log));
		search_result_release(&r);
		world_free(w);
		world_free(calm);
	}
	space_close(s);
}

static void search_repeats_its_past_when_the_budget_grows(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options small = options("model", 8, 33),
			      large = options("model", 8, 60);
	struct world *w = world_new();
	struct search_result a = run(w, s, &small), b;
	size_t facts = w->n_facts;

	(void)state;
	assert_int_equal(a.n, 33);
	world_restart(w);
	b = run(w, s, &large);
	assert_int_equal(b.n, 60);
	for (size_t i = 0; i < a.n; i++)
		assert_true(genome_equal(&a.members[i].g, &b.members[i].g));
	assert_true(facts + w->n_work == w->n_facts);
	search_result_release(&a);
	search_result_release(&b);
	world_free(w);
	space_close(s);
}

/* ---- looks, limits, failures */

static void check_front(const struct search_result *r)
{
	size_t n_front = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct search_member *m = &r->members[i];
		int beaten = !m->last.feasible;

		for (size_t j = 0; j < r->n && !beaten; j++) {
			const struct value *a = r->members[j].last.v, *b = m->last.v;

			beaten = r->members[j].last.feasible &&
				 a[0].value >= b[0].value && a[1].value <= b[1].value &&
				 (a[0].value > b[0].value || a[1].value < b[1].value);
		}
		assert_int_equal(m->on_front, !beaten);
		n_front += !beaten;
		if (m->on_front)
			assert_int_equal(m->last.looks, 2);
	}
	assert_true(n_front > 2);
}

static void search_looks_twice_at_every_front_member(void **state)
{
	struct space *s = parse(SPACE);
	double claimed = 0, remeasured = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct search_options o = options("model", seed, 72);
		struct world *w = world_new();
		struct search_result r;

		w->noise = 0.15;
		r = run(w, s, &o);
		check_front(&r);
		claimed += w->last_note.hv_claimed;
		remeasured += w->last_note.hv_remeasured;
		assert_int_equal(w->last_note.n_candidates, 72);
		assert_true(w->last_note.n_measured > 72);
		search_result_release(&r);
		world_free(w);
	}
	assert_true(remeasured < claimed); /* the winner's curse is shown */
	assert_true(remeasured > 0.85 * claimed);
	space_close(s);
}

static void search_keeps_failures_off_the_front(void **state)
{
	static const char *const names[] = {"model", "nsga2", "random"};
	struct space *s = parse(SPACE);

	(void)state;
	for (int a = 0; a < 3; a++) {
		struct search_options o = options(names[a], 2, 60);
		struct world *w = world_new();
		struct search_result r;
		size_t n_failed = 0;

		w->fail_every = 3;
		r = run(w, s, &o);
		check_front(&r);
		for (size_t i = 0; i < r.n; i++) {
			n_failed += (size_t)r.members[i].first.failed;
			assert_false(r.members[i].first.failed && r.members[i].on_front);
		}
		assert_in_range(n_failed, 10, 35);
		search_result_release(&r);
		world_free(w);
	}
	space_close(s);
}

static void search_ends_in_order_when_everything_fails(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 2, 40);
	struct world *w = world_new();
	struct search_result r;

	(void)state;
	w->fail_every = 1;
	r = run(w, s, &o);
	assert_int_equal(r.n, 40);
	assert_true(isnan(w->last_note.hv_claimed));
	search_result_release(&r);
	world_restart(w);
	o.patience = 2;
	r = run(w, s, &o);
	assert_string_equal(r.stopped_by, "patience");
	search_result_release(&r);
	world_free(w);
	space_close(s);
}

static void search_finds_the_feasible_part(void **state)
{
	struct space *s = parse(SPACE);
	double model = 0, chance = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++)
		for (int a = 0; a < 2; a++) {
			struct search_options o =
				options(a ? "random" : "model", seed, 60);
			struct world *w = world_new();
			struct search_result r;

			w->latency_limit = 30;
			r = run(w, s, &o);
			for (size_t i = 0; i < r.n; i++) {
				if (!r.members[i].last.feasible)
					assert_false(r.members[i].on_front);
				*(a ? &chance : &model) += r.members[i].last.feasible;
			}
			search_result_release(&r);
			world_free(w);
		}
	print_message("feasible of 300: model %g, random %g\n", model, chance);
	assert_true(model > 1.5 * chance);
	space_close(s);
}

static void search_goes_on_when_nothing_can_be_predicted(void **state)
{
	struct space *s = parse(SPACE);

	(void)state;
	for (int what = 0; what < 3; what++) {
		struct search_options o = options("model", 2, 40);
		struct world *w = world_new();
		struct search_result r;

		w->cannot_predict = what == 0;
		w->cannot_fit = what == 1;
		if (what == 2)
			w->ev.refit = NULL;
		r = run(w, s, &o);
		assert_int_equal(r.n, 40);
		check_front(&r);
		assert_int_equal(w->n_refine, 0);
		search_result_release(&r);
		world_free(w);
	}
	space_close(s);
}

static void search_runs_without_refine_and_with_a_hard_error_stops(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 2, 40);
	struct world *w = world_new();
	struct search_result r;

	(void)state;
	w->ev.refine = NULL;
	w->ev.note = NULL;
	w->ev.stop = NULL;
	r = run(w, s, &o);
	assert_int_equal(r.n, 40);
	check_front(&r);
	search_result_release(&r);
	world_free(w);
	space_close(s);
}

/* ---- ends */

static void search_ends_when_the_space_is_exhausted(void **state)
{
	static const char *const names[] = {"model", "nsga2", "random"};
	struct space *s =
		parse("name: t\narch: enc\ngenes: {vocab_size: [300, 600], seq_len: 32, "
		      "d_model: [16, 32], n_layers: [1, 2], n_heads: 1, d_head: 16, "
		      "d_ff: [32, 64]}\n");

	(void)state;
	for (int a = 0; a < 3; a++) {
		struct search_options o = options(names[a], 2, 0);
		struct world *w = world_new();
		struct search_result r = run(w, s, &o);

		assert_string_equal(r.stopped_by, "exhausted");
		assert_int_equal(r.n, 24);
		for (size_t i = 0; i < r.n; i++)
			for (size_t j = 0; j < i; j++)
				assert_false(
					genome_equal(&r.members[i].g, &r.members[j].g));
		search_result_release(&r);
		world_free(w);
	}
	space_close(s);
}

static void search_stops_by_every_rule(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 1, 0);
	struct world *w = world_new();
	struct search_result r;

	(void)state;
	o.max_generations = 3;
	r = run(w, s, &o);
	assert_string_equal(r.stopped_by, "generations");
	assert_int_equal(w->last_note.generation, 2);
	assert_int_equal(r.n, o.n_initial + 2 * o.batch);
	search_result_release(&r);
	world_restart(w);
	o.max_generations = 0;
	o.patience = 3;
	r = run(w, s, &o);
	assert_string_equal(r.stopped_by, "patience");
	search_result_release(&r);
	world_free(w);
	space_close(s);
}

static void search_run_refuses_when_options_are_bad(void **state)
{
	struct space *s = parse(SPACE);
	struct space *narrow = parse(SPACE "limits: [\"params<=8500\"]\n");
	struct task_shape huge = {.kind = TASK_CLASSIFY, .n_intents = 5000};
	struct search_options o = options("modle", 1, 10);
	struct world *w = world_new();
	struct search_result r = {NULL, 77, NULL};
	struct err_ctx ctx = {""};

	(void)state;
	assert_int_equal(search_run(s, &task, &o, &w->ev, &r, &ctx), ERR_USAGE);
	assert_non_null(strstr(ctx.msg, "'modle' (model, nsga2, random)"));
	o = options("model", 1, 10);
	o.batch = 0;
	assert_int_equal(search_run(s, &task, &o, &w->ev, &r, &ctx), ERR_USAGE);
	o = options("model", 1, 10);
	o.explore = NAN;
	assert_int_equal(search_run(s, &task, &o, &w->ev, &r, &ctx), ERR_USAGE);
	o = options("model", 1, 10);
	assert_int_equal(search_run(narrow, &huge, &o, &w->ev, &r, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "impossible for this task"));
	w->ev.n_objectives = 0;
	assert_int_equal(search_run(s, &task, &o, &w->ev, &r, &ctx), ERR_USAGE);
	assert_int_equal(r.n, 77);
	world_free(w);
	space_close(s);
	space_close(narrow);
}

static void search_initial_sample_spans_the_costs(void **state)
{
	struct space *s = parse(SPACE);
	struct search_options o = options("model", 4, 12);
	struct world *w = world_new();
	struct search_result r = run(w, s, &o);
	struct graph_cost c;
	struct genome g;
	int stratum[4] = {0};
	double lo, hi;

	(void)state;
	space_smallest(s, &g);
	assert_true(genome_equal(&r.members[0].g, &g));
	graph_cost(&g, &task, 32, &c);
	lo = log(c.macs);
	space_largest(s, &g);
	assert_true(genome_equal(&r.members[1].g, &g));
	graph_cost(&g, &task, 32, &c);
	hi = log(c.macs);
	for (size_t i = 0; i < r.n; i++) {
		graph_cost(&r.members[i].g, &task, 32, &c);
		stratum[(int)(3.999 * (log(c.macs) - lo) / (hi - lo))]++;
	}
	for (int i = 0; i < 4; i++)
		assert_true(stratum[i] >= 2);
	search_result_release(&r);
	world_free(w);
	space_close(s);
}

/* ---- NSGA-II where the front is known */

static double zdt_share(const char *algorithm, uint64_t seed)
{
	static const double ref[2] = {1.1, 1.1};
	struct space *s =
		parse("name: z\narch: enc\ngenes: {vocab_size: 300, seq_len: 8, d_model: "
		      "8, n_layers: 8, n_heads: 1, d_head: 8, d_ff: [10, 20, 30, 40, "
		      "50, 60, 70, 80, 90, 100]}\n");
	struct search_options o = options(algorithm, seed, 900);
	struct world *w = world_new();
	double best[20], *x, share;
	struct search_result r;

	assert_int_equal(
		objective_parse(&w->objectives[0], "cross_entropy", NULL), ERR_OK);
	assert_int_equal(objective_parse(&w->objectives[1], "perplexity", NULL), ERR_OK);
	w->zdt = 1;
	o.n_initial = 30;
	o.batch = 30;
	r = run(w, s, &o);
	x = calloc(r.n * 2, sizeof(*x));
	assert_non_null(x);
	for (size_t i = 0; i < r.n; i++)
		law_zdt(&r.members[i].g, &x[2 * i]);
	for (int i = 0; i < 10; i++) {
		best[2 * i] = i / 9.0;
		best[2 * i + 1] = 1 - sqrt(i / 9.0);
	}
	share = pareto_hypervolume(x, r.n, 2, ref) / pareto_hypervolume(best, 10, 2, ref);
	free(x);
	search_result_release(&r);
	world_free(w);
	space_close(s);
	return share;
}

static void search_nsga2_nears_the_front_of_zdt1(void **state)
{
	double nsga2[5], chance[5];

	(void)state;
	for (uint64_t seed = 0; seed < 5; seed++) {
		nsga2[seed] = zdt_share("nsga2", seed);
		chance[seed] = zdt_share("random", seed);
	}
	print_message("ZDT1, 900 evaluations: nsga2 %g, random %g of the hypervolume\n",
		stats_median(nsga2, 5), stats_median(chance, 5));
	assert_true(stats_median(nsga2, 5) > 0.9);
	assert_true(stats_median(chance, 5) < 0.6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(search_model_needs_far_fewer_evaluations_than_random),
		cmocka_unit_test(search_model_beats_random_when_looks_are_noisy),
		cmocka_unit_test(search_is_the_same_when_run_twice),
		cmocka_unit_test(search_resumes_identically_when_killed_anywhere),
		cmocka_unit_test(search_goes_on_when_stopped_at_any_generation),
		cmocka_unit_test(search_repeats_its_past_when_the_budget_grows),
		cmocka_unit_test(search_looks_twice_at_every_front_member),
		cmocka_unit_test(search_keeps_failures_off_the_front),
		cmocka_unit_test(search_ends_in_order_when_everything_fails),
		cmocka_unit_test(search_finds_the_feasible_part),
		cmocka_unit_test(search_goes_on_when_nothing_can_be_predicted),
		cmocka_unit_test(search_runs_without_refine_and_with_a_hard_error_stops),
		cmocka_unit_test(search_ends_when_the_space_is_exhausted),
		cmocka_unit_test(search_stops_by_every_rule),
		cmocka_unit_test(search_run_refuses_when_options_are_bad),
		cmocka_unit_test(search_initial_sample_spans_the_costs),
		cmocka_unit_test(search_nsga2_nears_the_front_of_zdt1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
