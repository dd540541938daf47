#include "devices/instrument/trace.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_WINDOW_NS 10e9
#define MIN_SAMPLES 1000
#define MIN_EDGES 100	   /* window by uncertainty of its edges */
#define MAX_CLOCKS 0.01	   /* between the board's clock and the meter's */
#define MAX_IDLE_SHARE 0.1 /* of the result, by which the idle level may waver */
#define MAX_DOUBT 0.01	   /* of the result */
#define MAX_POWER_UW 10e6  /* beyond what such instruments measure */
#define GLITCH 2	   /* samples; see trace_add_edge */
#define N_PIECES 4	   /* of each idle time */

void trace_init(struct trace *t, uint32_t per_bin)
{
	memset(t, 0, sizeof(*t));
	t->per_bin = per_bin;
}

void trace_release(struct trace *t)
{
	free(t->bins);
	t->bins = NULL;
	t->n_bins = t->cap_bins = 0;
}

void trace_fault(struct trace *t, const char *fmt, ...)
{
	va_list ap;

	if (t->fault[0])
		return;
	va_start(ap, fmt);
	vsnprintf(t->fault, sizeof(t->fault), fmt, ap);
	va_end(ap);
}

static int grow(struct trace *t)
{
	size_t cap = t->cap_bins ? 2 * t->cap_bins : 4096;
	double *bins;

	if (cap > TRACE_BINS)
		return 0;
	bins = realloc(t->bins, cap * sizeof(*bins));
	if (!bins)
		return 0;
	t->bins = bins;
	t->cap_bins = cap;
	return 1;
}

void trace_sample(struct trace *t, double uj, double doubt_uj)
{
	if (t->fault[0])
		return;
	if (!isfinite(uj) || !isfinite(doubt_uj)) {
		trace_fault(t, "a sample is not a number");
		return;
	}
	t->sum_uj += uj;
	t->doubt_uj += doubt_uj;
	if (++t->n % t->per_bin)
		return;
	if (t->n_bins == t->cap_bins && !grow(t)) {
		trace_fault(t, "the recording is too long");
		return;
	}
	t->bins[t->n_bins++] = t->sum_uj;
}

/* The board's pin falls once within the first microseconds of a window, so that an
 * instrument that tells falling edges alone sees both ends: no edge where levels are told. */
static int is_start_pulse(const struct trace *t, enum trace_kind kind)
{
	const struct trace_edge *e = t->edges + t->n_edges;

	return kind == TRACE_RISE && t->n_edges >= 2 && t->n_edges <= TRACE_EDGES &&
	       e[-1].kind == TRACE_FALL && e[-2].kind == TRACE_RISE &&
	       e[-1].at - e[-2].at <= GLITCH && t->n - e[-1].at <= GLITCH;
}

void trace_add_edge(struct trace *t, enum trace_kind kind)
{
	if (is_start_pulse(t, kind)) {
		t->n_edges--;
		return;
	}
	if (t->n_edges < TRACE_EDGES)
		t->edges[t->n_edges] =
			(struct trace_edge){kind, t->n, t->sum_uj, t->doubt_uj};
	if (t->n_edges < UINT32_MAX)
		t->n_edges++;
}

/* Energy of the first `at` samples, to a bin. */
static double sum_until(const struct trace *t, uint64_t at)
{
	uint64_t bin = at / t->per_bin;
	double lo = bin ? t->bins[bin - 1] : 0, hi;

	if (bin == t->n_bins)
		return lo;
	hi = t->bins[bin];
	return lo + (hi - lo) * (double)(at % t->per_bin) / t->per_bin;
}

struct idle {
	double uw, lo, hi;
};

/* Mean power of [from, to), and the least and largest of its pieces so far. */
static double level(const struct trace *t, uint64_t from, uint64_t to, struct idle *idle)
{
	for (uint64_t i = 0; i < N_PIECES; i++) {
		uint64_t a = from + (to - from) * i / N_PIECES;
		uint64_t b = from + (to - from) * (i + 1) / N_PIECES;
		double uw = (sum_until(t, b) - sum_until(t, a)) /
			    ((double)(b - a) * t->interval_ns) * 1e9;

		idle->lo = uw < idle->lo ? uw : idle->lo;
		idle->hi = uw > idle->hi ? uw : idle->hi;
	}
	return (sum_until(t, to) - sum_until(t, from)) /
	       ((double)(to - from) * t->interval_ns) * 1e9;
}

