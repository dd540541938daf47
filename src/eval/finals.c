#include "src/eval/session.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/eval/finals.h"
#include "src/eval/parallel.h"

/* ---- which candidates become finalists */

/* Objective k of a member on a scale where distances mean the same everywhere: costs by
 * ratio, qualities by difference; 0..1 over the front. */
static void scale_front(const struct session *s, const struct search_member *const *front,
	size_t n, double *x)
{
	size_t m = s->job.n_objectives;

	for (size_t k = 0; k < m; k++) {
		int quality = s->job.objectives[k].metric->quality;
		double lo = INFINITY, hi = -INFINITY;

		for (size_t i = 0; i < n; i++) {
			double v = front[i]->last.v[k].value;

			x[i * m + k] = quality ? v : log(fmax(v, 1e-12));
			lo = fmin(lo, x[i * m + k]);
			hi = fmax(hi, x[i * m + k]);
		}
		for (size_t i = 0; i < n; i++)
			x[i * m + k] = hi > lo ? (x[i * m + k] - lo) / (hi - lo) : 0;
	}
}

static double distance(const double *a, const double *b, size_t m)
{
	double sum = 0;

	for (size_t k = 0; k < m; k++)
		sum += (a[k] - b[k]) * (a[k] - b[k]);
	return sqrt(sum);
}

/* The best of each objective first, then whoever is farthest from those picked. */
static size_t spread(const struct session *s, const double *x, size_t n, size_t want,
	unsigned char *picked)
{
	size_t m = s->job.n_objectives, count = 0;

	for (size_t k = 0; k < m && count < want; k++) {
		int up = s->job.objectives[k].metric->maximise;
		size_t best = 0;

		for (size_t i = 1; i < n; i++)
			if (up ? x[i * m + k] > x[best * m + k]
			       : x[i * m + k] < x[best * m + k])
				best = i;
		count += !picked[best];
		picked[best] = 1;
	}
	while (count < want && count < n) {
		size_t farthest = n;
		double most = -1;

		for (size_t i = 0; i < n; i++) {
			double nearest = INFINITY;

			for (size_t j = 0; j < n; j++)
				if (picked[j])
					nearest = fmin(nearest,
						distance(x + i * m, x + j * m, m));
			if (!picked[i] && nearest > most) {
				most = nearest;
				farthest = i;
			}
		}
		picked[farthest] = 1;
		count++;
	}
	return count;
}

static enum err pick_finalists(const struct session *s, const struct search_result *found,
	struct genome *out, size_t *n_out, struct err_ctx *ctx)
{
	size_t n = 0, m = s->job.n_objectives, all = found->n ? found->n : 1;
	const struct search_member **front = malloc(all * sizeof(*front));
	unsigned char *picked = calloc(all, 1);
	double *x = malloc(all * m * sizeof(*x));
	enum err e = ERR_OK;

	*n_out = 0;
	if (!front || !picked || !x)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < found->n && !e; i++)
		if (found->members[i].on_front)
			front[n++] = &found->members[i];
	if (!e && n && s->job.n_final) {
		scale_front(s, front, n, x);
		spread(s, x, n, s->job.n_final, picked);
		for (size_t i = 0; i < n; i++)
			if (picked[i])
				out[(*n_out)++] = front[i]->g;
	}
	free(front);
	free(picked);
	free(x);
	return e;
}

/* ---- training, one network and seed at a time, several at once */

struct training {
	struct session *s;
	const struct genome *g;
	struct build_weights *weights; /* [finalists]: those of the first seed */
	size_t n_seeds, done, total;
	pthread_mutex_t lock; /* of the store and of `done` */
};

void final_weights_path(const struct session *s, const struct genome *g, uint64_t seed,
	char *out, size_t cap)
{
	struct train_options o = s->job.final;
	struct hash_state st;
	struct hash h;
	char hex[HASH_HEX + 1];

	o.seed = seed;
	genome_hash(g, &h);
	hash_init(&st);
	hash_update(&st, h.b, sizeof(h.b));
	hash_update(&st, s->corpus.hash.b, HASH_BYTES);
	train_options_hash(&o, &st);
	hash_field(&st, &seed, sizeof(seed));
	hash_final(&st, &h);
	hash_to_hex(&h, hex);
	snprintf(out, cap, "%s/weights/%.32s.weights", s->results, hex);
}

