#include "src/model/measurement.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const char *const verdict_names[N_VERDICTS] = {
	[VERDICT_OK] = "ok",
	[VERDICT_BUILD_ERROR] = "build-error",
	[VERDICT_NO_FIT] = "no-fit",
	[VERDICT_WRONG_OUTPUT] = "wrong-output",
	[VERDICT_CRASH] = "crash",
	[VERDICT_EXIT] = "exit",
	[VERDICT_TIMEOUT] = "timeout",
	[VERDICT_OOM] = "oom",
	[VERDICT_DEVICE_LOST] = "device-lost",
	[VERDICT_LINK_LOST] = "link-lost",
};

int verdict_blames_candidate(enum verdict v)
{
	return v > VERDICT_OK && v < VERDICT_DEVICE_LOST;
}

/* The percentile bootstrap of a median is too narrow on few processes, and stopping as
 * soon as it is narrow makes that worse: taken at 95 % it covers 84-92 % in simulation,
 * at this level 94-96 % (tests/unit/test_measure.c, 6 processes and more). */
#define BOOTSTRAP_LEVEL 0.985

static void clear_summary(struct measurement *m)
{
	const struct interval none = {NAN, NAN};

	m->latency_ns = NAN;
	m->latency_ci = none;
	m->wall_p50_ns = m->wall_p90_ns = m->wall_p99_ns = NAN;
	m->peak_rss_bytes = 0;
	m->n_throttled = 0;
	m->stack_bytes = 0;
	m->energy_uj = m->idle_uw = m->window_ns = NAN;
	m->energy_ci = none;
	m->step_ns = NAN;
	m->step_ci = none;
	m->n_cached = 0;
	m->instructions = m->step_instructions = 0;
}

void measurement_init(struct measurement *m)
{
	memset(m, 0, sizeof(*m));
	m->protocol = MEASURE_PROTOCOL;
	m->look = 1;
	clear_summary(m);
}

void measurement_release(struct measurement *m)
{
	for (uint32_t i = 0; i < m->n_runs; i++) {
		free(m->runs[i].wall_ns);
		free(m->runs[i].cpu_ns);
		free(m->runs[i].steps.wall_ns);
		free(m->runs[i].steps.cpu_ns);
	}
	free(m->runs);
	measurement_init(m);
}

struct process_run *measurement_add_run(struct measurement *m, uint32_t n)
{
	size_t room = n ? n : 1;
	struct process_run *runs, *r;
	float *wall, *cpu;

	if (m->n_runs == UINT32_MAX)
		return NULL;
	runs = realloc(m->runs, ((size_t)m->n_runs + 1) * sizeof(*runs));
	if (!runs)
		return NULL;
	m->runs = runs;
	wall = calloc(room, sizeof(*wall));
	cpu = calloc(room, sizeof(*cpu));
	if (!wall || !cpu) {
		free(wall);
		free(cpu);
		return NULL;
	}
	r = &m->runs[m->n_runs];
	memset(r, 0, sizeof(*r));
	r->index = m->n_runs++;
	r->n = n;
	r->wall_ns = wall;
	r->cpu_ns = cpu;
	r->temp_mc = INT32_MIN;
	r->energy_uj = r->idle_uw = r->window_ns = NAN;
	return r;
}

int measurement_add_steps(struct process_run *r, uint32_t n)
{
	size_t room = n ? n : 1;

	r->steps.wall_ns = calloc(room, sizeof(float));
	r->steps.cpu_ns = calloc(room, sizeof(float));
	if (!r->steps.wall_ns || !r->steps.cpu_ns) {
		free(r->steps.wall_ns);
		free(r->steps.cpu_ns);
		r->steps.wall_ns = r->steps.cpu_ns = NULL;
		return -1;
	}
	r->steps.n = n;
	return 0;
}

static double least(const float *wall_ns, const float *cpu_ns, uint32_t n)
{
	float cpu = INFINITY, wall = INFINITY;
	int has_cpu = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (cpu_ns[i] > 0)
			has_cpu = 1;
		if (cpu_ns[i] < cpu)
			cpu = cpu_ns[i];
		if (wall_ns[i] < wall)
			wall = wall_ns[i];
	}
	if (!n)
		return NAN;
	return has_cpu ? cpu : wall;
}

double process_latency_ns(const struct process_run *r)
{
	return least(r->wall_ns, r->cpu_ns, r->n);
}

double process_step_ns(const struct process_run *r)
{
	return least(r->steps.wall_ns, r->steps.cpu_ns, r->steps.n);
}