static int find_idle(const struct trace *t, const struct trace_run *r, struct idle *idle)
{
	uint64_t settle = (uint64_t)(TRACE_SETTLE_S * 1e9 / t->interval_ns);
	uint64_t least = (uint64_t)(TRACE_IDLE_S * 1e9 / t->interval_ns * 0.99);
	const struct trace_edge *e = t->edges;

	if (least < N_PIECES || r->idle_end > e[0].at || r->idle_begin < e[1].at ||
		r->idle_begin > t->n_sure || r->idle_end < settle + least ||
		t->n_sure - r->idle_begin < least)
		return 0;
	*idle = (struct idle){0, INFINITY, -INFINITY};
	idle->uw = (level(t, settle, r->idle_end, idle) +
			   level(t, r->idle_begin, t->n_sure, idle)) /
		   2;
	return 1;
}

static int refuse(char why[TRACE_WHY], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static int refuse(char why[TRACE_WHY], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, TRACE_WHY, fmt, ap);
	va_end(ap);
	return 0;
}

/* Exactly the two ends of one window, and nothing lost between. */
static int check_edges(const struct trace *t, char why[TRACE_WHY])
{
	const struct trace_edge *e = t->edges;

	if (t->n_edges != 2)
		return refuse(why, "edges of the board's pin: %u instead of 2",
			(unsigned)t->n_edges);
	if (e[0].kind == TRACE_MARK ? e[1].kind != TRACE_MARK
				    : e[0].kind != TRACE_RISE || e[1].kind != TRACE_FALL)
		return refuse(
			why, "the edges of the board's pin are not a rise and a fall");
	if (e[1].at > t->n_sure)
		return refuse(why,
			"the recording ends before it shows that no sample is missing");
	return 1;
}

static int check_length(
	const struct trace *t, const struct trace_run *r, double ns, char why[TRACE_WHY])
{
	const struct trace_edge *e = t->edges;

	if (ns < MIN_WINDOW_NS)
		return refuse(
			why, "the window of %.3f s is shorter than 10 s", ns * 1e-9);
	if (e[1].at - e[0].at < MIN_SAMPLES)
		return refuse(why, "the window has only %llu samples, fewer than 1000",
			(unsigned long long)(e[1].at - e[0].at));
	if (ns < MIN_EDGES * 2 * t->interval_ns)
		return refuse(why, "the window's edges are not known well enough");
	if (r->board_ns > 0 && fabs(ns - r->board_ns) > MAX_CLOCKS * r->board_ns)
		return refuse(why,
			"the window lasts %.3f s for the meter, %.3f s for the board",
			ns * 1e-9, r->board_ns * 1e-9);
	return 1;
}

int trace_result(const struct trace *t, const struct trace_run *r,
	struct trace_energy *out, char why[TRACE_WHY])
{
	const struct trace_edge *e = t->edges;
	struct trace_energy f;
	struct idle idle;
	double gross, net, waver, edge, doubt;

	if (t->fault[0])
		return refuse(why, "%s", t->fault);
	if (!(t->interval_ns > 0))
		return refuse(why, "the recording does not tell its sampling rate");
	if (!check_edges(t, why))
		return 0;
	f.window_ns = (double)(e[1].at - e[0].at) * t->interval_ns;
	if (!(r->n_inferences > 0) || !check_length(t, r, f.window_ns, why))
		return r->n_inferences > 0 ? 0 : refuse(why, "nothing was inferred");
	if (!find_idle(t, r, &idle))
		return refuse(why, "less than %g s of idle time before or after the run",
			TRACE_IDLE_S);
	gross = e[1].sum_uj - e[0].sum_uj;
	f.active_uw = gross / f.window_ns * 1e9;
	f.idle_uw = idle.uw;
	net = gross - idle.uw * f.window_ns * 1e-9;
	if (f.active_uw > MAX_POWER_UW || idle.uw > MAX_POWER_UW)
		return refuse(why, "a power that no such instrument measures");
	if (!(net > 0))
		return refuse(why, "the run cannot be told from idle");
	waver = (idle.hi - idle.lo) * f.window_ns * 1e-9;
	if (waver > MAX_IDLE_SHARE * net)
		return refuse(why, "the idle level is not steady: %.4g to %.4g mW",
			idle.lo * 1e-3, idle.hi * 1e-3);
	doubt = e[1].doubt_uj - e[0].doubt_uj;
	if (doubt > MAX_DOUBT * net)
		return refuse(why, "the meter changed its range too often to be trusted");
	edge = 2 * t->interval_ns * 1e-9 * fabs(f.active_uw - idle.uw);
	f.energy_uj = net / r->n_inferences;
	f.error_uj =
		sqrt(waver * waver / 4 + edge * edge + doubt * doubt) / r->n_inferences;
	*out = f;
	return 1;
}
