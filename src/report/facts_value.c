#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "src/model/graph.h"
#include "src/report/facts.h"

static void set_exact(struct value *v, double x, enum provenance prov)
{
	v->value = x;
	v->ci.lo = v->ci.hi = x;
	v->prov = prov;
}

/* ---- quality */

static int is_row(const struct facts *f, const struct store_accuracy *a,
	const char *metric, const char *split, const char *method)
{
	return !strcmp(a->metric, metric) && !strcmp(a->split, split) &&
	       !strcmp(a->method, method) &&
	       (!f->has_data || hash_equal(&a->data, &f->data));
}

/* Adds up one row a seed: the one stored last. */
static int trained(const struct facts *f, uint32_t c, const char *metric,
	const char *split, struct value *v)
{
	uint64_t seen[FACTS_MAX_SEEDS];
	struct value sum = {0, {0, 0}, PROV_TRAINED, 0};
	int n = 0;

	for (uint32_t i = f->accuracy_of.first[c]; i != NO_FACT && n < FACTS_MAX_SEEDS;
		i = f->accuracy_of.next[i]) {
		const struct store_accuracy *a = &f->accuracy[i];
		int k = 0;

		if (!is_row(f, a, metric, split, "trained"))
			continue;
		while (k < n && seen[k] != a->seed)
			k++;
		if (k < n)
			continue;
		seen[n++] = a->seed;
		sum.value += a->value;
		sum.ci.lo += a->ci.lo;
		sum.ci.hi += a->ci.hi;
	}
	if (!n)
		return 0;
	*v = sum;
	v->value /= n;
	v->ci.lo /= n;
	v->ci.hi /= n;
	return n;
}

static void inherited(const struct facts *f, uint32_t c, const char *metric,
	const char *split, struct value *v)
{
	for (uint32_t i = f->accuracy_of.first[c]; i != NO_FACT;
		i = f->accuracy_of.next[i]) {
		const struct store_accuracy *a = &f->accuracy[i];

		if (!is_row(f, a, metric, split, "inherited") ||
			(f->has_supernet && !hash_equal(&a->source, &f->supernet)))
			continue;
		v->value = a->value;
		v->ci = a->ci;
		v->prov = PROV_INHERITED;
		return;
	}
}

/* ---- costs */

const struct store_measurement *facts_measurement(
	const struct facts *f, uint32_t candidate, const char *device)
{
	const struct store_measurement *other = NULL;
	struct device_group g;

	if (device_group_parse(&g, device, NULL))
		return NULL;
	for (uint32_t i = f->measurements_of.first[candidate]; i != NO_FACT;
		i = f->measurements_of.next[i]) {
		const struct store_measurement *m = &f->measurements[i];

		if (strcmp(m->device_name, g.name[0]) || m->m.protocol != MEASURE_PROTOCOL)
			continue;
		if (m->job == f->job.id)
			return m;
		if (!other)
			other = m;
	}
	return other;
}

/* What was measured there, or at least built for it. */
static const struct store_build *build_for(
	const struct facts *f, uint32_t c, const char *device)
{
	const struct store_measurement *m = facts_measurement(f, c, device);

	for (uint32_t i = f->builds_of.first[c]; i != NO_FACT; i = f->builds_of.next[i]) {
		const struct store_build *b = &f->builds[i];

		if (m ? hash_equal(&b->build, &m->m.build) : !strcmp(b->target, device))
			return b;
	}
	return NULL;
}

/* Metrics that are a field of a measurement's summary. */
static const struct {
	const char *metric;
	size_t value, ci; /* offsets in struct measurement; ci 0: none is known */
	double scale;
} measured_fields[] = {
	{"latency_us", offsetof(struct measurement, latency_ns),
		offsetof(struct measurement, latency_ci), 1e-3},
	{"step_us", offsetof(struct measurement, step_ns),
		offsetof(struct measurement, step_ci), 1e-3},
	{"wall_p99_us", offsetof(struct measurement, wall_p99_ns), 0, 1e-3},
	{"instructions", offsetof(struct measurement, instructions), 0, 1},
	{"step_instructions", offsetof(struct measurement, step_instructions), 0, 1},
	{"energy_uj", offsetof(struct measurement, energy_uj),
		offsetof(struct measurement, energy_ci), 1},
};
#define N_MEASURED_FIELDS (sizeof(measured_fields) / sizeof(measured_fields[0]))

static int is_count(const struct metric *m)
{
	return !strcmp(m->name, "instructions") || !strcmp(m->name, "step_instructions");
}

