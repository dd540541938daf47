/* Where models begin: with what other jobs measured before this one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/eval/cost_priors.h"
#include "src/eval/session.h"

static enum err began(const struct session *s, int64_t *at, struct err_ctx *ctx)
{
	struct store_job job;
	enum err e = store_job_find(s->store, s->job.name, &job, ctx);

	if (e)
		return e;
	*at = job.started_s;
	store_job_release(&job);
	return ERR_OK;
}

static enum err fit(struct session *s, struct tracked *t, const struct cost_set *set,
	struct err_ctx *ctx)
{
	size_t p = cost_features_count();
	enum err e = cost_model_choose(set->x, set->y, set->n, p,
		(unsigned long)s->job.seed, &t->prior, NULL, ctx);

	if (e)
		return e;
	snprintf(t->prior_name, sizeof(t->prior_name), "%s",
		cost_target_device(set->target));
	progress_say(s->progress, "prior for %s@%s: %s of %zu rows from %s",
		t->o.metric->name, t->o.device, t->prior.kind->name, set->n,
		t->prior_name);
	return transfer_choose(
		&t->prior, NULL, NULL, 0, p, (unsigned long)s->job.seed, &t->choice, ctx);
}

static enum err fit_one(struct session *s, struct tracked *t,
	const struct cost_priors *all, struct err_ctx *ctx)
{
	char target[2 * METRIC_NAME_MAX];
	struct cost_prior_query q = {.target = target, .not_job = s->job_id};
	const struct device_info *info;
	const struct cost_set *set;

	if (t->device < 0 || t->group.combine != DEVICE_ONE)
		return ERR_OK;
	info = device_info(s->device[t->device].dev);
	objective_format(&t->o, target, sizeof(target));
	q.device = &info->fingerprint;
	q.simulated = info->simulated;
	set = cost_priors_find(all, &q, NULL);
	return set ? fit(s, t, set, ctx) : ERR_OK;
}

/* Whether the job began with priors; one that has generations without having said so did
 * not. */
static enum err may_have_priors(struct session *s, int *may, struct err_ctx *ctx)
{
	struct store_generation *list;
	char *said;
	size_t n;
	enum err e = store_get_meta(s->store, s->job_id, "priors", &said, ctx);

	*may = !e && !strcmp(said, "yes");
	if (e != ERR_NOTFOUND) {
		if (!e)
			free(said);
		return e;
	}
	if ((e = store_list_generations(s->store, s->job_id, &list, &n, ctx)))
		return e;
	free(list);
	*may = n == 0;
	return store_put_meta(s->store, s->job_id, "priors", *may ? "yes" : "no", ctx);
}

enum err session_open_priors(struct session *s, struct err_ctx *ctx)
{
	struct cost_priors all;
	int64_t at = 0;
	int may = 0;
	enum err e = may_have_priors(s, &may, ctx);

	if (e || !may)
		return e;
	if ((e = began(s, &at, ctx)) || (e = cost_priors_open(&all, s->store,
						 task_kind_names[s->task.kind], at, ctx)))
		return e;
	for (size_t k = 0; k < s->n_tracked && !e; k++)
		e = fit_one(s, &s->tracked[k], &all, ctx);
	cost_priors_release(&all);
	return e;
}
