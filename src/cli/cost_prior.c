#include "src/cli/cost_prior.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/features.h"
#include "cost_models/transfer_curve.h"
#include "src/eval/cost_sets.h"

#define SEED 1
#define MIN_ROWS 6   /* of a prior */
#define MIN_SCORED 4 /* of a device, as transfer_curve wants */

/* The sets of one job of the same kind of task. */
struct source {
	char job[128];
	int64_t id;
	struct cost_set *sets;
	size_t n;
};

struct sources {
	struct source *of;
	size_t n;
	const struct source *own; /* the job that is scored */
};

static void sources_release(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		cost_sets_free(s->of[i].sets, s->of[i].n);
	free(s->of);
}

/* Other jobs count if they can be read and have the same kind of task. */
static enum err add_job(struct sources *all, struct store *s, const struct store_job *job,
	const char *kind, struct err_ctx *ctx)
{
	struct source *to = &all->of[all->n];
	char other[32];
	enum err e = cost_job_task(s, job->id, other, sizeof(other), ctx);

	if (e || !other[0] || strcmp(other, kind) != 0)
		return e;
	e = cost_job_sets(s, job, INT64_MAX, &to->sets, &to->n, ctx);
	if (e == ERR_NOTFOUND)
		return ERR_OK;
	if (e)
		return e;
	snprintf(to->job, sizeof(to->job), "%s", job->name);
	to->id = job->id;
	all->n++;
	return ERR_OK;
}

static enum err read_jobs(struct sources *all, struct store *s,
	const struct store_job *own, struct err_ctx *ctx)
{
	struct store_job *jobs;
	char kind[32];
	size_t n;
	enum err e = cost_job_task(s, own->id, kind, sizeof(kind), ctx);

	if (!e)
		e = store_job_list(s, &jobs, &n, ctx);
	if (e)
		return e;
	all->of = calloc(n + 1, sizeof(*all->of));
	if (!all->of)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		if (!e)
			e = add_job(all, s, &jobs[i], kind, ctx);
		store_job_release(&jobs[i]);
	}
	free(jobs);
	for (size_t i = 0; i < all->n; i++)
		if (all->of[i].id == own->id)
			all->own = &all->of[i];
	if (!e && !all->own)
		e = err_set(
			ctx, ERR_NOTFOUND, "job '%s' has no measurements yet", own->name);
	return e;
}

static const char *device_of(const struct cost_set *set)
{
	return strchr(set->target, '@') + 1;
}

static int same_quantity(const struct cost_set *a, const struct cost_set *b)
{
	size_t n = (size_t)(device_of(a) - a->target);

	return strncmp(a->target, b->target, n) == 0;
}

/* Is set b of `from` a better start for `to` than a is? The own job goes first. */
static int better(const struct sources *all, const struct source *a_from,
	const struct cost_set *a, const struct source *b_from, const struct cost_set *b)
{
	if (!a)
		return 1;
	if ((b_from == all->own) != (a_from == all->own))
		return b_from == all->own;
	return b->n > a->n;
}

static const struct cost_set *find_prior(const struct sources *all,
	const struct cost_set *to, const char *device, const struct source **from)
{
	const struct cost_set *best = NULL;
	int any = strcmp(device, "auto") == 0;

	for (size_t i = 0; i < all->n; i++) {
		for (size_t k = 0; k < all->of[i].n; k++) {
			const struct cost_set *set = &all->of[i].sets[k];

			if (set->n < MIN_ROWS || !same_quantity(to, set) ||
				strcmp(device_of(set), device_of(to)) == 0 ||
				(!any && strcmp(device_of(set), device) != 0))
				continue;
			if (better(all, *from, best, &all->of[i], set)) {
				best = set;
				*from = &all->of[i];
			}
		}
	}
	return best;
}

/* One table. */
struct curve {
	const struct cost_set *from, *to;
	const char *job; /* of from */
	const char *kind;
	struct transfer_point at[TRANSFER_CURVE_MAX];
	size_t n;
};

/* Rows of the scored device that the prior was fitted on as well, measured elsewhere. */
static size_t n_shared(const struct curve *c)
{
	size_t p = cost_features_count(), n = 0;

	for (size_t i = 0; i < c->to->n; i++) {
		size_t k = 0;

		while (k < c->from->n && memcmp(c->to->x + i * p, c->from->x + k * p,
						 p * sizeof(double)) != 0)
			k++;
		n += k < c->from->n;
	}
	return n;
}

