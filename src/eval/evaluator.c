#include "src/eval/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"

static int objective_is_quality(const struct session *s, size_t i)
{
	return s->job.objectives[i].metric->quality;
}

static enum err refine(void *self, const struct genome *g, size_t n,
	struct prediction *out, struct err_ctx *ctx)
{
	struct session *s = self;
	struct quality *q = malloc((n ? n : 1) * sizeof(*q));
	enum err e;

	if (!q)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	e = session_quality(s, g, n, q, ctx);
	for (size_t i = 0; i < n && !e; i++) {
		for (size_t k = 0; k < s->job.n_objectives; k++) {
			if (!objective_is_quality(s, k))
				continue;
			out[i].mean[k] = quality_value(
				&q[i], s->job.objectives[k].metric, PROV_INHERITED)
						 .value;
			out[i].sd[k] = 0;
		}
	}
	free(q);
	return e;
}

static enum err predict(void *self, const struct genome *g, size_t n,
	struct prediction *out, struct err_ctx *ctx)
{
	return session_predict(self, g, n, out, ctx);
}

/* ---- real values of one candidate */

static struct value exact(double v, enum provenance prov)
{
	struct value r = {v, {v, v}, prov, 0};

	return r;
}

static struct value value_on(const struct session *s, const struct tracked *t, int device,
	const struct hardware *h)
{
	const struct device *dev = s->device[device].dev;
	const struct device_info *info = device_info(dev);
	/* the energy of a board that draws nothing is a recording's */
	enum provenance prov = info->simulated	      ? PROV_SIMULATED
			       : info->instruction_ns ? PROV_EMULATED
						      : PROV_MEASURED;
	/* without a compiler there is no link to read the sizes from */
	enum provenance sizes =
		strcmp(device_profile(dev)->cc, "none") ? PROV_MEASURED : PROV_ANALYTIC;
	const char *name = t->o.metric->name;
	struct value v = {NAN, {NAN, NAN}, prov, 0};

	if (!strcmp(name, "latency_us")) {
		v.value = h->latency_us;
		v.ci = h->latency_ci;
	} else if (!strcmp(name, "step_us")) {
		v.value = h->step_us;
		v.ci = h->step_ci;
	} else if (!strcmp(name, "energy_uj")) {
		v.value = h->energy_uj;
		v.ci = h->energy_ci;
	} else if (!strcmp(name, "wall_p99_us")) {
		v.value = h->wall_p99_us;
	} else if (!strcmp(name, "instructions")) {
		v = exact(h->instructions, PROV_EMULATED);
	} else if (!strcmp(name, "step_instructions")) {
		v = exact(h->step_instructions, PROV_EMULATED);
	} else if (!strcmp(name, "peak_rss_bytes")) {
		v.value = h->peak_rss_bytes;
	} else if (!strcmp(name, "arena_bytes")) {
		v = exact((double)(h->artefact.arena_bytes + h->artefact.state_bytes),
			sizes);
	} else if (!strcmp(name, "flash_bytes")) {
		v = exact((double)h->artefact.flash_bytes, sizes);
	}
	return v;
}

/* Of candidate i, on one device or on all of a group. */
static struct value hardware_value(const struct session *s, const struct tracked *t,
	struct hardware *const *h, size_t i)
{
	struct value v[DEVICE_GROUP_MAX];

	for (size_t k = 0; k < t->group.n; k++)
		v[k] = value_on(s, t, t->member[k], &h[t->member[k]][i]);
	return device_group_value(&t->group, v);
}

static enum err assemble(struct session *s, const struct genome *g,
	const struct quality *q, struct hardware *const *h, size_t i,
	struct evaluation *out, struct err_ctx *ctx)
{
	double value[SESSION_MAX_TRACKED];

	for (size_t k = 0; k < SESSION_MAX_TRACKED; k++)
		value[k] = NAN;
	memset(out, 0, sizeof(*out));
	out->feasible = 1;
	for (size_t d = 0; d < s->n_devices; d++)
		if (h[d][i].verdict != VERDICT_OK)
			out->failed = 1;
	for (size_t k = 0; k < s->n_tracked; k++) {
		const struct tracked *t = &s->tracked[k];
		struct value v;

		if (t->o.metric->quality)
			v = quality_value(q, t->o.metric, PROV_INHERITED);
		else if (t->device >= 0)
			v = hardware_value(s, t, h, i);
		else
			v = exact(analytic_value(s, g, t->o.metric), PROV_ANALYTIC);
		value[k] = v.value;
		if (k < s->job.n_objectives) {
			out->v[k] = v;
			if (isnan(v.value))
				out->failed = 1;
		}
		for (size_t l = 0; l < s->job.n_limits; l++)
			if (s->job.limits[l].what.metric == t->o.metric &&
				!strcmp(s->job.limits[l].what.device, t->o.device) &&
				!limit_holds(&s->job.limits[l], v.value))
				out->feasible = 0;
	}
	if (out->failed) {
		out->feasible = 0;
		return ERR_OK;
	}
	return session_add_known(s, g, value, ctx);
}