int stack_is_tight(uint64_t used_bytes, uint64_t reserved_bytes)
{
	return reserved_bytes && used_bytes >= reserved_bytes - reserved_bytes / 20;
}

int process_throttled(const struct process_run *r)
{
	return r->n_quota > 0 || r->n_slowed > 0;
}

static void summarise_latency(struct measurement *m, double *x, struct rng *rng)
{
	for (uint32_t i = 0; i < m->n_runs; i++)
		x[i] = process_latency_ns(&m->runs[i]);
	m->latency_ns = stats_median(x, m->n_runs);
	m->latency_ci = stats_median_interval(x, m->n_runs, BOOTSTRAP_LEVEL, rng);
}

/* Of the runs that have it: the field at `offset`. */
static size_t collect(const struct measurement *m, size_t offset, double *x)
{
	size_t n = 0;

	for (uint32_t i = 0; i < m->n_runs; i++) {
		const char *run = (const char *)&m->runs[i];
		double v;

		memcpy(&v, run + offset, sizeof(v));
		if (isfinite(v))
			x[n++] = v;
	}
	return n;
}

static void summarise_energy(struct measurement *m, double *x, struct rng *rng)
{
	size_t n = collect(m, offsetof(struct process_run, idle_uw), x);

	m->idle_uw = n ? stats_median(x, n) : NAN;
	n = collect(m, offsetof(struct process_run, window_ns), x);
	m->window_ns = n ? stats_median(x, n) : NAN;
	n = collect(m, offsetof(struct process_run, energy_uj), x);
	if (!n)
		return;
	m->energy_uj = stats_median(x, n);
	m->energy_ci = stats_median_interval(x, n, BOOTSTRAP_LEVEL, rng);
}

/* Only where every process counted; single tokens where every process counted them. */
static void summarise_count(struct measurement *m, double *x)
{
	for (uint32_t i = 0; i < m->n_runs; i++)
		x[i] = m->runs[i].instructions;
	m->instructions = stats_median(x, m->n_runs);
	for (uint32_t i = 0; i < m->n_runs; i++) {
		x[i] = m->runs[i].steps.instructions;
		if (!(x[i] > 0))
			return;
	}
	m->step_instructions = stats_median(x, m->n_runs);
	m->n_cached = m->runs[0].steps.n_cached;
}

/* Only where every process timed steps. */
static void summarise_steps(struct measurement *m, double *x, struct rng *rng)
{
	for (uint32_t i = 0; i < m->n_runs; i++) {
		x[i] = process_step_ns(&m->runs[i]);
		if (isnan(x[i]))
			return;
	}
	m->step_ns = stats_median(x, m->n_runs);
	m->step_ci = stats_median_interval(x, m->n_runs, BOOTSTRAP_LEVEL, rng);
	m->n_cached = m->runs[0].steps.n_cached;
}

/* Quantiles over all samples of all processes. */
static void summarise_wall(struct measurement *m)
{
	size_t n = 0, at = 0;
	double *x;

	for (uint32_t i = 0; i < m->n_runs; i++)
		n += m->runs[i].n;
	x = malloc((n ? n : 1) * sizeof(*x));
	if (!x)
		return;
	for (uint32_t i = 0; i < m->n_runs; i++)
		for (uint32_t j = 0; j < m->runs[i].n; j++)
			x[at++] = m->runs[i].wall_ns[j];
	stats_sort(x, n);
	m->wall_p50_ns = stats_quantile_sorted(x, n, 0.50);
	m->wall_p90_ns = stats_quantile_sorted(x, n, 0.90);
	m->wall_p99_ns = stats_quantile_sorted(x, n, 0.99);
	free(x);
}

void measurement_summarise(struct measurement *m, struct rng *rng)
{
	double *x = malloc((m->n_runs ? m->n_runs : 1) * sizeof(*x));

	clear_summary(m);
	if (x && m->n_runs && m->runs[0].instructions > 0) {
		summarise_count(m, x);
		summarise_energy(m, x, rng);
	} else if (x && m->n_runs) {
		summarise_latency(m, x, rng);
		summarise_energy(m, x, rng);
		summarise_wall(m);
		summarise_steps(m, x, rng);
	}
	free(x);
	for (uint32_t i = 0; i < m->n_runs; i++) {
		m->n_throttled += process_throttled(&m->runs[i]) != 0;
		if (m->runs[i].peak_rss_bytes > m->peak_rss_bytes)
			m->peak_rss_bytes = m->runs[i].peak_rss_bytes;
		if (m->runs[i].stack_bytes > m->stack_bytes)
			m->stack_bytes = m->runs[i].stack_bytes;
	}
}