static void put_percent(struct buf *out, double share)
{
	if (isfinite(share))
		buf_printf(out, " %8.1f", 100 * share);
	else
		buf_printf(out, " %8s", "-");
}

static void print_text(struct buf *out, const struct curve *c)
{
	if (out->len)
		buf_putc(out, '\n');
	buf_printf(out,
		"%s (%s, n = %zu), prior %s -> %s (%s, %s, %zu rows of job '%s')\n",
		c->to->target, c->to->provenance, c->to->n, device_of(c->from),
		device_of(c->to), c->kind, c->from->provenance, c->from->n, c->job);
	buf_puts(out, "own rows     mean     macs      own    prior   chosen    +-sd  "
		      "weight of the prior, %\n");
	for (size_t i = 0; i < c->n; i++) {
		const struct transfer_point *p = &c->at[i];

		buf_printf(out, "%8zu", p->n);
		put_percent(out, p->mean);
		put_percent(out, p->macs);
		put_percent(out, p->own);
		put_percent(out, p->line);
		put_percent(out, p->chosen);
		put_percent(out, p->sd);
		buf_printf(out, " %6.0f\n", 100 * p->prior_used);
	}
	buf_printf(out,
		"MAPE in %% on held-out rows; %zu of the rows are of networks that the "
		"prior has seen\n",
		n_shared(c));
}

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static enum err print_json(json_t *out, const struct curve *c, struct err_ctx *ctx)
{
	json_t *points = json_array();
	int bad = !points;

	for (size_t i = 0; i < c->n && !bad; i++) {
		const struct transfer_point *p = &c->at[i];

		bad = json_array_append_new(points,
			json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "own_rows",
				(json_int_t)p->n, "mean", number(p->mean), "macs",
				number(p->macs), "own", number(p->own), "prior",
				number(p->line), "chosen", number(p->chosen), "sd",
				number(p->sd), "prior_chosen", number(p->prior_used)));
	}
	if (bad) {
		json_decref(points);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	if (json_array_append_new(
		    out, json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:o}",
				 "target", c->to->target, "provenance", c->to->provenance,
				 "n", (json_int_t)c->to->n, "prior", c->from->target,
				 "prior_provenance", c->from->provenance, "prior_job",
				 c->job, "prior_model", c->kind, "prior_n",
				 (json_int_t)c->from->n, "curve", points)))
		return err_set(ctx, ERR_NOMEM, "out of memory");
	return ERR_OK;
}

static enum err score_one(
	struct curve *c, json_t *json, struct buf *text, struct err_ctx *ctx)
{
	size_t p = cost_features_count();
	struct fitted prior = {NULL, NULL};
	enum err e = cost_model_choose(
		c->from->x, c->from->y, c->from->n, p, SEED, &prior, NULL, ctx);

	if (!e)
		e = transfer_curve(
			&prior, c->to->x, c->to->y, c->to->n, p, SEED, c->at, &c->n, ctx);
	if (!e) {
		c->kind = prior.kind->name;
		if (json)
			e = print_json(json, c, ctx);
		else
			print_text(text, c);
	}
	fitted_release(&prior);
	return e ? e : buf_err(text, ctx);
}

static enum err score_all(const struct sources *all, const char *device, json_t *json,
	struct buf *text, struct err_ctx *ctx)
{
	size_t n = 0;

	for (size_t i = 0; i < all->own->n; i++) {
		const struct source *from = NULL;
		struct curve c = {.to = &all->own->sets[i]};
		enum err e;

		if (c.to->n < MIN_SCORED)
			continue;
		c.from = find_prior(all, c.to, device, &from);
		if (!c.from)
			continue;
		c.job = from->job;
		if ((e = score_one(&c, json, text, ctx)))
			return e;
		n++;
	}
	if (n)
		return ERR_OK;
	return err_set(ctx, ERR_NOTFOUND,
		"cost score: no prior '%s' for job '%s': it takes %d measurements of one "
		"device and %d of another, of the same quantity and kind of task",
		device, all->own->job, MIN_ROWS, MIN_SCORED);
}

enum err cost_prior_score(struct store *s, const char *job, const char *device,
	json_t *json, struct buf *text, struct err_ctx *ctx)
{
	struct sources all = {NULL, 0, NULL};
	struct store_job own;
	enum err e = store_job_find(s, job, &own, ctx);

	if (e)
		return e;
	e = read_jobs(&all, s, &own, ctx);
	if (!e)
		e = score_all(&all, device, json, text, ctx);
	sources_release(&all);
	store_job_release(&own);
	return e;
}
