#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/train/optimiser.h"
#include "src/train/quality.h"
#include "src/train/run.h"
#include "src/train/step.h"

uint64_t train_steps(const struct train_options *o, size_t n_train)
{
	double n = ceil(o->epochs * (double)n_train / o->batch);

	return n < 1 ? 1 : (uint64_t)n;
}

uint64_t train_qat_from(const struct train_options *o, uint64_t n_steps)
{
	return n_steps - (uint64_t)(o->qat_share * (double)n_steps);
}

static int report_due(const struct report *r, uint64_t now)
{
	/* A look at the validation split may cost a twentieth of the time. */
	uint64_t pause = 20 * r->eval_ns;

	if (pause < 1000000000u)
		pause = 1000000000u;
	return r->progress && now - r->last_eval_ns >= pause;
}

void report_step(struct report *r, struct corpus *c, const struct net *net, const real *w,
	double loss, uint64_t done)
{
	uint64_t now;
	struct quality q;

	if (!r->progress)
		return;
	r->loss = r->loss > 0 ? 0.95 * r->loss + 0.05 * loss : loss;
	now = clock_mono_ns();
	if (!r->last_eval_ns) /* nothing to see at the first step */
		r->last_eval_ns = now;
	if (report_due(r, now) && c->data.n[SPLIT_VALID]) {
		if (!quality_of_net(c, net, w, SPLIT_VALID, &q, NULL))
			quality_brief(&q, c->data.kind, r->brief, sizeof(r->brief));
		r->last_eval_ns = clock_mono_ns();
		r->eval_ns = r->last_eval_ns - now;
	}
	progress_update(r->progress, done, "loss %.3f  %s", r->loss, r->brief);
}

struct alone {
	struct corpus *corpus;
	const struct train_options *o;
	struct step step;
	struct optimiser opt;
	struct shuffler shuffler;
	struct report report;
	real *w; /* master weights */
	uint32_t *index;
	uint64_t n_steps, qat_from;
};

static void alone_release(struct alone *a)
{
	step_release(&a->step);
	optimiser_release(&a->opt);
	shuffler_release(&a->shuffler);
	free(a->w);
	free(a->index);
}

static enum err alone_init(
	struct alone *a, const struct genome *g, const float *start, struct err_ctx *ctx)
{
	struct lane *l = &a->step.lane[0];
	float *init;
	enum err err;

	err = lane_set(l, a->corpus, g, ctx);
	if (err)
		return err;
	a->w = malloc(l->net.n_floats * sizeof(*a->w));
	a->index = malloc(a->o->batch * sizeof(*a->index));
	init = malloc(l->net.n_floats * sizeof(*init));
	if (!a->w || !a->index || !init) {
		free(init);
		return err_set(
			ctx, ERR_NOMEM, "out of memory for %zu weights", l->net.n_floats);
	}
	if (!start)
		weights_init(l->net.layout, a->o->seed, init);
	real_from_floats(a->w, start ? start : init, l->net.n_floats);
	free(init);
	err = optimiser_init(&a->opt, l->net.n_floats, ctx);
	if (!err)
		err = shuffler_init(&a->shuffler, l->encoded->n, a->o->seed, ctx);
	a->n_steps = train_steps(a->o, l->encoded->n);
	a->qat_from = train_qat_from(a->o, a->n_steps);
	return err;
}

static enum err alone_step(struct alone *a, uint64_t at, struct err_ctx *ctx)
{
	struct lane *l = &a->step.lane[0];
	struct update u = {l->net.layout, a->w, l->grad,
		schedule_rate(a->o->lr, at, a->n_steps), a->o->weight_decay, a->o->clip};
	enum err err = ERR_OK;

	memcpy(l->w, a->w, l->net.n_floats * sizeof(*l->w));
	if (at >= a->qat_from)
		err = net_quantise(&l->net, l->w, ctx);
	shuffler_take(&a->shuffler, at * a->o->batch, a->o->batch, a->index);
	a->step.index = at;
	if (!err)
		err = step_run(&a->step, a->index, a->o->batch, ctx);
	if (err)
		return err;
	if (isnan(optimiser_step(&a->opt, &u)))
		return err_set(ctx, ERR_INVALID,
			"training diverged at step %llu; a smaller learning rate may "
			"help",
			(unsigned long long)at);
	report_step(&a->report, a->corpus, &l->net, l->w, lane_loss(&a->step, 0), at + 1);
	return ERR_OK;
}

enum err train_alone(struct corpus *c, const struct genome *g, const float *start,
	const struct train_options *o, float *weights, struct err_ctx *ctx)
{
	struct alone a;
	enum err err = train_options_check(o, ctx);

	if (err)
		return err;
	memset(&a, 0, sizeof(a));
	a.corpus = c;
	a.o = o;
	a.report.progress = o->progress;
	err = step_init(&a.step, o, ctx);
	if (!err)
		err = alone_init(&a, g, start, ctx);
	if (!err)
		progress_begin(o->progress, "training", a.n_steps);
	for (uint64_t at = 0; !err && at < a.n_steps; at++) {
		if (o->cancel && *o->cancel)
			err = err_set(ctx, ERR_CANCELLED, "training was cancelled");
		else
			err = alone_step(&a, at, ctx);
	}
	if (!err) {
		real_to_floats(weights, a.w, a.step.lane[0].net.n_floats);
		progress_end(o->progress, "trained %llu steps, loss %.3f",
			(unsigned long long)a.n_steps, lane_loss(&a.step, 0));
	}
	alone_release(&a);
	return err;
}