static enum err weights_of(struct training *t, const struct genome *g, uint64_t seed,
	size_t n_floats, float **w, struct err_ctx *ctx)
{
	struct train_options o = t->s->job.final;
	char path[1200];
	enum err e;

	final_weights_path(t->s, g, seed, path, sizeof(path));
	if (!weights_load(path, g, &t->s->task, &t->s->corpus.hash, w, NULL))
		return ERR_OK;
	*w = malloc(n_floats * sizeof(**w));
	if (!*w)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	o.seed = seed;
	o.threads = 1;
	o.progress = NULL;
	o.cancel = t->s->cancel;
	e = train_alone(&t->s->corpus, g, NULL, &o, *w, ctx);
	if (!e)
		e = weights_save(path, g, &t->s->task, &t->s->corpus.hash, *w, ctx);
	if (e) {
		free(*w);
		*w = NULL;
	}
	return e;
}

static enum err store_scores(struct training *t, size_t which, uint64_t seed,
	const float *w, const struct hash *source, struct err_ctx *ctx)
{
	static const enum split splits[] = {SPLIT_VALID, SPLIT_TEST};
	const struct genome *g = &t->g[which];
	struct hash hash;
	struct quality q;
	enum err e = ERR_OK;

	genome_hash(g, &hash);
	for (int i = 0; i < 2 && !e; i++) {
		const struct quality_origin from = {
			splits[i], "trained", seed, source, NULL};

		if (!t->s->corpus.data.n[splits[i]])
			continue;
		e = quality_evaluate(&t->s->corpus, g, w, splits[i], 0, &q, ctx);
		if (e)
			break;
		pthread_mutex_lock(&t->lock);
		e = session_put_quality(t->s, &hash, &q, &from, ctx);
		pthread_mutex_unlock(&t->lock);
	}
	return e;
}

static enum err train_one(void *self, size_t i, struct err_ctx *ctx)
{
	struct training *t = self;
	size_t which = i / t->n_seeds, seed_at = i % t->n_seeds;
	uint64_t seed = t->s->job.seed * 1000 + seed_at;
	const struct genome *g = &t->g[which];
	struct layout *l = malloc(sizeof(*l));
	struct hash source;
	float *w = NULL;
	enum err e;

	if (!l)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	layout_init(l, g, &t->s->task);
	e = weights_of(t, g, seed, l->n_floats, &w, ctx);
	if (!e) {
		hash_bytes(&source, w, l->n_floats * sizeof(*w));
		e = store_scores(t, which, seed, w, &source, ctx);
	}
	if (!e && seed_at == 0) {
		t->weights[which].flat = w;
		t->weights[which].hash = source;
		w = NULL;
	}
	pthread_mutex_lock(&t->lock);
	t->done++;
	progress_update(t->s->progress, t->done, "of %zu trainings", t->total);
	pthread_mutex_unlock(&t->lock);
	free(w);
	free(l);
	return e;
}

static enum err train_all(struct session *s, const struct genome *g, size_t n,
	struct build_weights *weights, struct err_ctx *ctx)
{
	struct training t = {.s = s, .g = g, .weights = weights};
	char dir[1200];
	enum err e;

	t.n_seeds = s->job.n_final_seeds;
	t.total = n * t.n_seeds;
	if ((e = file_join(dir, sizeof(dir), s->results, "weights", ctx)) ||
		(e = file_mkdirs(dir, ctx)))
		return e;
	pthread_mutex_init(&t.lock, NULL);
	progress_begin(s->progress, "training the finalists", t.total);
	e = parallel_for(t.total, parallel_processors(), train_one, &t, ctx);
	progress_end(s->progress, "%zu finalists, %zu seeds each", n, t.n_seeds);
	pthread_mutex_destroy(&t.lock);
	return e;
}

/* ---- what to compare with */

static enum err put_number(
	struct session *s, const char *key, double v, struct err_ctx *ctx)
{
	char text[64];

