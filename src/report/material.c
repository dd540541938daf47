#include "src/report/material.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/model/graph.h"

/* Kendall's tau compares all pairs. */
#define TAU_MAX 4000

/* ---- wall times of the front's members */

static void pool_samples(const struct measurement *m, struct spread *sp)
{
	static const double q[5] = {0.05, 0.25, 0.5, 0.75, 0.95};
	size_t n = 0, at = 0;
	double *x;

	for (uint32_t r = 0; r < m->n_runs; r++)
		n += m->runs[r].n;
	x = malloc((n + 1) * sizeof(*x));
	for (uint32_t r = 0; x && r < m->n_runs; r++)
		for (uint32_t i = 0; i < m->runs[r].n; i++)
			x[at++] = (double)m->runs[r].wall_ns[i] / 1e3;
	stats_sort(x, at);
	for (int i = 0; i < 5; i++)
		sp->q_us[i] = stats_quantile_sorted(x, at, q[i]);
	free(x);
}

static enum err load_spreads(struct store *s, struct material *m, struct err_ctx *ctx)
{
	const struct objective *o = m->cost < 0 ? NULL : &m->all.objectives[m->cost];

	for (size_t i = 0; i < m->all.n && m->n_spreads < MATERIAL_SPREADS; i++) {
		const struct front_point *p = &m->all.points[i];
		const struct store_measurement *sm;
		struct spread *sp = &m->spreads[m->n_spreads];
		struct measurement raw;
		enum err e;

		if (!p->on_front || !o || !o->metric->per_device)
			continue;
		sm = facts_measurement(
			&m->f, facts_find(&m->f, &p->candidate), o->device);
		if (!sm)
			continue;
		e = store_get_measurement(s, &p->candidate, &sm->m.build, &sm->m.device,
			sm->m.look, 1, &raw, ctx);
		if (e)
			return e;
		sp->candidate = p->candidate;
		pool_samples(&raw, sp);
		measurement_release(&raw);
		m->n_spreads += isfinite(sp->q_us[2]) && sp->q_us[0] > 0;
	}
	return ERR_OK;
}

/* ---- loading */

static void choose_axes(struct material *m)
{
	const struct front *f = &m->all;

	m->cost = m->quality = -1;
	for (int k = 0; k < (int)f->n_objectives; k++) {
		const struct metric *x = f->objectives[k].metric;

		if (x->quality && m->quality < 0)
			m->quality = k;
		if (!x->quality &&
			(m->cost < 0 ||
				(x->per_device &&
					!f->objectives[m->cost].metric->per_device)))
			m->cost = k;
	}
	for (int k = 0; m->quality < 0 && m->cost >= 0 && k < (int)f->n_objectives; k++)
		if (k != m->cost)
			m->quality = k;
}

static enum err load_rows(struct store *s, struct material *m, struct err_ctx *ctx)
{
	int64_t id = m->f.job.id;
	enum err e =
		store_list_generations(s, id, &m->generations, &m->n_generations, ctx);

	if (!e)
		e = store_list_predictions(
			s, id, &m->predictions, &m->n_predictions, ctx);
	if (!e)
		e = store_list_failures(s, id, &m->failures, &m->n_failures, ctx);
	if (!e)
		e = store_list_devices(s, &m->devices, &m->n_devices, ctx);
	return e;
}

enum err material_load(
	struct store *s, const char *job, struct material *m, struct err_ctx *ctx)
{
	struct front_query q = {.all = 1};
	enum err e;

	memset(m, 0, sizeof(*m));
	e = facts_load(s, job, &m->f, ctx);
	if (e)
		return e;
	e = load_rows(s, m, ctx);
	if (!e)
		e = front_from_facts(&m->f, &q, &m->all, ctx);
	if (!e) {
		choose_axes(m);
		e = load_spreads(s, m, ctx);
	}
	if (e) {
		material_release(m);
		return e;
	}
	for (size_t i = 0; i < m->all.n; i++) {
		m->n_front += m->all.points[i].on_front != 0;
		m->n_finalists += m->all.points[i].finalist && m->all.points[i].n_seeds;
	}
	return ERR_OK;
}

