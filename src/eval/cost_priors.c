#include "src/eval/cost_priors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum err add_job(struct cost_priors *all, struct store *s,
	const struct store_job *job, const char *kind, int64_t before_s)
{
	struct cost_prior_job *to = &all->job[all->n];
	char other[32];
	enum err e = cost_job_task(s, job->id, other, sizeof(other), NULL);

	if (e || strcmp(other, kind) != 0)
		return e;
	e = cost_job_sets(s, job, before_s, &to->sets, &to->n, NULL);
	if (e)
		return e;
	snprintf(to->name, sizeof(to->name), "%s", job->name);
	to->id = job->id;
	all->n++;
	return ERR_OK;
}

static int by_id(const void *a, const void *b)
{
	const struct cost_prior_job *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

enum err cost_priors_open(struct cost_priors *all, struct store *s, const char *kind,
	int64_t before_s, struct err_ctx *ctx)
{
	struct store_job *jobs;
	size_t n;
	enum err e = store_job_list(s, &jobs, &n, ctx);

	memset(all, 0, sizeof(*all));
	if (e)
		return e;
	all->job = calloc(n + 1, sizeof(*all->job));
	if (!all->job)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		if (!e && kind[0] &&
			add_job(all, s, &jobs[i], kind, before_s) == ERR_NOMEM)
			e = err_set(ctx, ERR_NOMEM, "out of memory");
		store_job_release(&jobs[i]);
	}
	free(jobs);
	if (e)
		cost_priors_release(all);
	else
		qsort(all->job, all->n, sizeof(*all->job), by_id);
	return e;
}

void cost_priors_release(struct cost_priors *all)
{
	for (size_t i = 0; i < all->n; i++)
		cost_sets_free(all->job[i].sets, all->job[i].n);
	free(all->job);
	memset(all, 0, sizeof(*all));
}

const char *cost_target_device(const char *target)
{
	const char *at = strchr(target, '@');

	return at ? at + 1 : "";
}

static int same_quantity(const char *a, const char *b)
{
	size_t n = strcspn(a, "@");

	return n == strcspn(b, "@") && strncmp(a, b, n) == 0;
}

static int may_be(const struct cost_prior_query *q, const struct cost_set *set)
{
	const char *name = cost_target_device(set->target);

	if (set->n < COST_PRIOR_MIN_ROWS || !same_quantity(q->target, set->target) ||
		(q->from && strcmp(name, q->from) != 0))
		return 0;
	return !q->others_only || (!hash_equal(&set->device, q->device) &&
					  strcmp(name, cost_target_device(q->target)));
}

static int is_better(const struct cost_prior_query *q, const struct cost_set *a,
	const struct cost_set *than)
{
	int own[2], alike[2];
	const struct cost_set *const sets[2] = {a, than};

	for (int i = 0; i < 2; i++) {
		own[i] = hash_equal(&sets[i]->device, q->device);
		alike[i] = !strcmp(sets[i]->provenance, "simulated") == !!q->simulated;
	}
	if (own[0] != own[1])
		return own[0];
	if (alike[0] != alike[1])
		return alike[0];
	return a->n > than->n;
}

const struct cost_set *cost_priors_find(const struct cost_priors *all,
	const struct cost_prior_query *q, const struct cost_prior_job **job)
{
	const struct cost_set *best = NULL;

	for (size_t i = 0; i < all->n; i++) {
		const struct cost_prior_job *j = &all->job[i];

		if (q->not_job && j->id == q->not_job)
			continue;
		for (size_t k = 0; k < j->n; k++) {
			const struct cost_set *set = &j->sets[k];

			if (!may_be(q, set) || (best && !is_better(q, set, best)))
				continue;
			best = set;
			if (job)
				*job = j;
		}
	}
	return best;
}