static int measured(
	const struct facts *f, uint32_t c, const struct objective *o, struct value *v)
{
	const struct store_measurement *m;
	const char *base;
	size_t i = 0;

	while (i < N_MEASURED_FIELDS &&
		strcmp(measured_fields[i].metric, o->metric->name))
		i++;
	if (i == N_MEASURED_FIELDS)
		return 0;
	m = facts_measurement(f, c, o->device);
	if (!m)
		return 1;
	base = (const char *)&m->m;
	memcpy(&v->value, base + measured_fields[i].value, sizeof(v->value));
	if (measured_fields[i].ci)
		memcpy(&v->ci, base + measured_fields[i].ci, sizeof(v->ci));
	/* what the measuring stops on */
	v->unresolved = !m->m.resolved && (i == 0 || m->m.instructions > 0);
	v->value *= measured_fields[i].scale;
	v->ci.lo *= measured_fields[i].scale;
	v->ci.hi *= measured_fields[i].scale;
	if (is_count(o->metric) && v->value > 0)
		set_exact(v, v->value, PROV_EMULATED);
	else if (is_count(o->metric))
		v->value = NAN;
	else if (!isnan(v->value))
		v->prov = m->simulated		  ? PROV_SIMULATED
			  : m->m.instructions > 0 ? PROV_EMULATED
						  : PROV_MEASURED;
	return 1;
}

static void memory(
	const struct facts *f, uint32_t c, const struct objective *o, struct value *v)
{
	const struct store_measurement *m = facts_measurement(f, c, o->device);
	const struct store_build *b;
	int linked;

	if (!strcmp(o->metric->name, "peak_rss_bytes")) {
		if (m && m->m.peak_rss_bytes)
			set_exact(v, (double)m->m.peak_rss_bytes,
				m->simulated		? PROV_SIMULATED
				: m->m.instructions > 0 ? PROV_EMULATED
							: PROV_MEASURED);
		return;
	}
	b = build_for(f, c, o->device);
	if (!b)
		return;
	/* Compiler "none": nothing was linked, the sizes are the planner's. */
	linked = strncmp(b->compiler, "none", 4) != 0;
	if (!strcmp(o->metric->name, "flash_bytes"))
		set_exact(v, (double)b->flash_bytes,
			linked ? PROV_MEASURED : PROV_ANALYTIC);
	else if (!strcmp(o->metric->name, "arena_bytes"))
		set_exact(v, (double)(b->arena_bytes + b->state_bytes),
			linked ? PROV_MEASURED : PROV_ANALYTIC);
}

int facts_cost(const struct facts *f, uint32_t candidate, struct graph_cost *cost)
{
	struct genome g;
	uint32_t n = f->timed_tokens;

	if (!n || genome_parse(&g, f->candidates[candidate].text, NULL))
		return 0;
	graph_cost(&g, &f->task, n > g.seq_len ? g.seq_len : n, cost);
	return 1;
}

static void analytic(
	const struct facts *f, uint32_t c, const char *metric, struct value *v)
{
	struct graph_cost cost;

	if (!facts_cost(f, c, &cost))
		return;
	if (!strcmp(metric, "macs"))
		set_exact(v, cost.macs, PROV_ANALYTIC);
	else if (!strcmp(metric, "params"))
		set_exact(v, cost.n_params, PROV_ANALYTIC);
	else if (!strcmp(metric, "model_bytes"))
		set_exact(v, cost.model_bytes, PROV_ANALYTIC);
}

/* On one device, or on all of a group. */
static void on_devices(
	const struct facts *f, uint32_t c, const struct objective *o, struct value *v)
{
	struct value of_one[DEVICE_GROUP_MAX];
	struct device_group g;

	if (device_group_parse(&g, o->device, NULL))
		return;
	for (size_t i = 0; i < g.n; i++) {
		struct objective one = *o;

		snprintf(one.device, sizeof(one.device), "%s", g.name[i]);
		of_one[i] = *v;
		if (!measured(f, c, &one, &of_one[i]))
			memory(f, c, &one, &of_one[i]);
	}
	*v = device_group_value(&g, of_one);
}

void facts_value(const struct facts *f, uint32_t candidate, const struct objective *o,
	const char *split, struct value *v, int *n_seeds)
{
	int n = 0;

	*v = (struct value){NAN, {NAN, NAN}, PROV_NONE, 0};
	if (o->metric->quality) {
		n = trained(f, candidate, o->metric->name, split, v);
		if (!n && strcmp(split, "test"))
			inherited(f, candidate, o->metric->name, split, v);
	} else if (!o->metric->per_device) {
		analytic(f, candidate, o->metric->name, v);
	} else {
		on_devices(f, candidate, o, v);
	}
	if (n_seeds)
		*n_seeds = n;
}