	snprintf(text, sizeof(text), "%.4f", v);
	return store_put_meta(s->store, s->job_id, key, text, ctx);
}

static enum err put_baseline_figure(struct session *s, const char *split,
	const struct quality *q, const struct metric *m, struct err_ctx *ctx)
{
	double v = quality_value(q, m, PROV_NONE).value;
	char key[96];

	if (isnan(v))
		return ERR_OK;
	snprintf(key, sizeof(key), "baseline_%s_%s", split, m->name);
	return put_number(s, key, v, ctx);
}

static enum err put_baseline(struct session *s, struct err_ctx *ctx)
{
	const char *name = baseline_name(s->task.kind);
	struct quality valid, test;
	char *have = NULL;
	enum err e;

	if (!store_get_meta(s->store, s->job_id, "baseline", &have, NULL)) {
		free(have);
		return ERR_OK;
	}
	progress_say(s->progress, "training the baseline: %s", name);
	e = baseline_train(&s->corpus, s->job.seed, &valid, &test, ctx);
	for (size_t i = 0; !e && metric_at(i); i++)
		if (quality_has(s->task.kind, metric_at(i)) &&
			!(e = put_baseline_figure(s, "valid", &valid, metric_at(i), ctx)))
			e = put_baseline_figure(s, "test", &test, metric_at(i), ctx);
	return e ? e : store_put_meta(s->store, s->job_id, "baseline", name, ctx);
}

/* How well multiply-adds alone rank what was found: the baseline of every ranking. */
static enum err put_macs_ranking(
	struct session *s, const struct search_result *found, struct err_ctx *ctx)
{
	const struct metric *macs = metric_find("macs");
	double *x = malloc((found->n ? found->n : 1) * sizeof(*x));
	double *y = malloc((found->n ? found->n : 1) * sizeof(*y));
	char key[64];
	enum err e = x && y ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory");

	for (size_t k = 0; k < s->job.n_objectives && !e; k++) {
		size_t n = 0;

		for (size_t i = 0; i < found->n; i++) {
			const struct search_member *m = &found->members[i];

			if (m->first.failed || m->last.failed)
				continue;
			x[n] = analytic_value(s, &m->g, macs);
			y[n++] = m->last.v[k].value;
		}
		snprintf(key, sizeof(key), "macs_tau_%s",
			s->job.objectives[k].metric->name);
		e = put_number(s, key, stats_kendall_tau(x, y, n), ctx);
	}
	free(x);
	free(y);
	return e;
}

static enum err finish(struct session *s, const struct genome *g, size_t n,
	struct build_weights *weights, struct err_ctx *ctx)
{
	struct hardware *h[SESSION_MAX_DEVICES] = {NULL};
	enum err e = ERR_OK;

	for (size_t d = 0; d < s->n_devices && !e; d++) {
		h[d] = calloc(n ? n : 1, sizeof(*h[d]));
		e = h[d] ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < n && !e; i++) {
		struct hash hash;

		genome_hash(&g[i], &hash);
		e = store_set_finalist(s->store, s->job_id, &hash, ctx);
	}
	if (!e)
		e = train_all(s, g, n, weights, ctx);
	if (!e)
		e = session_measure(s, g, weights, n, 1, h, ctx);
	if (!e)
		e = final_verify(s, g, weights, h, n, ctx);
	for (size_t d = 0; d < s->n_devices; d++)
		free(h[d]);
	return e;
}

enum err session_finish(
	struct session *s, const struct search_result *found, struct err_ctx *ctx)
{
	struct genome *g = malloc((found->n ? found->n : 1) * sizeof(*g));
	struct build_weights *weights = calloc(found->n ? found->n : 1, sizeof(*weights));
	size_t n = 0;
	enum err e = g && weights ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory");

	if (!e)
		e = pick_finalists(s, found, g, &n, ctx);
	if (!e)
		e = put_macs_ranking(s, found, ctx);
	if (!e && n) {
		e = finish(s, g, n, weights, ctx);
		if (!e)
			e = put_baseline(s, ctx);
	}
	for (size_t i = 0; weights && i < found->n; i++)
		free(weights[i].flat);
	free(weights);
	free(g);
	return e;
}
