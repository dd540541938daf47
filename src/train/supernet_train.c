/* Each step works on compact copies of four sub-networks (sandwich rule, Yu and Huang
 * 2019): the largest, the smallest and two random ones; their gradients are added to the
 * whole in lane order. */
#include "src/train/supernet_train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/file.h"
#include "src/train/checkpoint.h"
#include "src/train/optimiser.h"
#include "src/train/run.h"
#include "src/train/slices.h"
#include "src/train/step.h"

#define CHECKPOINT_NS 10000000000u

struct super_run {
	struct supernet *net;
	struct corpus *corpus;
	const struct sampler *sampler;
	const struct train_options *o;
	struct step step;
	struct slices slices[STEP_MAX_LANES];
	struct genome genome[STEP_MAX_LANES];
	enum err lane_err[STEP_MAX_LANES];
	struct err_ctx lane_ctx[STEP_MAX_LANES];
	struct optimiser opt;
	struct shuffler shuffler;
	struct rng rng;
	struct report report;
	real *w, *grad;
	uint32_t *index;
	uint64_t n_steps, qat_from;
	char checkpoint[4096];
	uint64_t saved_ns, save_cost_ns;
};

static void run_release(struct super_run *r)
{
	step_release(&r->step);
	for (int i = 0; i < STEP_MAX_LANES; i++)
		slices_release(&r->slices[i]);
	optimiser_release(&r->opt);
	shuffler_release(&r->shuffler);
	free(r->w);
	free(r->grad);
	free(r->index);
}

/* Lane i gets its network and where that lies. */
static enum err place_lane(struct super_run *r, uint32_t i, struct err_ctx *ctx)
{
	struct lane *l = &r->step.lane[i];
	enum err err = lane_set(l, r->corpus, &r->genome[i], ctx);

	if (!err)
		err = slices_make(&r->slices[i], l->net.layout, r->net->layout, ctx);
	return err;
}

static void fill_lane(void *self, uint32_t i)
{
	struct super_run *r = self;
	struct lane *l = &r->step.lane[i];
	enum err err = ERR_OK;

	if (i >= 2)
		err = place_lane(r, i, &r->lane_ctx[i]);
	if (!err) {
		slices_gather(&r->slices[i], r->w, l->w);
		if (r->step.index >= r->qat_from)
			err = net_quantise(&l->net, l->w, &r->lane_ctx[i]);
	}
	r->lane_err[i] = err;
}

static void random_genomes(struct super_run *r, uint64_t at)
{
	for (uint32_t i = 2; i < STEP_MAX_LANES; i++) {
		struct rng rng;

		rng_split(&r->rng, "sample", at * STEP_MAX_LANES + i, &rng);
		r->sampler->random(r->sampler->self, &rng, &r->genome[i]);
	}
}

static enum err super_step(struct super_run *r, uint64_t at, struct err_ctx *ctx)
{
	struct update u = {r->net->layout, r->w, r->grad,
		schedule_rate(r->o->lr, at, r->n_steps), r->o->weight_decay, r->o->clip};
	enum err err;

	r->step.index = at;
	random_genomes(r, at);
	workers_run(r->step.workers, STEP_MAX_LANES, fill_lane, r);
	for (uint32_t i = 0; i < STEP_MAX_LANES; i++)
		if (r->lane_err[i])
			return err_set(ctx, r->lane_err[i], "%s", r->lane_ctx[i].msg);
	shuffler_take(&r->shuffler, at * r->o->batch, r->o->batch, r->index);
	err = step_run(&r->step, r->index, r->o->batch, ctx);
	if (err)
		return err;
	memset(r->grad, 0, r->net->layout->n_floats * sizeof(*r->grad));
	for (uint32_t i = 0; i < STEP_MAX_LANES; i++)
		slices_add(&r->slices[i], r->step.lane[i].grad, r->grad);
	if (isnan(optimiser_step(&r->opt, &u)))
		return err_set(ctx, ERR_INVALID,
			"the supernet diverged at step %llu; a smaller learning rate may "
			"help",
			(unsigned long long)at);
	report_step(&r->report, r->corpus, &r->step.lane[0].net, r->step.lane[0].w,
		lane_loss(&r->step, 0), at + 1);
	return ERR_OK;
}

static enum err save_progress(struct super_run *r, int now, struct err_ctx *ctx)
{
	uint64_t t = clock_mono_ns(), pause = 20 * r->save_cost_ns;
	enum err err;

