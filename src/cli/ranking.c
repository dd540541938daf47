#include "src/cli/ranking.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/stats.h"
#include "src/eval/parallel.h"
#include "src/model/graph.h"

#define DRAWS_PER_NETWORK 20
#define FAR_APART 1.5

/* What ranks a task: slot F1, accuracy, or minus cross-entropy. */
static double quality_of(const struct quality *q, enum task_kind kind)
{
	if (kind == TASK_LM)
		return -q->cross_entropy;
	return kind == TASK_INTENT_SLOTS ? q->slot_f1 : q->intent_acc;
}

/* ---- the space as a sampler */
struct drawn {
	const struct space *space;
	struct task_shape task;
};

static void draw_largest(void *self, struct genome *g)
{
	space_largest(((struct drawn *)self)->space, g);
}

static void draw_smallest(void *self, struct genome *g)
{
	space_smallest(((struct drawn *)self)->space, g);
}

static void draw_random(void *self, struct rng *rng, struct genome *g)
{
	struct drawn *d = self;

	space_sample(d->space, &d->task, rng, g);
}

static size_t draw_extremes(void *self, struct genome *g, size_t cap)
{
	return space_extremes(((struct drawn *)self)->space, g, cap);
}

/* ---- which networks: one from each of n bands of MACs */
static double macs_of(const struct genome *g, const struct task_shape *task)
{
	struct graph_cost cost;

	graph_cost(g, task, g->seq_len < 12 ? g->seq_len : 12, &cost);
	return cost.macs;
}

static int by_macs(const void *a, const void *b)
{
	double x = ((const struct ranked *)a)->macs, y = ((const struct ranked *)b)->macs;

	return x < y ? -1 : x > y;
}

static enum err choose(struct ranking *out, struct drawn *d, size_t n, uint64_t seed,
	struct err_ctx *ctx)
{
	size_t n_draws = n * DRAWS_PER_NETWORK;
	struct ranked *all = calloc(n_draws, sizeof(*all));
	struct rng root, rng;

	out->r = calloc(n, sizeof(*out->r));
	if (!all || !out->r) {
		free(all);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	rng_init(&root, seed);
	rng_split(&root, "ranking", 0, &rng);
	for (size_t i = 0; i < n_draws; i++) {
		space_sample(d->space, &d->task, &rng, &all[i].g);
		all[i].macs = macs_of(&all[i].g, &d->task);
	}
	qsort(all, n_draws, sizeof(*all), by_macs);
	for (size_t i = 0; i < n; i++)
		out->r[i] =
			all[i * DRAWS_PER_NETWORK + rng_below(&rng, DRAWS_PER_NETWORK)];
	out->n = n;
	free(all);
	return ERR_OK;
}

/* ---- the two qualities */
struct check {
	struct corpus *corpus;
	struct supernet *supernet;
	const struct ranking_options *o;
	struct ranking *out;
	struct task_shape task;
	pthread_mutex_t lock;
	uint64_t n_done;
};

static enum err evaluate(struct check *k, const struct genome *g, const float *w,
	double *out, struct err_ctx *ctx)
{
	struct quality q;
	enum err err = quality_evaluate(k->corpus, g, w, SPLIT_VALID, 0, &q, ctx);

	if (!err)
		*out = quality_of(&q, k->task.kind);
	return err;
}

static float *room_for(const struct genome *g, const struct task_shape *task)
{
	struct layout *l = malloc(sizeof(*l));
	float *w;

	if (!l)
		return NULL;
	layout_init(l, g, task);
	w = malloc(l->n_floats * sizeof(*w));
	free(l);
	return w;
}

/* Items: network i / 2, seed i % 2. */
static enum err train_one(void *self, size_t i, struct err_ctx *ctx)
{
	struct check *k = self;
	struct ranked *r = &k->out->r[i / 2];
	struct train_options o = k->o->alone;
	float *w = room_for(&r->g, &k->task);
	enum err err = w ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory");

	o.seed += i % 2;
	o.threads = 1;
	o.progress = NULL;
	if (!err && i % 2 == 0) {
		err = supernet_extract(k->supernet, &r->g, w, ctx);
		if (!err)
			err = evaluate(k, &r->g, w, &r->inherited, ctx);
	}
	if (!err)
		err = train_alone(k->corpus, &r->g, NULL, &o, w, ctx);
	if (!err)
		err = evaluate(k, &r->g, w, &r->alone[i % 2], ctx);
	free(w);
	pthread_mutex_lock(&k->lock);
	progress_update(k->o->progress, ++k->n_done, " ");
	pthread_mutex_unlock(&k->lock);
	return err;
}

static void summarise(struct ranking *out, double *room)
{
	double *inherited = room, *mean = room + out->n, *first = mean + out->n;
	double *second = first + out->n, *macs = second + out->n;

	for (size_t i = 0; i < out->n; i++) {
		inherited[i] = out->r[i].inherited;
		first[i] = out->r[i].alone[0];
		second[i] = out->r[i].alone[1];
		mean[i] = (first[i] + second[i]) / 2;
		macs[i] = out->r[i].macs;
	}
	out->tau = stats_kendall_tau(inherited, mean, out->n);
	out->tau_seeds = stats_kendall_tau(first, second, out->n);
	out->tau_macs = stats_kendall_tau(macs, mean, out->n);
	for (size_t i = 0; i < out->n; i++)
		for (size_t j = i + 1; j < out->n; j++) {
			double apart = mean[i] - mean[j];

			if (fabs(apart) <= FAR_APART)
				continue;
			out->n_pairs++;
			out->n_right += (inherited[i] - inherited[j]) * apart > 0;
		}
}

static enum err run_check(struct check *k, struct err_ctx *ctx)
{
	double *room;
	enum err err;

	progress_begin(k->o->progress, "training alone", 2 * k->out->n);
	err = parallel_for(2 * k->out->n, k->o->threads, train_one, k, ctx);
	if (err)
		return err;
	progress_end(
		k->o->progress, "%zu networks trained alone, two seeds each", k->out->n);
	room = malloc(5 * k->out->n * sizeof(*room));
	if (!room)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	summarise(k->out, room);
	free(room);
	return ERR_OK;
}

enum err ranking_check(struct ranking *out, struct corpus *c, const struct space *space,
	const struct ranking_options *o, struct err_ctx *ctx)
{
	struct drawn d = {space, dataset_task(&c->data)};
	struct sampler sampler = {
		&d, draw_largest, draw_smallest, draw_random, draw_extremes, {{0}}};
	struct check k = {.corpus = c, .o = o, .out = out, .task = d.task};
	enum err err;

	memset(out, 0, sizeof(*out));
	space_hash(space, &sampler.hash);
	err = choose(out, &d, o->n_networks, o->alone.seed, ctx);
	if (!err)
		err = supernet_open(
			&k.supernet, c, &sampler, &o->supernet, o->cache_dir, ctx);
	if (!err) {
		pthread_mutex_init(&k.lock, NULL);
		err = run_check(&k, ctx);
		pthread_mutex_destroy(&k.lock);
	}
	supernet_close(k.supernet);
	if (err)
		ranking_release(out);
	return err;
}

void ranking_release(struct ranking *r)
{
	free(r->r);
	memset(r, 0, sizeof(*r));
}
