/* Where models begin: with what other jobs measured before this one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/eval/cost_sets.h"
#include "src/eval/session.h"

#define MIN_ROWS 12 /* of a prior: as many as a first generation has */

/* The best set for one metric so far. */
struct found {
	struct cost_set set; /* n 0: none */
	int same_device;
};

static void keep(struct found *best, struct cost_set *set, int same_device)
{
	if (best->set.n && (best->same_device > same_device ||
				   (best->same_device == same_device &&
					   best->set.n >= set->n)))
		return;
	free(best->set.x);
	free(best->set.y);
	best->set = *set;
	best->same_device = same_device;
	set->x = set->y = NULL; /* taken */
}

static int is_of(const struct cost_set *set, const struct metric *m)
{
	size_t n = strlen(m->name);

	return strncmp(set->target, m->name, n) == 0 && set->target[n] == '@';
}

/* The sets of one job that are any good. */
static void look_through(
	const struct session *s, struct cost_set *sets, size_t n, struct found *best)
{
	for (size_t k = 0; k < s->n_tracked; k++) {
		const struct tracked *t = &s->tracked[k];

		if (t->device < 0 || t->group.combine != DEVICE_ONE)
			continue;
		for (size_t i = 0; i < n; i++)
			if (sets[i].n >= MIN_ROWS && is_of(&sets[i], t->o.metric))
				keep(&best[k], &sets[i],
					hash_equal(&sets[i].device,
						&device_info(s->device[t->device].dev)
							 ->fingerprint));
	}
}

static int same_kind(const struct session *s, int64_t job)
{
	char kind[32];

	return !cost_job_task(s->store, job, kind, sizeof(kind), NULL) &&
	       !strcmp(kind, task_kind_names[s->task.kind]);
}

/* Jobs that cannot be read are no priors. */
static enum err find(struct session *s, struct found *best, struct err_ctx *ctx)
{
	struct store_job *jobs;
	int64_t began = 0;
	size_t n;
	enum err e = store_job_list(s->store, &jobs, &n, ctx);

	if (e)
		return e;
	for (size_t i = 0; i < n; i++)
		if (jobs[i].id == s->job_id)
			began = jobs[i].started_s;
	for (size_t i = 0; i < n; i++) {
		struct cost_set *sets;
		size_t n_sets;

		if (jobs[i].id != s->job_id && same_kind(s, jobs[i].id) &&
			!cost_job_sets(
				s->store, &jobs[i], began, &sets, &n_sets, NULL)) {
			look_through(s, sets, n_sets, best);
			cost_sets_free(sets, n_sets);
		}
		store_job_release(&jobs[i]);
	}
	free(jobs);
	return ERR_OK;
}

static enum err fit(struct session *s, struct tracked *t, const struct found *f,
	struct err_ctx *ctx)
{
	size_t p = cost_features_count();
	enum err e = cost_model_choose(f->set.x, f->set.y, f->set.n, p,
		(unsigned long)s->job.seed, &t->prior, NULL, ctx);

	if (e)
		return e;
	snprintf(t->prior_name, sizeof(t->prior_name), "%s",
		strchr(f->set.target, '@') + 1);
	progress_say(s->progress, "prior for %s@%s: %s of %zu rows from %s",
		t->o.metric->name, t->o.device, t->prior.kind->name, f->set.n,
		t->prior_name);
	return transfer_choose(&t->prior, NULL, NULL, 0, p, (unsigned long)s->job.seed,
		&t->choice, ctx);
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
	struct found best[SESSION_MAX_TRACKED];
	int may = 0;
	enum err e = may_have_priors(s, &may, ctx);

	memset(best, 0, sizeof(best));
	if (!e && may)
		e = find(s, best, ctx);
	for (size_t k = 0; k < s->n_tracked; k++) {
		if (!e && best[k].set.n)
			e = fit(s, &s->tracked[k], &best[k], ctx);
		free(best[k].set.x);
		free(best[k].set.y);
	}
	return e;
}
