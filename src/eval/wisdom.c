#include "src/eval/wisdom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/codegen/kernel_sets.h"

void wisdom_init(struct wisdom *w, struct store *store, struct device *device,
	const char *results, int64_t last)
{
	memset(w, 0, sizeof(*w));
	w->store = store;
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

static enum err load(struct wisdom *w, struct wisdom_level *l, struct err_ctx *ctx)
{
	struct store_wisdom *rows;
	size_t n;
	enum err e = store_list_wisdom(w->store, &device_info(w->device)->fingerprint,
		&l->tuner.build, w->last, &rows, &n, ctx);

	return e ? e : take_rows(l, rows, n, ctx);
}

static enum err open_level(
	struct wisdom *w, enum opt_level opt, int tune, struct err_ctx *ctx)
{
	struct wisdom_level *l = &w->level[opt];
	struct target target = target_of(w);
	char cache[1200];
	int64_t last = 1;
	enum err e = ERR_OK;

	if (l->is_open || (!tune && !strcmp(target.cc, "none")))
		return ERR_OK;
	if (!tune)
		e = store_last_wisdom(
			w->store, &device_info(w->device)->fingerprint, &last, ctx);
	if (e || !last)
		return e;
	if ((e = file_join(cache, sizeof(cache), w->results, "builds", ctx)) ||
		(e = codegen_tuner(&target, opt, cache, &l->tuner, ctx)) ||
		(e = load(w, l, ctx)))
		return e;
	l->is_open = 1;
	return ERR_OK;
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

static enum err tune_missing(struct wisdom *w, const struct codegen_input *in,
	const struct tune_options *o, size_t *n_timed, struct err_ctx *ctx)
{
	enum opt_level opt = (enum opt_level)in->genome->opt;
	struct target target = target_of(w);
	struct product shapes[PRODUCTS_MAX];
	const struct kernel_set *set;
	struct store_wisdom *rows;
	size_t n, missing = 0;
	enum err e;

	if ((e = codegen_products(in, &target, shapes, &n, ctx)) ||
		(e = kernel_set_choose(target.isa, target.cc, target.cflags, &set, ctx)))
		return e;
	rows = calloc(n ? n : 1, sizeof(*rows));
	if (!rows)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		struct store_wisdom *r = &rows[missing];

		if (wisdom_find(w, opt, &shapes[i]))
			continue;
		r->shape = shapes[i];
		r->n_schedules = (uint8_t)kernel_set_schedules(set, shapes[i].bits);
		snprintf(r->kernel_set, sizeof(r->kernel_set), "%s", set->isa);
		missing++;
	}
	e = tune_run(w->device, &w->level[opt].tuner, o, rows, missing, ctx);
	if (!e && missing)
		e = store_put_wisdom(w->store, rows, missing, ctx);
	if (!e && missing)
		e = load(w, &w->level[opt], ctx);
	free(rows);
	if (!e && n_timed)
		*n_timed = missing;
	return e;
}

enum err wisdom_prepare(struct wisdom *w, const struct codegen_input *in, int tune,
	const struct tune_options *o, size_t *n_timed, struct err_ctx *ctx)
{
	enum err e;

	if (n_timed)
		*n_timed = 0;
	if (in->genome->kernels != KERNELS_OPT)
		return ERR_OK;
	e = open_level(w, (enum opt_level)in->genome->opt, tune, ctx);
	return e || !tune ? e : tune_missing(w, in, o, n_timed, ctx);
}

void wisdom_apply(const struct wisdom *w, struct codegen_input *in)
{
	const struct wisdom_level *l = &w->level[in->genome->opt];

	if (in->genome->kernels != KERNELS_OPT)
		return;
	in->tuned = l->tuned;
	in->n_tuned = l->n;
}