	if (pause < CHECKPOINT_NS)
		pause = CHECKPOINT_NS;
	if (!now && t - r->saved_ns < pause)
		return ERR_OK;
	err = checkpoint_save(r->checkpoint, &r->net->hash, r->w, &r->opt, ctx);
	r->saved_ns = clock_mono_ns();
	r->save_cost_ns = r->saved_ns - t;
	return err;
}

static enum err run_init(struct super_run *r, struct err_ctx *ctx)
{
	size_t n = r->net->layout->n_floats;
	struct rng root;
	enum err err;

	err = step_init(&r->step, r->o, ctx);
	if (err)
		return err;
	r->step.n_lanes = STEP_MAX_LANES;
	rng_init(&root, r->o->seed);
	rng_split(&root, "supernet", 0, &r->rng);
	r->sampler->largest(r->sampler->self, &r->genome[0]);
	r->sampler->smallest(r->sampler->self, &r->genome[1]);
	for (uint32_t i = 0; i < 2 && !err; i++)
		err = place_lane(r, i, ctx);
	r->w = malloc(n * sizeof(*r->w));
	r->grad = malloc(n * sizeof(*r->grad));
	r->index = malloc(r->o->batch * sizeof(*r->index));
	if (!err && (!r->w || !r->grad || !r->index))
		err = err_set(
			ctx, ERR_NOMEM, "out of memory for a supernet of %zu weights", n);
	if (!err)
		err = optimiser_init(&r->opt, n, ctx);
	if (!err)
		err = shuffler_init(
			&r->shuffler, r->step.lane[0].encoded->n, r->o->seed, ctx);
	if (err)
		return err;
	weights_init(r->net->layout, r->o->seed, r->net->w);
	real_from_floats(r->w, r->net->w, n);
	r->n_steps = train_steps(r->o, r->step.lane[0].encoded->n);
	r->qat_from = train_qat_from(r->o, r->n_steps);
	r->saved_ns = clock_mono_ns();
	return ERR_OK;
}

/* Goes on from a checkpoint; a damaged one is told and training begins anew. */
static enum err resume(struct super_run *r, struct err_ctx *ctx)
{
	struct err_ctx why = {""};
	enum err err;

	if (!file_exists(r->checkpoint))
		return ERR_OK;
	err = checkpoint_load(r->checkpoint, &r->net->hash, r->w, &r->opt, &why);
	if (err == ERR_CORRUPT) {
		progress_say(r->o->progress, "%s; training from the start", why.msg);
		return ERR_OK;
	}
	if (err)
		return err_set(ctx, err, "%s", why.msg);
	if (r->opt.step > r->n_steps)
		return err_set(
			ctx, ERR_CORRUPT, "'%s' is past the last step", r->checkpoint);
	return ERR_OK;
}

static enum err run_train(struct super_run *r, struct err_ctx *ctx)
{
	const struct train_options *o = r->o;
	enum err err = run_init(r, ctx);

	if (!err)
		err = resume(r, ctx);
	if (err)
		return err;
	progress_begin(o->progress, "supernet", r->n_steps);
	for (uint64_t at = r->opt.step; at < r->n_steps; at++) {
		if (o->cancel && *o->cancel) {
			err = save_progress(r, 1, ctx);
			return err ? err
				   : err_set(ctx, ERR_CANCELLED,
					     "supernet training was cancelled at step "
					     "%llu; it goes on from there",
					     (unsigned long long)at);
		}
		err = super_step(r, at, ctx);
		if (!err)
			err = save_progress(r, 0, ctx);
		if (err)
			return err;
	}
	real_to_floats(r->net->w, r->w, r->net->layout->n_floats);
	progress_end(o->progress, "supernet trained, %llu steps  %s",
		(unsigned long long)r->n_steps, r->report.brief);
	return ERR_OK;
}

enum err supernet_train(struct supernet *s, struct corpus *c,
	const struct sampler *sampler, const struct train_options *o,
	const char *checkpoint, struct err_ctx *ctx)
{
	struct super_run *r = calloc(1, sizeof(*r));
	enum err err;

	if (!r)
		return err_set(ctx, ERR_NOMEM, "out of memory for supernet training");
	r->net = s;
	r->corpus = c;
	r->sampler = sampler;
	r->o = o;
	r->report.progress = o->progress;
	snprintf(r->checkpoint, sizeof(r->checkpoint), "%s", checkpoint);
	err = run_train(r, ctx);
	run_release(r);
	free(r);
	return err;
}
