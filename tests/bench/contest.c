#include "tests/bench/contest.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "tests/bench/blas.h"

#define PEER_START_MS 600000 /* it makes and quantises graphs first */
#define ASK_MS 120000

/* What is being done, for somebody who watches. */
static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	char line[160];
	va_list ap;

	if (!isatty(2))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "\r%-78.78s\r", line);
}

/* ---- rounds */

struct field {
	struct contest *c;
	const struct options *o;
	struct worker own[MAX_ENGINES], peer;
	const char *peer_argv[4]; /* [0] is NULL without a peer */
};

static struct worker *worker_of(struct field *f, unsigned i)
{
	switch (f->c->engine[i].kind) {
	case ENGINE_OURS:
	case ENGINE_READING:
		return &f->own[i];
	case ENGINE_PEER:
		return &f->peer;
	default:
		return NULL;
	}
}

static void stop_all(struct field *f)
{
	for (unsigned i = 0; i < f->c->n; i++)
		worker_stop(&f->own[i]);
	worker_stop(&f->peer);
}

/* A program that failed says so once, and its engine sits out the rest. */
static void drop(struct engine *e, const struct err_ctx *why)
{
	engine_absent(e, why->msg);
	fprintf(stderr, "bench: no %s: %s\n", e->name, why->msg);
}

static void start_all(struct field *f)
{
	struct err_ctx ctx;

	if (f->peer_argv[0] && worker_start(&f->peer, f->peer_argv, &ctx))
		fprintf(stderr, "bench: no peer: %s\n", ctx.msg);
	for (unsigned i = 0; i < f->c->n; i++) {
		struct engine *e = &f->c->engine[i];

		if (!e->absent && worker_of(f, i) == &f->own[i] &&
			image_start(e, &f->own[i], &ctx))
			drop(e, &ctx);
		if (!e->absent && engine_calibrate(e, worker_of(f, i), f->o, &ctx))
			drop(e, &ctx);
	}
}

static void run_round(struct field *f, struct rng *rng, unsigned round)
{
	uint32_t order[MAX_ENGINES];
	struct err_ctx ctx;

	for (unsigned i = 0; i < f->c->n; i++)
		order[i] = i;
	rng_shuffle(rng, order, f->c->n);
	for (unsigned k = 0; k < f->c->n; k++) {
		unsigned i = order[k];
		struct engine *e = &f->c->engine[i];

		if (!e->absent && round % e->every == 0 &&
			engine_run(e, worker_of(f, i), f->o, f->c->n_rounds, &ctx))
			drop(e, &ctx);
	}
	f->c->n_rounds++;
}

static void compete(struct field *f, const char *name)
{
	struct rng root, rng;

	rng_init(&root, f->o->seed);
	rng_split(&root, name, 0, &rng);
	f->c->n_rounds = 0;
	for (unsigned g = 0; g < f->o->generations; g++) {
		start_all(f);
		for (unsigned r = 0; r < f->o->rounds; r++) {
			say("bench: %s, round %u of %u", name,
				(unsigned)f->c->n_rounds + 1,
				f->o->generations * f->o->rounds);
			run_round(f, &rng, r);
		}
		stop_all(f);
	}
	say("%s", "");
	f->c->clock = engine_clock(f->c->engine, f->c->n);
}

/* ---- our engines */

static void build(struct engine *e, const struct genome *g, struct contest *c,
	const struct options *o)
{
	struct err_ctx ctx;

	say("bench: building %s, %s", c->shape ? c->shape->name : "decoder", e->name);
	if (image_build(e, g, c->shape ? &encoder_task : &decoder_task, o, &ctx)) {
		drop(e, &ctx);
	}
}

/* One of ours; `g` is left as built. */
static enum err add_one(struct contest *c, const struct options *o, enum precision p,
	const struct set_choice *set, enum scale_choice scales, struct genome *g,
	struct err_ctx *ctx)
{
	enum kernel_choice k = set->optimised ? KERNELS_OPT : KERNELS_REF;
	struct engine *e = engine_add(c->engine, &c->n, ENGINE_OURS, p, "%s %s%s",
		precision_names[p], set->name, scales ? STATIC_SUFFIX : "");
	enum err rc = c->shape ? shape_genome(c->shape, p, k, g, ctx)
			       : decoder_genome(p, k, g, ctx);

	if (rc)
		return rc;
	g->act_scales = scales;
	e->set = set;
	e->tokens = c->shape ? c->shape->seq_len : DECODER_PREFILL;
	if (!c->shape) {
		e->inner = DECODER_STEPS;
		snprintf(e->verb, sizeof(e->verb), "steps");
	}
	build(e, g, c, o);
	return ERR_OK;
}

