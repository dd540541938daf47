#include "src/eval/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_ROWS 6 /* fewer say nothing about any model */

double analytic_value(
	const struct session *s, const struct genome *g, const struct metric *m)
{
	struct graph_cost c;
	uint32_t tokens;

	if (m->per_device || m->quality ||
		session_timed_tokens((struct session *)s, g, &tokens, NULL))
		return NAN;
	graph_cost(g, &s->task, tokens, &c);
	if (!strcmp(m->name, "macs"))
		return c.macs;
	if (!strcmp(m->name, "params"))
		return c.n_params;
	return c.model_bytes;
}

/* Models want positive targets whose relative error matters: a share in percent becomes
 * what is missing to 100 (and half a point, so that it is never zero). */
static double to_target(const struct metric *m, double value)
{
	return m->maximise ? 100.5 - value : value;
}

static double from_target(const struct metric *m, double target)
{
	return m->maximise ? 100.5 - target : target;
}

static enum err features(
	struct session *s, const struct genome *g, double *x, struct err_ctx *ctx)
{
	uint32_t tokens;
	enum err e = session_timed_tokens(s, g, &tokens, ctx);

	if (!e)
		cost_features(g, &s->task, tokens, x);
	return e;
}

enum err session_add_known(struct session *s, const struct genome *g,
	const double value[SESSION_MAX_TRACKED], struct err_ctx *ctx)
{
	struct hash h;
	struct known *k = NULL;
	enum err e;

	genome_hash(g, &h);
	for (size_t i = 0; i < s->n_known && !k; i++)
		if (hash_equal(&s->known[i].hash, &h))
			k = &s->known[i];
	if (!k) {
		if (s->n_known == s->cap_known) {
			size_t cap = s->cap_known ? 2 * s->cap_known : 64;

			k = realloc(s->known, cap * sizeof(*k));
			if (!k)
				return err_set(ctx, ERR_NOMEM, "out of memory");
			s->known = k;
			s->cap_known = cap;
		}
		k = &s->known[s->n_known];
		k->hash = h;
		if ((e = features(s, g, k->features, ctx)))
			return e;
		s->n_known++;
	}
	memcpy(k->value, value, sizeof(k->value));
	return ERR_OK;
}

static enum err refit_one(
	struct session *s, size_t at, double *x, double *y, struct err_ctx *ctx)
{
	struct tracked *t = &s->tracked[at];
	size_t p = cost_features_count(), n = 0;
	struct cost_score *scores;
	struct fitted fit = {NULL, NULL};
	enum err e;

	for (size_t i = 0; i < s->n_known; i++) {
		double v = s->known[i].value[at];

		if (!isfinite(v) || to_target(t->o.metric, v) <= 0)
			continue;
		memcpy(x + n * p, s->known[i].features, p * sizeof(*x));
		y[n++] = to_target(t->o.metric, v);
	}
	if (t->prior.kind) {
		struct transfer_choice c;

		e = transfer_choose(
			&t->prior, x, y, n, p, (unsigned long)s->job.seed, &c, ctx);
		if (e)
			return e;
		transfer_choice_release(&t->choice);
		t->choice = c;
	}
	if (n < MIN_ROWS)
		return ERR_OK;
	scores = calloc(cost_model_count(), sizeof(*scores));
	if (!scores)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	e = cost_model_choose(x, y, n, p, (unsigned long)s->job.seed, &fit, scores, ctx);
	for (size_t i = 0; !e && i < cost_model_count(); i++)
		if (scores[i].kind == fit.kind)
			t->score = scores[i];
	free(scores);
	if (e)
		return e;
	fitted_release(&t->fit);
	t->fit = fit;
	return ERR_OK;
}

enum err session_refit(struct session *s, struct err_ctx *ctx)
{
	size_t rows = s->n_known ? s->n_known : 1;
	double *x = malloc(rows * cost_features_count() * sizeof(*x));
	double *y = malloc(rows * sizeof(*y));
	enum err e = x && y ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory");

	for (size_t i = 0; i < s->n_tracked && !e; i++)
		if (s->tracked[i].o.metric->quality || s->tracked[i].o.metric->per_device)
			e = refit_one(s, i, x, y, ctx);
	free(x);
	free(y);
	return e;
}

static int uses_prior(const struct tracked *t)
{
	return t->prior.kind && t->choice.use != TRANSFER_OWN;
}

int session_model_note(const struct tracked *t, struct model_note *out)
{
	*out = (struct model_note){"", NAN, NAN};
	if (uses_prior(t)) {
		transfer_label(&t->choice, t->prior_name, out->name, sizeof(out->name));
		out->mape = t->choice.mape[t->choice.use];
	} else if (t->fit.kind) {
		snprintf(out->name, sizeof(out->name), "%s", t->fit.kind->name);
		out->mape = t->score.mape;
		out->tau = t->score.tau;
	}
	return out->name[0] != '\0';
}

static void predict_metric(const struct session *s, size_t at, const struct genome *g,
	const double *x, double *mean, double *sd)
{
	const struct tracked *t = &s->tracked[at];

	*sd = 0;
	*mean = analytic_value(s, g, t->o.metric);
	if (!isnan(*mean))
		return;
	if (uses_prior(t))
		*mean = transfer_choice_predict(&t->choice, x, sd);
	else if (t->fit.kind)
		*mean = from_target(t->o.metric, fitted_predict(&t->fit, x, sd));
}

static double violation(const struct session *s, const double *value)
{
	double total = 0;

	for (size_t i = 0; i < s->job.n_limits; i++) {
		const struct limit *l = &s->job.limits[i];

		for (size_t k = 0; k < s->n_tracked; k++) {
			if (s->tracked[k].o.metric != l->what.metric ||
				strcmp(s->tracked[k].o.device, l->what.device))
				continue;
			if (!isnan(value[k]) && !limit_holds(l, value[k]))
				total += fabs(value[k] - l->bound) /
					 fmax(fabs(l->bound), 1e-9);
		}
	}
	return total;
}

enum err session_predict(struct session *s, const struct genome *g, size_t n,
	struct prediction *out, struct err_ctx *ctx)
{
	double x[COST_FEATURES_MAX], value[SESSION_MAX_TRACKED], sd;
	enum err e;

	for (size_t i = 0; i < n; i++) {
		if ((e = features(s, &g[i], x, ctx)))
			return e;
		memset(&out[i], 0, sizeof(out[i]));
		for (size_t k = 0; k < s->n_tracked; k++) {
			predict_metric(s, k, &g[i], x, &value[k], &sd);
			if (k < s->job.n_objectives) {
				out[i].mean[k] = value[k];
				out[i].sd[k] = sd;
			}
		}
		out[i].violation = violation(s, value);
	}
	return ERR_OK;
}
