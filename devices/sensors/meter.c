#include "devices/sensors/meter.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define MIN_INTERVALS 100
#define MAX_EDGE 0.02
#define MAX_IDLE_SHARE 0.1

void meter_begin(struct meter *m, struct sensor *s)
{
	memset(m, 0, sizeof(*m));
	m->sensor = s;
	m->stride = 1;
}

static void keep(struct meter *m, uint64_t now_ns)
{
	if (++m->skipped < m->stride)
		return;
	m->skipped = 0;
	if (m->n == METER_SAMPLES) {
		for (uint32_t i = 0; i < METER_SAMPLES / 2; i++) {
			m->t[i] = m->t[2 * i];
			m->e[i] = m->e[2 * i];
		}
		m->n = METER_SAMPLES / 2;
		m->n_idle = (m->n_idle + 1) / 2;
		m->stride *= 2;
	}
	m->t[m->n] = now_ns;
	m->e[m->n] = m->sum_uj;
	m->n++;
}

void meter_sample(struct meter *m, uint64_t now_ns)
{
	double v;
	int rc;

	if (!m->sensor->ops || now_ns < m->next_ns)
		return;
	m->next_ns = now_ns + m->sensor->interval_ns;
	rc = sensor_read(m->sensor, now_ns, &v);
	if (rc < 0) {
		m->invalid = -rc;
		return;
	}
	if (m->started) {
		uint64_t gap = now_ns - m->last_ns;

		if (m->sensor->is_counter)
			m->sum_uj += v - m->last_value;
		else /* uW * ns = 1e-9 uJ */
			m->sum_uj += (v + m->last_value) / 2 * (double)gap * 1e-9;
		if (gap > m->max_gap_ns)
			m->max_gap_ns = gap;
	}
	m->started = 1;
	m->last_value = v;
	m->last_ns = now_ns;
	keep(m, now_ns);
}

void meter_idle_ends(struct meter *m, uint64_t now_ns)
{
	meter_sample(m, now_ns);
	m->n_idle = m->n;
	m->max_gap_ns = 0;
}

/* Energy at an instant, between the two samples around it; *edge is their distance. */
static int energy_at(const struct meter *m, uint64_t t, double *e, double *edge)
{
	uint32_t lo = 0, hi = m->n;

	if (m->n < 2 || t < m->t[0] || t > m->t[m->n - 1])
		return 0;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (m->t[mid] <= t)
			lo = mid;
		else
			hi = mid;
	}
	if (lo + 1 == m->n)
		lo--;
	*edge = (double)(m->t[lo + 1] - m->t[lo]);
	*e = m->e[lo] + (m->e[lo + 1] - m->e[lo]) * (double)(t - m->t[lo]) / *edge;
	return 1;
}

/* Mean idle power and how far its four quarters lie apart. */
static int idle_power(const struct meter *m, double *uw, double *spread)
{
	double lo = INFINITY, hi = -INFINITY;
	uint32_t n = m->n_idle;

	if (n < 9)
		return 0;
	for (uint32_t q = 0; q < 4; q++) {
		uint32_t a = q * (n - 1) / 4, b = (q + 1) * (n - 1) / 4;
		double p = (m->e[b] - m->e[a]) / (double)(m->t[b] - m->t[a]) * 1e9;

		lo = p < lo ? p : lo;
		hi = p > hi ? p : hi;
	}
	*uw = (m->e[n - 1] - m->e[0]) / (double)(m->t[n - 1] - m->t[0]) * 1e9;
	*spread = hi - lo;
	return 1;
}

static const char *lost(const struct meter *m)
{
	if (m->invalid == EACCES)
		return "the sensor may not be read";
	if (m->invalid)
		return "a sensor sample was lost";
	if (m->sensor->max_gap_ns && m->max_gap_ns > m->sensor->max_gap_ns)
		return "the counter may have wrapped between two readings";
	if (!m->sensor->is_counter &&
		m->max_gap_ns > 4 * m->sensor->interval_ns + 4000000)
		return "the power meter was not read in time";
	return NULL;
}

const char *meter_result(const struct meter *m, const struct meter_window *w,
	double *energy_uj, double *idle_uw)
{
	double window = (double)(w->end_ns - w->start_ns), e0, e1, edge0, edge1;
	double idle, spread, net;
	const char *why = lost(m);

	*energy_uj = *idle_uw = NAN;
	if (!m->sensor->ops)
		return "no sensor";
	if (why)
		return why;
	if (w->end_ns <= w->start_ns || w->n_inferences == 0 ||
		window < (double)MIN_INTERVALS * (double)m->sensor->interval_ns)
		return "the timed window is shorter than 100 sensor intervals";
	if (!energy_at(m, w->start_ns, &e0, &edge0) ||
		!energy_at(m, w->end_ns, &e1, &edge1))
		return "the timed window was not covered";
	if (edge0 + edge1 > MAX_EDGE * 2 * window)
		return "the window's edges are not known well enough";
	if (!idle_power(m, &idle, &spread))
		return "too little idle time was sampled";
	net = e1 - e0 - idle * window * 1e-9;
	if (!(net > 0))
		return "the run cannot be told from idle";
	if (spread * window * 1e-9 > MAX_IDLE_SHARE * net)
		return "the idle level is not steady";
	*energy_uj = net / (double)w->n_inferences;
	*idle_uw = idle;
	return NULL;
}
