/* What the bench links models with: `image RUNS` prints the median of RUNS runs of the
 * timed input, in nanoseconds; exit code 1 when a golden answer is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "src/infer/model_api.h"

#define MAX_RUNS 100000

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int answers_well(void)
{
	const struct model_golden *g = &model_golden[0];
	struct model_output o;

	model_reset();
	if (model_run(g->ids, g->n, &o))
		return 0;
	for (uint32_t i = 0; g->intent && i < model_info.n_intents; i++) {
		float d = o.intent[i] - g->intent[i];

		if (!((d < 0 ? -d : d) <= model_golden_tolerance))
			return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	static double ns[MAX_RUNS];
	int runs = argc > 1 ? atoi(argv[1]) : 100;
	uint32_t n = argc > 2 ? (uint32_t)atoi(argv[2]) : model_info.timed_tokens;
	struct model_output o;
	int32_t *ids = calloc(n, sizeof(*ids));

	if (runs < 1 || runs > MAX_RUNS || !ids || !answers_well())
		return 1;
	for (uint32_t i = 0; i < n; i++)
		ids[i] = (int32_t)(i * 7919 % model_info.vocab_size);
	for (int i = -runs / 4; i < runs; i++) {
		double from = now_ns();

		model_reset();
		if (model_run(ids, n, &o))
			return 1;
		if (i >= 0)
			ns[i] = now_ns() - from;
	}
	qsort(ns, (size_t)runs, sizeof(*ns), by_value);
	printf("%.1f\n", ns[runs / 2]);
	free(ids);
	return 0;
}