/* The best set's integers both ways: with scales a token and with static ones. */
static enum err add_ours(struct contest *c, const struct options *o,
	const struct machine *m, struct err_ctx *ctx)
{
	const struct set_choice *best = &m->set[m->n_sets - 1];
	struct graph_cost cost;
	struct genome g;
	enum err rc = ERR_OK;

	for (int p = 0; p < N_PRECISIONS && !rc; p++) {
		for (unsigned i = 0; i < m->n_sets && !rc; i++)
			rc = add_one(c, o, (enum precision)p, &m->set[i], SCALES_DYNAMIC,
				&g, ctx);
		if (!rc && p != FP32)
			rc = add_one(
				c, o, (enum precision)p, best, SCALES_STATIC, &g, ctx);
		if (rc)
			return rc;
		graph_cost(&g, c->shape ? &encoder_task : &decoder_task,
			c->shape ? c->shape->seq_len : 1, &cost);
		c->macs = cost.macs;
		c->weight_bytes[p] = cost.weight_bytes;
	}
	return ERR_OK;
}

static void add_rates(struct contest *c)
{
	const struct rate *r;

	for (size_t i = 0; (r = rate_at(i)); i++) {
		struct engine *e = engine_add(c->engine, &c->n, ENGINE_RATE,
			r->name[0] == 'f' ? FP32 : INT8, "peak %s", r->name);

		e->rate = r;
		snprintf(e->remark, sizeof(e->remark), "%s", r->what);
		if (!rate_is_runnable(r))
			engine_absent(e, "this processor has no such instruction");
	}
}

/* A short input in the same images: padding is to cost nothing. */
static void add_short(struct contest *c, const struct machine *m)
{
	const struct set_choice *best = &m->set[m->n_sets - 1];

	for (int i = 0; i < 2 * N_PRECISIONS && c->shape->seq_len == 32; i++) {
		const struct engine *full = engine_ours(c->engine, c->n, best,
			(enum precision)(i / 2), (enum scale_choice)(i % 2));
		struct engine *e;

		if (!full)
			continue;
		e = engine_add(c->engine, &c->n, ENGINE_OURS, full->precision, SHORT_NAME,
			full->name);
		e->set = full->set;
		e->artefact = full->artefact;
		e->tokens = SHORT_TOKENS;
	}
}

/* The best int8 once more, on two threads; absent where the generator sees no gain, as
 * the image is then the same. */
static enum err add_two_threads(struct contest *c, const struct options *o,
	const struct machine *m, struct err_ctx *ctx)
{
	const struct set_choice *best = &m->set[m->n_sets - 1];
	const struct engine *one =
		engine_ours(c->engine, c->n, best, INT8, SCALES_DYNAMIC);
	struct genome g;
	struct engine *e;
	enum err rc = shape_genome(
		c->shape, INT8, best->optimised ? KERNELS_OPT : KERNELS_REF, &g, ctx);

	if (rc || !one)
		return rc;
	e = engine_add(c->engine, &c->n, ENGINE_OURS, INT8, TWO_THREADS, best->name);
	e->set = best;
	e->tokens = c->shape->seq_len;
	e->threads = 2;
	build(e, &g, c, o);
	if (!e->absent && hash_equal(&e->artefact.build, &one->artefact.build))
		engine_absent(e, "one thread: the same image");
	return ERR_OK;
}

/* ---- the peer's */

static void add_peer(struct contest *c, const char *word)
{
	const char *colon = strchr(word, ':');
	int absent = *word == '!', len;
	struct engine *e;

	word += absent;
	len = colon ? (int)(colon - word) : (int)strlen(word);
	e = engine_add(c->engine, &c->n, ENGINE_PEER,
		!strncmp(word, "int8", 4)   ? INT8
		: !strncmp(word, "int4", 4) ? INT4
					    : FP32,
		"ort %.*s", len, word);
	if (!e)
		return;
	snprintf(e->verb, sizeof(e->verb), "%.*s time", len, word);
	snprintf(e->remark, sizeof(e->remark), "%s", colon ? colon + 1 : "");
	e->tokens = c->shape->seq_len;
	e->absent = absent;
	if (absent)
		fprintf(stderr, "bench: no %s: %s\n", e->name, e->remark);
}

static enum err add_peers(struct field *f, const char *dir, struct err_ctx *ctx)
{
	char names[2048];
	const char *answer;
	struct genome g;
	enum err rc = shape_genome(f->c->shape, FP32, KERNELS_REF, &g, ctx);

	say("bench: making the peer's graphs for %s", f->c->shape->name);
	if (rc || (rc = image_export(&g, f->c->shape, dir, ctx)) ||
		(rc = worker_start(&f->peer, f->peer_argv, ctx)) ||
		(rc = worker_ask(&f->peer, "engines", PEER_START_MS, &answer, ctx)))
		return rc;
	snprintf(names, sizeof(names), "%s", answer);
	for (char *save = NULL, *w = strtok_r(names, " ", &save); w;
		w = strtok_r(NULL, " ", &save))
		add_peer(f->c, w);
	rc = worker_ask(&f->peer, "versions", ASK_MS, &answer, ctx);
	if (!rc)
		snprintf(f->c->peer_versions, sizeof(f->c->peer_versions), "%s", answer);
	return rc;
}

