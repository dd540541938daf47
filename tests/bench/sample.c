#include "tests/bench/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Copies the known values to `out` and returns how many they are. */
static size_t known(const double *x, size_t n, double *out)
{
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		if (!isnan(x[i]))
			out[m++] = x[i];
	return m;
}

double median_of_known(const double *x, size_t n)
{
	double *k = malloc((n ? n : 1) * sizeof(*k)), m;

	if (!k)
		return NAN;
	m = stats_median(k, known(x, n, k));
	free(k);
	return m;
}

/* Three numbers; 0 at the end of the line, -1 when it is malformed. */
static int next_sample(const char **at, double v[3])
{
	*at += strspn(*at, " \r\n");
	if (!**at)
		return 0;
	for (int i = 0; i < 3; i++) {
		char *end;

		v[i] = strtod(*at, &end);
		if (end == *at || (*end && !strchr(" \r\n", *end)) || !(v[i] >= 0) ||
			isinf(v[i]))
			return -1;
		*at = end;
	}
	return 1;
}

enum err slice_parse(
	const char *line, unsigned inner, struct slice *out, struct err_ctx *ctx)
{
	size_t room = strlen(line) / 6 + 1, n = 0, n_clean = 0;
	double *wall, *cpu, v[3];
	const char *at = line;
	int more;

	if (!strncmp(line, "error", 5))
		return err_set(ctx, ERR_TOOL, "the engine says '%.200s'", line);
	wall = malloc(2 * room * sizeof(*wall));
	if (!wall)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	cpu = wall + room;
	while ((more = next_sample(&at, v)) > 0) {
		cpu[n++] = v[1] / inner;
		if (v[2] < 1)
			wall[n_clean++] = v[0] / inner;
	}
	if (more < 0 || !n || !inner) {
		free(wall);
		return err_set(ctx, ERR_PARSE, "not a line of samples: '%.60s'", line);
	}
	out->n = n;
	out->n_clean = n_clean;
	out->cpu_ns = stats_median(cpu, n);
	out->wall_ns = n_clean < MIN_CLEAN ? NAN : stats_median(wall, n_clean);
	free(wall);
	return ERR_OK;
}

void series_init(struct series *s)
{
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < MAX_ROUNDS; i++)
		s->wall_ns[i] = s->cpu_ns[i] = NAN;
}

void series_add(struct series *s, size_t round, const struct slice *slice)
{
	s->wall_ns[round] = slice->wall_ns;
	s->cpu_ns[round] = slice->cpu_ns;
	s->n_samples += slice->n;
	s->n_switched += slice->n - slice->n_clean;
}

const double *series_values(const struct series *s, enum bench_clock clock)
{
	return clock == CLOCK_WALL ? s->wall_ns : s->cpu_ns;
}

size_t series_count(const struct series *s, enum bench_clock clock)
{
	double k[MAX_ROUNDS];

	return known(series_values(s, clock), MAX_ROUNDS, k);
}

double series_median(const struct series *s, enum bench_clock clock)
{
	return median_of_known(series_values(s, clock), MAX_ROUNDS);
}

struct ratio series_ratio(const struct series *above, const struct series *below,
	enum bench_clock clock, double minus_above)
{
	const double *a = series_values(above, clock), *b = series_values(below, clock);
	double r[MAX_ROUNDS];
	struct ratio out = {NAN, {NAN, NAN}, 0};
	struct rng rng;

	for (size_t i = 0; i < MAX_ROUNDS; i++)
		if (!isnan(a[i]) && !isnan(b[i]) && b[i] > 0)
			r[out.n++] = (a[i] - minus_above) / b[i];
	if (!out.n)
		return out;
	rng_init(&rng, 1);
	out.median = stats_median(r, out.n);
	out.range = stats_median_interval(r, out.n, 0.95, &rng);
	return out;
}
