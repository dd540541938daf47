#include "src/eval/cost_sets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/features.h"

#define MAX_DEVICES 64

/* Quantities that a model is asked for. */
static double latency_us(const struct measurement *m, const struct artefact *a)
{
	(void)a;
	return m->latency_ns / 1000;
}

static double instructions(const struct measurement *m, const struct artefact *a)
{
	(void)a;
	return m->instructions;
}

static double step_instructions(const struct measurement *m, const struct artefact *a)
{
	(void)a;
	return m->step_instructions;
}

static double step_us(const struct measurement *m, const struct artefact *a)
{
	(void)a;
	return m->step_ns / 1000;
}

static double peak_rss(const struct measurement *m, const struct artefact *a)
{
	(void)a;
	return (double)m->peak_rss_bytes;
}

static double flash(const struct measurement *m, const struct artefact *a)
{
	(void)m;
	return (double)a->flash_bytes;
}

static double arena(const struct measurement *m, const struct artefact *a)
{
	(void)m;
	return (double)(a->arena_bytes + a->state_bytes);
}

static double energy(const struct measurement *m, const struct artefact *a)
{
	(void)a;
	return m->energy_uj;
}

static const struct quantity {
	const char *name;
	double (*of)(const struct measurement *m, const struct artefact *a);
	int is_linked; /* of the real link, whatever runs it */
} quantities[] = {
	{"latency_us", latency_us, 0},
	{"step_us", step_us, 0},
	{"instructions", instructions, 0},
	{"step_instructions", step_instructions, 0},
	{"flash_bytes", flash, 1},
	{"peak_rss_bytes", peak_rss, 0},
	{"arena_bytes", arena, 1},
	{"energy_uj", energy, 0},
};
#define N_QUANTITIES (sizeof(quantities) / sizeof(quantities[0]))

enum err cost_job_task(
	struct store *s, int64_t job, char *out, size_t cap, struct err_ctx *ctx)
{
	char *kind;
	enum err e = store_get_meta(s, job, "task_kind", &kind, ctx);

	out[0] = 0;
	if (e)
		return e == ERR_NOTFOUND ? ERR_OK : e;
	snprintf(out, cap, "%s", kind);
	free(kind);
	return ERR_OK;
}

/* What is read from the store once. */
struct source {
	struct store *store;
	struct task_shape task;
	uint32_t n_tokens; /* 0: each candidate's longest */
	struct store_candidate *candidates;
	size_t n_candidates;
	struct store_measurement *looks;
	size_t n_looks;
	double *features;	/* [n_candidates, p] */
	struct artefact *built; /* [n_looks]; sizes 0 where the build is not known */
};

static void source_release(struct source *k)
{
	store_candidates_free(k->candidates, k->n_candidates);
	store_measurements_free(k->looks, k->n_looks);
	free(k->features);
	free(k->built);
}

/* A number among the job's notes. */
static enum err note_number(const struct source *k, const struct store_job *job,
	const char *key, long *out, struct err_ctx *ctx)
{
	char *text, *end;
	enum err e = store_get_meta(k->store, job->id, key, &text, ctx);

	if (e == ERR_NOTFOUND)
		return err_set(ctx, e,
			"job '%s' has no '%s' yet; let it run a while first", job->name,
			key);
	if (e)
		return e;
	*out = strtol(text, &end, 10);
	if (end == text || *end || *out < 0 || *out > 1000000)
		e = err_set(ctx, ERR_CORRUPT, "job '%s': '%s' is '%s', not a number",
			job->name, key, text);
	free(text);
	return e;
}

static enum err read_task(
	struct source *k, const struct store_job *job, struct err_ctx *ctx)
{
	long n_intents = 0, n_tags = 0, n_tokens = 0;
	char *kind;
	int i = 0;
	enum err e = store_get_meta(k->store, job->id, "task_kind", &kind, ctx);

	if (e == ERR_NOTFOUND)
		return err_set(ctx, e,
			"job '%s' has no task yet; let it run a while first", job->name);
	if (e)
		return e;
	while (i < N_TASK_KINDS && strcmp(task_kind_names[i], kind) != 0)
		i++;
	if (i == N_TASK_KINDS)
		e = err_set(
			ctx, ERR_CORRUPT, "job '%s': unknown task '%s'", job->name, kind);
	free(kind);
	if (!e)
		e = note_number(k, job, "n_intents", &n_intents, ctx);
	if (!e)
		e = note_number(k, job, "n_tags", &n_tags, ctx);
	if (!e)
		e = note_number(k, job, "timed_tokens", &n_tokens, ctx);
	if (e)
		return e;
	k->task = (struct task_shape){(enum task_kind)i, (int)n_intents, (int)n_tags};
	k->n_tokens = (uint32_t)n_tokens;
	return ERR_OK;
}

static enum err read_features(struct source *k, struct err_ctx *ctx)
{
	size_t p = cost_features_count();

	k->features = calloc(k->n_candidates + 1, p * sizeof(double));
	if (!k->features)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < k->n_candidates; i++) {
		struct genome g;
		enum err e = genome_parse(&g, k->candidates[i].text, ctx);
		uint32_t n = k->n_tokens;

		if (e)
			return e;
		if (!n || n > g.seq_len)
			n = g.seq_len;
		cost_features(&g, &k->task, n, k->features + i * p);
	}
	return ERR_OK;
}

