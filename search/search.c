/* The loop that all algorithms share: ask, evaluate, look again at the front, learn,
 * note. */
#include "search/search.h"

#include <stdlib.h>
#include <string.h>

#include "search/algo/algorithm.h"
#include "search/stop.h"

#define RELOOK_PASSES 4

void search_options_default(struct search_options *o)
{
	*o = (struct search_options){
		.algorithm = "model",
		.seed = 1,
		.n_initial = 12,
		.batch = 6,
		.population = 64,
		.inner_generations = 20,
		.n_refine = 24,
		.explore = 0.2,
	};
}

void search_result_release(struct search_result *r)
{
	free(r->members);
	memset(r, 0, sizeof(*r));
}

/* ---- one generation */

struct batch {
	struct genome *g;
	struct evaluation *out;
	size_t *member; /* of second looks */
	size_t cap;
};

static void batch_release(struct batch *b)
{
	free(b->g);
	free(b->out);
	free(b->member);
	memset(b, 0, sizeof(*b));
}

static enum err batch_init(struct batch *b, size_t cap, struct err_ctx *ctx)
{
	b->cap = cap;
	b->g = calloc(cap + 1, sizeof(*b->g));
	b->out = calloc(cap + 1, sizeof(*b->out));
	b->member = calloc(cap + 1, sizeof(*b->member));
	if (b->g && b->out && b->member)
		return ERR_OK;
	batch_release(b);
	return err_set(ctx, ERR_NOMEM, "out of memory");
}

static enum err first_looks(struct search_state *st, const struct algorithm *a, size_t *n,
	struct err_ctx *ctx)
{
	size_t want = st->generation ? st->o->batch : st->o->n_initial;
	struct proposal p = {.want = want, .origin = a->name};
	struct batch b;
	enum err e = batch_init(&b, want, ctx);

	if (e)
		return e;
	p.g = b.g;
	e = a->ask(st, &p, ctx);
	/* Proposals do not depend on the budget: a search that is resumed with a larger
	 * one first repeats what it did. */
	if (st->o->max_candidates && p.n > st->o->max_candidates - st->n)
		p.n = st->o->max_candidates - st->n;
	if (!e && p.n)
		e = st->ev->evaluate(
			st->ev->self, b.g, p.n, 1, p.origin, st->generation, b.out, ctx);
	for (size_t i = 0; !e && i < p.n; i++)
		e = search_state_add(st, &b.g[i], &b.out[i], ctx);
	if (!e)
		e = search_state_update(st, ctx);
	*n = p.n;
	genome_set_release(&p.in);
	batch_release(&b);
	return e;
}

/* Looks again at front members that had one look. What falls back may bring others to the
 * front, which then get theirs. */
static enum err second_looks(struct search_state *st, struct err_ctx *ctx)
{
	struct batch b;
	enum err e = batch_init(&b, st->n, ctx);

	for (int pass = 0; !e && pass < RELOOK_PASSES; pass++) {
		size_t n = 0;

		for (size_t i = 0; i < st->n; i++) {
			if (!st->members[i].on_front || st->looks[i] > 1)
				continue;
			b.g[n] = st->members[i].g;
			b.member[n++] = i;
		}
		if (n == 0)
			break;
		e = st->ev->evaluate(
			st->ev->self, b.g, n, 2, "front", st->generation, b.out, ctx);
		for (size_t i = 0; !e && i < n; i++) {
			st->members[b.member[i]].last = b.out[i];
			st->looks[b.member[i]] = 2;
			st->n_looks++;
		}
		if (!e)
			e = search_state_update(st, ctx);
	}
	batch_release(&b);
	return e;
}

static enum err note(
	struct search_state *st, struct stop_watch *watch, struct err_ctx *ctx)
{
	struct generation_note n = {
		.generation = st->generation,
		.n_candidates = (int)st->n,
		.n_measured = (int)st->n_looks,
		.hv_claimed = search_state_hypervolume(st, 0),
		.hv_remeasured = search_state_hypervolume(st, 1),
	};

	stop_note(watch, n.hv_remeasured);
	return st->ev->note ? st->ev->note(st->ev->self, &n, ctx) : ERR_OK;
}

static int stop_requested(const struct search_state *st)
{
	return st->ev->stop && st->ev->stop(st->ev->self);
}

static enum err generation(struct search_state *st, const struct algorithm *a,
	struct stop_watch *watch, const char **stopped_by, struct err_ctx *ctx)
{
	size_t n;
	enum err e;

	if ((e = first_looks(st, a, &n, ctx)))
		return e;
	if (n == 0) {
		*stopped_by = "exhausted";
		return ERR_OK;
	}
	if (stop_requested(st))
		return ERR_CANCELLED;
	if ((e = second_looks(st, ctx)) || (a->tell && (e = a->tell(st, ctx))))
		return e;
	return note(st, watch, ctx);
}

static enum err run(struct search_state *st, const struct algorithm *a,
	const char **stopped_by, struct err_ctx *ctx)
{
	struct stop_watch watch = {0, 0};
	enum err e = ERR_OK;

	*stopped_by = NULL;
	while (!e && !*stopped_by) {
		*stopped_by = stop_reason(&watch, st->o, st->n, (uint32_t)st->generation);
		if (!*stopped_by && stop_requested(st))
			e = ERR_CANCELLED;
		if (e || *stopped_by)
			break;
		e = generation(st, a, &watch, stopped_by, ctx);
		st->generation++;
	}
	if (e != ERR_CANCELLED)
		return e;
	*stopped_by = "request";
	return search_state_update(st, ctx);
}

/* ---- */

static enum err check(const struct search_state *st, struct err_ctx *ctx)
{
	struct err_ctx why;
	struct genome g;
	struct rng rng;

	if (st->m < 1 || st->m > OBJECTIVES_MAX)
		return err_set(ctx, ERR_USAGE,
			"a search needs 1 to %d objectives, not %zu", OBJECTIVES_MAX,
			st->m);
	if (st->o->n_initial < 1 || st->o->batch < 1 || st->o->population < 4)
		return err_set(ctx, ERR_USAGE,
			"a search needs at least 1 initial candidate, a batch of 1 and a "
			"population of 4");
	if (!(st->o->explore >= 0 && st->o->explore <= 1))
		return err_set(ctx, ERR_USAGE, "'explore' is a share from 0 to 1");
	rng_split(&st->rng, "check", 0, &rng);
	space_sample(st->space, st->task, &rng, &g);
	if (space_contains(st->space, &g, st->task, &why))
		return err_set(ctx, ERR_INVALID,
			"space '%s' is impossible for this task: %.500s",
			space_name(st->space), why.msg);
	return ERR_OK;
}

enum err search_run(const struct space *space, const struct task_shape *task,
	const struct search_options *o, const struct evaluator *ev,
	struct search_result *out, struct err_ctx *ctx)
{
	struct search_state st = {
		.space = space, .task = task, .o = o, .ev = ev, .m = ev->n_objectives};
	const struct algorithm *a = algorithm_find(o->algorithm, ctx);
	const char *stopped_by;
	enum err e;

	if (!a)
		return ERR_USAGE;
	rng_init(&st.rng, o->seed);
	if ((e = check(&st, ctx)))
		return e;
	e = run(&st, a, &stopped_by, ctx);
	if (!e) {
		out->members = st.members;
		out->n = st.n;
		out->stopped_by = stopped_by;
		st.members = NULL;
	}
	search_state_release(&st);
	return e;
}