static enum err put_predictions(struct session *s, const struct genome *g,
	const struct hash *hash, struct err_ctx *ctx)
{
	struct prediction p;
	struct model_note model;
	char name[2 * METRIC_NAME_MAX];
	enum err e = session_predict(s, g, 1, &p, ctx);

	for (size_t k = 0; k < s->job.n_objectives && !e; k++) {
		if (!session_model_note(&s->tracked[k], &model))
			continue;
		objective_format(&s->job.objectives[k], name, sizeof(name));
		e = store_put_prediction(s->store, s->job_id, hash, name, model.name,
			p.mean[k], p.sd[k], ctx);
		if (e == ERR_EXISTS)
			e = ERR_OK;
	}
	return e;
}

static enum err introduce(struct session *s, const struct genome *g,
	const struct quality *q, const char *origin, int generation, struct err_ctx *ctx)
{
	const struct quality_origin from = {SPLIT_VALID, "inherited",
		s->job.supernet.seed, supernet_hash(s->supernet), NULL};
	struct hash hash;
	enum err e;

	genome_hash(g, &hash);
	if ((e = store_put_candidate(s->store, s->job_id, g, origin, generation, ctx)) ||
		(e = session_put_quality(s, &hash, q, &from, ctx)))
		return e;
	return put_predictions(s, g, &hash, ctx);
}

static enum err evaluate(void *self, const struct genome *g, size_t n, int look,
	const char *origin, int generation, struct evaluation *out, struct err_ctx *ctx)
{
	struct session *s = self;
	struct hardware *h[SESSION_MAX_DEVICES] = {NULL};
	struct quality *q = malloc((n ? n : 1) * sizeof(*q));
	enum err e = q ? session_quality(s, g, n, q, ctx)
		       : err_set(ctx, ERR_NOMEM, "out of memory");

	for (size_t i = 0; i < n && !e && look == 1; i++)
		e = introduce(s, &g[i], &q[i], origin, generation, ctx);
	for (size_t d = 0; d < s->n_devices && !e; d++) {
		h[d] = calloc(n ? n : 1, sizeof(*h[d]));
		e = h[d] ? ERR_OK : err_set(ctx, ERR_NOMEM, "out of memory");
	}
	if (!e)
		e = session_measure(s, g, NULL, n, (uint32_t)look, h, ctx);
	for (size_t i = 0; i < n && !e; i++) {
		e = assemble(s, &g[i], &q[i], h, i, &out[i], ctx);
		out[i].looks = look;
	}
	for (size_t d = 0; d < s->n_devices; d++)
		free(h[d]);
	free(q);
	return e;
}

static enum err refit(void *self, struct err_ctx *ctx)
{
	return session_refit(self, ctx);
}

static void say_generation(const struct session *s, const struct store_generation *g)
{
	char found[96] = "none is within the limits yet", model[160] = "no cost model yet";

	if (!isnan(g->hv_claimed))
		snprintf(found, sizeof(found), "hypervolume %.4f (re-measured %.4f)",
			g->hv_claimed, g->hv_remeasured);
	if (g->model[0] && isnan(g->model_mape))
		snprintf(model, sizeof(model), "cost model %s", g->model);
	else if (g->model[0])
		snprintf(model, sizeof(model), "cost model %s off by %.1f %%", g->model,
			100 * g->model_mape);
	progress_say(s->progress, "generation %d: %d candidates, %s, %s", g->generation,
		g->n_candidates, found, model);
}

static double hours_so_far(const struct session *s)
{
	return s->hours_before + (double)(clock_mono_ns() - s->started_ns) / 3.6e12;
}

static enum err note(void *self, const struct generation_note *n, struct err_ctx *ctx)
{
	struct session *s = self;
	struct store_generation g;
	struct model_note model = {"", NAN, NAN};
	char hours[32];
	enum err e;

	memset(&g, 0, sizeof(g));
	g.generation = n->generation;
	g.n_candidates = n->n_candidates;
	g.n_measured = n->n_measured;
	g.hv_claimed = n->hv_claimed;
	g.hv_remeasured = n->hv_remeasured;
	for (size_t k = 0; k < s->job.n_objectives && !model.name[0]; k++)
		if (s->tracked[k].o.metric->per_device)
			session_model_note(&s->tracked[k], &model);
	snprintf(g.model, sizeof(g.model), "%s", model.name);
	g.model_mape = model.mape;
	g.model_tau = model.tau;
	snprintf(hours, sizeof(hours), "%.4f", hours_so_far(s));
	if ((e = store_put_generation(s->store, s->job_id, &g, ctx)) ||
		(e = store_put_meta(s->store, s->job_id, "hours", hours, ctx)))
		return e;
	say_generation(s, &g);
	return ERR_OK;
}

static int stop(void *self)
{
	const struct session *s = self;

	return (s->cancel && *s->cancel) ||
	       store_stop_requested(s->database, s->job.name) ||
	       (s->job.max_hours > 0 && hours_so_far(s) >= s->job.max_hours);
}

void session_evaluator(struct session *s, struct evaluator *ev)
{
	memset(ev, 0, sizeof(*ev));
	ev->self = s;
	ev->objectives = s->job.objectives;
	ev->n_objectives = s->job.n_objectives;
	ev->predict = predict;
	ev->refine = refine;
	ev->evaluate = evaluate;
	ev->refit = refit;
	ev->note = note;
	ev->stop = stop;
}