/* ---- before the rounds: answers and kernels alone */

static size_t logits(const char *answer, double out[BENCH_CLASSES])
{
	size_t n = 0;
	char *end;

	for (; n < BENCH_CLASSES; n++, answer = end) {
		out[n] = strtod(answer, &end);
		if (end == answer)
			break;
	}
	return n;
}

/* Same weights, same input: how far is each engine's answer from our portable fp32's? */
static void compare(struct field *f, const struct machine *m)
{
	double mine[BENCH_CLASSES], v[BENCH_CLASSES];
	int have_mine = 0;

	/* Ours come first in the list, portable fp32 before all. */
	for (unsigned i = 0; i < f->c->n; i++) {
		struct engine *e = &f->c->engine[i];
		struct worker *w = worker_of(f, i);
		char request[64];
		const char *answer;
		struct err_ctx ctx;

		if (e->absent || !w || strstr(e->name, "empty") ||
			(e->tokens && e->tokens != f->c->shape->seq_len))
			continue;
		if (e->kind == ENGINE_OURS && image_start(e, w, &ctx)) {
			drop(e, &ctx);
			worker_stop(w);
			continue;
		}
		snprintf(request, sizeof(request), "%.*sanswer",
			(int)(strlen(e->verb) - strlen("time")), e->verb);
		if (worker_ask(w, request, ASK_MS, &answer, &ctx) ||
			logits(answer, v) != BENCH_CLASSES) {
			drop(e, &ctx);
		} else {
			if (!have_mine)
				memcpy(mine, v, sizeof(v));
			have_mine = 1;
			e->difference = 0;
			for (int k = 0; k < BENCH_CLASSES; k++)
				e->difference = fmax(e->difference, fabs(v[k] - mine[k]));
		}
		if (e->kind == ENGINE_OURS && e->precision == INT8 &&
			!worker_ask(w, "kernels", ASK_MS, &answer, &ctx))
			snprintf(f->c->kernels[e->set - m->set], sizeof(f->c->kernels[0]),
				"%s", answer);
		if (e->kind == ENGINE_OURS)
			worker_stop(w);
	}
}

/* ---- the two contests */

enum err contest_run(struct contest *c, const struct options *o, const struct machine *m,
	const struct shape *s, struct err_ctx *ctx)
{
	struct blas_work *blas = blas_work_new(s);
	struct field *f = calloc(1, sizeof(*f));
	char dir[4096];
	struct engine *e;
	enum err rc;

	memset(c, 0, sizeof(*c));
	c->shape = s;
	if (!blas || !f) {
		free(f);
		blas_work_free(blas);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	f->c = c;
	f->o = o;
	rc = add_ours(c, o, m, ctx);
	if (!rc) {
		rc = add_two_threads(c, o, m, ctx);
	}
	if (!rc) {
		add_short(c, m);
		add_rates(c);
		e = engine_add(c->engine, &c->n, ENGINE_LOOP, FP32, "openblas sgemm");
		e->loop = blas_work_run;
		e->self = blas;
		snprintf(e->remark, sizeof(e->remark), "the products alone");
		snprintf(dir, sizeof(dir), "%s/peer/%s", o->dir, s->name);
		if (o->python) {
			struct err_ctx why;

			f->peer_argv[0] = o->python;
			f->peer_argv[1] = "tests/bench/ort_peer.py";
			f->peer_argv[2] = dir;
			if (add_peers(f, dir, &why)) {
				snprintf(c->peer_remark, sizeof(c->peer_remark), "%.190s",
					why.msg);
				fprintf(stderr, "bench: no peer: %s\n", why.msg);
				f->peer_argv[0] = NULL;
			}
		}
		compare(f, m);
		stop_all(f);
		compete(f, s->name);
	}
	free(f);
	blas_work_free(blas);
	return rc;
}

enum err contest_run_decoder(struct contest *c, const struct options *o,
	const struct machine *m, struct err_ctx *ctx)
{
	struct field *f = calloc(1, sizeof(*f));
	enum err rc;

	memset(c, 0, sizeof(*c));
	if (!f)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	f->c = c;
	f->o = o;
	rc = add_ours(c, o, m, ctx);
	for (int p = 0; p < N_PRECISIONS && !rc; p++) {
		const struct engine *ours = engine_ours(c->engine, c->n,
			&m->set[m->n_sets - 1], (enum precision)p, SCALES_DYNAMIC);
		struct engine *e = engine_add(c->engine, &c->n, ENGINE_READING,
			(enum precision)p, READING, precision_names[p]);

		if (!ours) {
			engine_absent(e, "no image to read");
			continue;
		}
		e->set = ours->set;
		e->artefact = ours->artefact;
		e->tokens = ours->tokens;
		e->inner = ours->inner;
		e->read_bytes = (size_t)ours->artefact.weight_bytes;
		snprintf(e->verb, sizeof(e->verb), "reads");
	}
	if (!rc)
		compete(f, "decoder");
	free(f);
	return rc;
}