static enum err read_builds(struct source *k, struct err_ctx *ctx)
{
	k->built = calloc(k->n_looks + 1, sizeof(*k->built));
	if (!k->built)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < k->n_looks; i++) {
		enum err e = store_get_build(
			k->store, &k->looks[i].m.build, &k->built[i], ctx);

		if (e == ERR_NOTFOUND)
			memset(&k->built[i], 0, sizeof(k->built[i]));
		else if (e)
			return e;
	}
	return ERR_OK;
}

/* Looks come in order of taking. */
static void forget_later(struct source *k, int64_t before_s)
{
	size_t n = k->n_looks;

	while (n && k->looks[n - 1].taken_s >= before_s)
		measurement_release(&k->looks[--n].m);
	k->n_looks = n;
}

static enum err source_init(struct source *k, struct store *s,
	const struct store_job *job, int64_t before_s, struct err_ctx *ctx)
{
	enum err e;

	memset(k, 0, sizeof(*k));
	k->store = s;
	e = read_task(k, job, ctx);
	if (!e)
		e = store_list_candidates(
			s, job->id, &k->candidates, &k->n_candidates, ctx);
	if (!e)
		e = store_list_measurements(s, job->id, 0, &k->looks, &k->n_looks, ctx);
	if (!e) {
		forget_later(k, before_s);
		e = read_features(k, ctx);
	}
	if (!e)
		e = read_builds(k, ctx);
	if (e)
		source_release(k);
	return e;
}

/* Taken on a machine that describes itself alike (its fingerprint) by the same procedure. */
static int comparable(
	const struct store_measurement *a, const struct store_measurement *b)
{
	return strcmp(a->device_name, b->device_name) == 0 &&
	       hash_equal(&a->m.device, &b->m.device) && a->m.protocol == b->m.protocol;
}

/* The newest look at a candidate that is comparable to `like`; SIZE_MAX when there is
 * none. */
static size_t newest_look(const struct source *k, const struct hash *candidate,
	const struct store_measurement *like)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < k->n_looks; i++) {
		const struct store_measurement *l = &k->looks[i];

		if (!comparable(l, like) || !hash_equal(&l->m.candidate, candidate))
			continue;
		if (best == SIZE_MAX || l->m.look >= k->looks[best].m.look)
			best = i;
	}
	return best;
}

static void set_release(struct cost_set *set)
{
	free(set->x);
	free(set->y);
}

static enum err fill_set(struct cost_set *set, const struct source *k,
	const struct quantity *q, const struct store_measurement *like,
	struct err_ctx *ctx)
{
	size_t p = cost_features_count();

	memset(set, 0, sizeof(*set));
	set->device = like->m.device;
	snprintf(set->target, sizeof(set->target), "%s@%s", q->name, like->device_name);
	set->provenance = "measured";
	set->x = calloc(k->n_candidates + 1, p * sizeof(double));
	set->y = calloc(k->n_candidates + 1, sizeof(double));
	if (!set->x || !set->y)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < k->n_candidates; i++) {
		size_t at = newest_look(k, &k->candidates[i].hash, like);
		double v;

		if (at == SIZE_MAX)
			continue;
		if (k->looks[at].simulated)
			set->provenance = "simulated";
		else if (k->looks[at].m.instructions > 0 && !q->is_linked)
			set->provenance = "emulated";
		v = q->of(&k->looks[at].m, &k->built[at]);
		if (!(v > 0) || !isfinite(v))
			continue;
		memcpy(set->x + set->n * p, k->features + i * p, p * sizeof(double));
		set->y[set->n++] = v;
	}
	return ERR_OK;
}

/* The last look on each device: what counts as that device. */
static size_t list_devices(const struct source *k, const struct store_measurement **last)
{
	size_t n = 0;

	for (size_t i = 0; i < k->n_looks; i++) {
		size_t j = 0;

		while (j < n &&
			strcmp(last[j]->device_name, k->looks[i].device_name) != 0)
			j++;
		if (j == MAX_DEVICES)
			continue;
		last[j] = &k->looks[i];
		n += j == n;
	}
	return n;
}

static enum err fill_all(
	struct source *k, struct cost_set **out, size_t *n, struct err_ctx *ctx)
{
	const struct store_measurement *devices[MAX_DEVICES];
	size_t n_devices = list_devices(k, devices), count = 0;
	struct cost_set *sets = calloc(n_devices * N_QUANTITIES + 1, sizeof(*sets));
	enum err e = sets ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory");

	for (size_t d = 0; d < n_devices && !e; d++) {
		for (size_t q = 0; q < N_QUANTITIES && !e; q++) {
			e = fill_set(&sets[count], k, &quantities[q], devices[d], ctx);
			if (e || sets[count].n)
				count++;
			else
				set_release(&sets[count]);
		}
	}
	if (e) {
		cost_sets_free(sets, count);
		return e;
	}
	*out = sets;
	*n = count;
	return ERR_OK;
}

enum err cost_job_sets(struct store *s, const struct store_job *job, int64_t before_s,
	struct cost_set **out, size_t *n, struct err_ctx *ctx)
{
	struct source k;
	enum err e = source_init(&k, s, job, before_s, ctx);

	if (e)
		return e;
	e = fill_all(&k, out, n, ctx);
	source_release(&k);
	return e;
}

void cost_sets_free(struct cost_set *sets, size_t n)
{
	for (size_t i = 0; sets && i < n; i++)
		set_release(&sets[i]);
	free(sets);
}
