#include "tests/bench/engine.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "src/base/clock.h"

#define SAMPLE_NS 100000.0 /* a sample lasts so long at least */
#define WARM_NS 2000000.0
#define MAX_SAMPLES 600
#define TIMEOUT_MS 120000

/* ---- the list */

struct engine *engine_add(struct engine *all, unsigned *n, enum engine_kind kind,
	enum precision p, const char *fmt, ...)
{
	struct engine *e = &all[*n];
	va_list ap;

	if (*n == MAX_ENGINES)
		return NULL;
	++*n;
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->precision = p;
	e->every = 1;
	e->difference = NAN;
	snprintf(e->verb, sizeof(e->verb), "time");
	series_init(&e->series);
	va_start(ap, fmt);
	vsnprintf(e->name, sizeof(e->name), fmt, ap);
	va_end(ap);
	return e;
}

void engine_absent(struct engine *e, const char *why)
{
	e->absent = 1;
	snprintf(e->remark, sizeof(e->remark), "%s", why);
}

const struct engine *engine_find(const struct engine *all, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (!all[i].absent && !strcmp(all[i].name, name))
			return &all[i];
	return NULL;
}

const struct engine *engine_ours(const struct engine *all, unsigned n,
	const struct set_choice *set, enum precision p, enum scale_choice scales)
{
	char name[80];

	snprintf(name, sizeof(name), "%s %s%s", precision_names[p], set->name,
		scales ? STATIC_SUFFIX : "");
	return engine_find(all, n, name);
}

const struct engine *engine_faster(
	const struct engine *a, const struct engine *b, enum bench_clock clock)
{
	if (!a || !b)
		return a ? a : b;
	return series_median(&a->series, clock) <= series_median(&b->series, clock) ? a
										    : b;
}

enum bench_clock engine_clock(const struct engine *all, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct series *s = &all[i].series;

		if (!all[i].absent &&
			2 * series_count(s, CLOCK_WALL) < series_count(s, CLOCK_CPU))
			return CLOCK_CPU;
	}
	return CLOCK_WALL;
}

/* ---- one slice */

static uint64_t thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static long switches(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nivcsw;
}

/* As the harness does it, for a function of this process. */
static enum err loop_slice(const struct engine *e, unsigned inner, unsigned n,
	unsigned warm, struct slice *out, struct err_ctx *ctx)
{
	struct buf line;
	enum err rc;

	buf_init(&line);
	for (unsigned i = 0; i < warm; i++)
		e->loop(e->self);
	for (unsigned i = 0; i < n; i++) {
		long before = switches();
		uint64_t cpu = thread_cpu_ns(), wall = clock_mono_ns();

		for (unsigned k = 0; k < inner; k++)
			e->loop(e->self);
		wall = clock_mono_ns() - wall;
		cpu = thread_cpu_ns() - cpu;
		buf_printf(&line, "%llu %llu %ld ", (unsigned long long)wall,
			(unsigned long long)cpu, switches() - before);
	}
	rc = buf_err(&line, ctx);
	rc = rc ? rc : slice_parse(buf_str(&line), inner, out, ctx);
	buf_release(&line);
	return rc;
}

static enum err ask(const struct engine *e, struct worker *w, unsigned inner, unsigned n,
	unsigned warm, struct slice *out, struct err_ctx *ctx)
{
	const char *answer;
	char request[128];
	enum err rc;

	if (e->kind == ENGINE_LOOP)
		return loop_slice(e, inner, n, warm, out, ctx);
	snprintf(request, sizeof(request), "%s %u %u %u %u", e->verb, e->tokens, inner, n,
		warm);
	rc = worker_ask(w, request, TIMEOUT_MS, &answer, ctx);
	return rc ? rc : slice_parse(answer, inner, out, ctx);
}

enum err engine_calibrate(
	struct engine *e, struct worker *w, const struct options *o, struct err_ctx *ctx)
{
	unsigned inner = e->inner ? e->inner : 1;
	struct slice s = {0};
	enum err rc;

	if (e->kind == ENGINE_RATE)
		return ERR_OK;
	rc = ask(e, w, inner, 1, 0, &s, ctx);
	if (!rc && s.cpu_ns * inner < o->slice_ns)
		rc = ask(e, w, inner, 5, 1, &s, ctx);
	if (rc)
		return rc;
	e->run_ns = s.cpu_ns > 1 ? s.cpu_ns : 1;
	e->every = 1 + (unsigned)(MIN_CLEAN * inner * e->run_ns / (2 * o->slice_ns));
	if (e->every > o->rounds)
		e->every = o->rounds;
	return ERR_OK;
}

static unsigned clamp(double x, unsigned lo, unsigned hi)
{
	return x < lo ? lo : x > hi ? hi : (unsigned)x;
}

enum err engine_run(struct engine *e, struct worker *w, const struct options *o,
	size_t round, struct err_ctx *ctx)
{
	struct slice s = {NAN, NAN, 1, 1};
	unsigned inner, n, warm;
	enum err rc;

	if (e->kind == ENGINE_RATE) {
		double rate = rate_measure(e->rate, 4) * 1e-15;

		if (rate > 0)
			s.wall_ns = s.cpu_ns = 1 / rate;
		series_add(&e->series, round, &s);
		return ERR_OK;
	}
	inner = e->inner ? e->inner : clamp(SAMPLE_NS / e->run_ns + 1, 1, 1000);
	if (inner * e->run_ns > o->slice_ns) { /* slow, and warm from the calibration */
		n = 1;
		warm = 0;
	} else {
		n = clamp(o->slice_ns / (inner * e->run_ns), MIN_CLEAN, MAX_SAMPLES);
		warm = e->inner ? 1 : clamp(WARM_NS / e->run_ns, 1, 50);
	}
	rc = ask(e, w, inner, n, warm, &s, ctx);
	if (!rc)
		series_add(&e->series, round, &s);
	return rc;
}
