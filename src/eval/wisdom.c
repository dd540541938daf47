#include "src/eval/wisdom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/codegen/kernel_sets.h"

void wisdom_init(struct wisdom *w, struct store *store, pthread_mutex_t *lock,
	struct device *device, const char *results, int64_t last)
{
	memset(w, 0, sizeof(*w));
	w->store = store;
	w->lock = lock;
	w->device = device;
	w->results = results;
	w->last = last;
}

void wisdom_release(struct wisdom *w)
{
	for (int i = 0; i < N_OPT_LEVELS; i++) {
		free(w->level[i].rows);
		free(w->level[i].tuned);
	}
	memset(w, 0, sizeof(*w));
}

static struct target target_of(const struct wisdom *w)
{
	const struct device_profile *p = device_profile(w->device);

	return (struct target){p->cc, p->cflags, p->isa, "linux"};
}

/* `rows`, an array for free(), becomes what is known. */
static enum err take_rows(
	struct wisdom_level *l, struct store_wisdom *rows, size_t n, struct err_ctx *ctx)
{
	struct tuned *tuned = calloc(n ? n : 1, sizeof(*tuned));

	if (!tuned) {
		free(rows);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < n; i++)
		tuned[i] = (struct tuned){rows[i].shape, rows[i].schedule};
	free(l->rows);
	free(l->tuned);
	l->rows = rows;
	l->tuned = tuned;
	l->n = n;
	return ERR_OK;
}

static void lock(struct wisdom *w)
{
	if (w->lock)
		pthread_mutex_lock(w->lock);
}

static void unlock(struct wisdom *w)
{
	if (w->lock)
		pthread_mutex_unlock(w->lock);
}

/* With the lock held. */
static enum err load(struct wisdom *w, struct wisdom_level *l, struct err_ctx *ctx)
{
	struct store_wisdom *rows;
	size_t n;
	enum err e = store_list_wisdom(w->store, &device_info(w->device)->fingerprint,
		&l->tuner.build, w->last, &rows, &n, ctx);

	return e ? e : take_rows(l, rows, n, ctx);
}

static enum err was_tuned(struct wisdom *w, int *yes, struct err_ctx *ctx)
{
	int64_t last = 0;
	enum err e;

	lock(w);
	e = store_last_wisdom(
		w->store, &device_info(w->device)->fingerprint, &last, ctx);
	unlock(w);
	*yes = last != 0;
	return e;
}

enum err wisdom_open(
	struct wisdom *w, const struct genome *g, int tune, struct err_ctx *ctx)
{
	struct wisdom_level *l = &w->level[g->opt];
	struct target target = target_of(w);
	char cache[1200];
	int wanted = tune;
	enum err e;

	if (g->kernels != KERNELS_OPT || l->is_open ||
		(!tune && !strcmp(target.cc, "none")))
		return ERR_OK;
	e = tune ? tune_check(w->device, ctx) : was_tuned(w, &wanted, ctx);
	if (e || !wanted)
		return e;
	if ((e = file_join(cache, sizeof(cache), w->results, "builds", ctx)) ||
		(e = codegen_tuner(&target, (enum opt_level)g->opt, cache, &l->tuner,
			 ctx)))
		return e;
	lock(w);
	e = load(w, l, ctx);
	unlock(w);
	l->is_open = !e;
	return e;
}

const struct store_wisdom *wisdom_find(
	const struct wisdom *w, enum opt_level opt, const struct product *shape)
{
	const struct wisdom_level *l = &w->level[opt];

	for (size_t i = 0; i < l->n; i++)
		if (product_equal(&l->rows[i].shape, shape))
			return &l->rows[i];
	return NULL;
}

static void describe(
	struct store_wisdom *r, const struct kernel_set *set, const struct product *shape)
{
	memset(r, 0, sizeof(*r));
	r->shape = *shape;
	r->n_schedules = (uint8_t)kernel_set_schedules(set, shape->bits);
	snprintf(r->kernel_set, sizeof(r->kernel_set), "%s", set->isa);
}

/* At most PRODUCTS_MAX rows, as tune_run wants them; NULL: only how many. */
static enum err list_missing(const struct wisdom *w, const struct codegen_input *in,
	struct store_wisdom *rows, size_t *n, struct err_ctx *ctx)
{
	enum opt_level opt = (enum opt_level)in->genome->opt;
	struct target target = target_of(w);
	struct product shapes[PRODUCTS_MAX];
	const struct kernel_set *set;
	size_t n_shapes;
	enum err e;

	*n = 0;
	if (in->genome->kernels != KERNELS_OPT || !w->level[opt].is_open)
		return ERR_OK;
	if ((e = codegen_products(in, &target, shapes, &n_shapes, ctx)) ||
		(e = kernel_set_choose(target.isa, target.cc, target.cflags, &set, ctx)))
		return e;
	for (size_t i = 0; i < n_shapes; i++) {
		if (wisdom_find(w, opt, &shapes[i]))
			continue;
		if (rows)
			describe(&rows[*n], set, &shapes[i]);
		++*n;
	}
	return ERR_OK;
}

enum err wisdom_missing(const struct wisdom *w, const struct codegen_input *in, size_t *n,
	struct err_ctx *ctx)
{
	return list_missing(w, in, NULL, n, ctx);
}

static enum err keep(struct wisdom *w, struct wisdom_level *l,
	const struct store_wisdom *rows, size_t n, struct err_ctx *ctx)
{
	enum err e;

	lock(w);
	e = store_put_wisdom(w->store, rows, n, ctx);
	e = e ? e : load(w, l, ctx);
	unlock(w);
	return e;
}

enum err wisdom_tune(struct wisdom *w, const struct codegen_input *in,
	const struct tune_options *o, size_t *n_timed, struct err_ctx *ctx)
{
	struct wisdom_level *l = &w->level[in->genome->opt];
	struct store_wisdom *rows = calloc(PRODUCTS_MAX, sizeof(*rows));
	enum err e;

	*n_timed = 0;
	if (!rows)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	e = list_missing(w, in, rows, n_timed, ctx);
	if (!e && *n_timed) {
		e = tune_run(w->device, &l->tuner, o, rows, *n_timed, ctx);
		e = e ? e : keep(w, l, rows, *n_timed, ctx);
	}
	free(rows);
	return e;
}

void wisdom_apply(const struct wisdom *w, struct codegen_input *in)
{
	const struct wisdom_level *l = &w->level[in->genome->opt];

	if (in->genome->kernels != KERNELS_OPT)
		return;
	in->tuned = l->tuned;
	in->n_tuned = l->n;
}