void material_release(struct material *m)
{
	front_release(&m->all);
	facts_release(&m->f);
	free(m->generations);
	free(m->predictions);
	free(m->failures);
	store_devices_free(m->devices, m->n_devices);
	memset(m, 0, sizeof(*m));
}

/* ---- agreement */

struct pairs {
	double *x, *y;
	size_t n;
};

static int pairs_init(struct pairs *p, size_t cap)
{
	p->n = 0;
	p->x = malloc((cap + 1) * sizeof(*p->x));
	p->y = malloc((cap + 1) * sizeof(*p->y));
	return p->x && p->y;
}

static struct agreement pairs_agree(struct pairs *p, int same_unit)
{
	struct agreement a = {p->n, NAN, NAN};

	if (p->n >= 2 && p->n <= TAU_MAX)
		a.tau = stats_kendall_tau(p->x, p->y, p->n);
	if (p->n && same_unit)
		a.mape = stats_mape(p->x, p->y, p->n);
	free(p->x);
	free(p->y);
	return a;
}

struct agreement material_predicted(const struct material *m)
{
	char name[2 * METRIC_NAME_MAX] = "";
	struct pairs p;
	int ok = pairs_init(&p, m->n_predictions) && m->cost >= 0;

	if (ok)
		objective_format(&m->all.objectives[m->cost], name, sizeof(name));
	for (size_t i = 0; ok && i < m->n_predictions; i++) {
		const struct store_prediction *q = &m->predictions[i];
		uint32_t c = facts_find(&m->f, &q->candidate);
		struct value v;

		if (strcmp(q->objective, name) || c == NO_FACT)
			continue;
		facts_value(&m->f, c, &m->all.objectives[m->cost], "valid", &v, NULL);
		if (!(v.value > 0) || isnan(q->mean))
			continue;
		p.x[p.n] = q->mean;
		p.y[p.n++] = v.value;
	}
	return pairs_agree(&p, 1);
}

static double macs_of(const struct material *m, const struct front_point *p)
{
	struct graph_cost cost;

	return facts_cost(&m->f, facts_find(&m->f, &p->candidate), &cost) ? cost.macs
									  : NAN;
}

struct agreement material_macs(const struct material *m)
{
	struct pairs p;
	int ok = pairs_init(&p, m->all.n) && m->cost >= 0;

	for (size_t i = 0; ok && i < m->all.n; i++) {
		double macs = macs_of(m, &m->all.points[i]);
		double cost = m->all.points[i].v[m->cost].value;

		if (isnan(macs) || isnan(cost))
			continue;
		p.x[p.n] = macs;
		p.y[p.n++] = cost;
	}
	return pairs_agree(&p, 0);
}

size_t material_macs_front(const struct material *m, size_t *n_macs_front)
{
	struct objective o[2];
	struct front_query q = {.objectives = o, .n_objectives = 2};
	struct front by_macs;
	size_t hits = 0;

	*n_macs_front = 0;
	if (m->quality < 0 || !m->f.timed_tokens)
		return 0;
	o[0] = m->all.objectives[m->quality];
	o[1] = (struct objective){metric_find("macs"), ""};
	if (!o[0].metric->quality || front_from_facts(&m->f, &q, &by_macs, NULL))
		return 0;
	*n_macs_front = by_macs.n;
	for (size_t i = 0; i < by_macs.n; i++)
		for (size_t j = 0; j < m->all.n; j++)
			hits += m->all.points[j].on_front &&
				hash_equal(&m->all.points[j].candidate,
					&by_macs.points[i].candidate);
	front_release(&by_macs);
	return hits;
}
