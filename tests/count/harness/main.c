/* The counting bench's harness: `image RUNS` runs the golden input so often, `image RUNS
 * IN OUT` the product alone, of as many tokens, with zeros. Prints nothing; exit code 1
 * when the golden check fails. The difference of two runs is free of everything else. */
#include <stdlib.h>

#include "src/infer/kernels.h"
#include "src/infer/model_api.h"

#pragma weak linear_f32
#pragma weak linear_i8
#pragma weak linear_i4

#define MAX_TOKENS 128
#define MAX_WIDTH 1536

static float x[MAX_TOKENS * MAX_WIDTH], y[MAX_TOKENS * MAX_WIDTH];
static float scale[MAX_TOKENS];
static float w[MAX_WIDTH * MAX_WIDTH];
static uint16_t scales[MAX_WIDTH * MAX_WIDTH / 8];

static float difference(const float *a, const float *b, uint32_t n)
{
	float worst = 0;

	for (uint32_t i = 0; a && b && i < n; i++) {
		float d = a[i] - b[i], size = 1 + (b[i] < 0 ? -b[i] : b[i]);

		d = (d < 0 ? -d : d) / size;
		worst = d <= worst ? worst : d;
	}
	return worst;
}

static int run_model(long runs)
{
	const struct model_golden *g = &model_golden[0];
	struct model_output o = {0};

	for (long i = 0; i < runs; i++) {
		model_reset();
		if (model_run(g->ids, g->n, &o))
			return 2;
	}
	return difference(o.intent, g->intent, model_info.n_intents) >
	       model_golden_tolerance;
}

static int run_product(long runs, uint32_t in, uint32_t out)
{
	const struct linear l = {
		.in = in, .out = out, .w = w, .scales = scales, .panels = 1};
	uint32_t n = model_golden[0].n;

	for (long i = 0; i < runs; i++) {
		if (linear_f32)
			linear_f32(&l, n, x, 0, y);
		else if (linear_i8)
			linear_i8(&l, n, (const int8_t *)x, scale, 0, y);
		else
			linear_i4(&l, n, (const int8_t *)x, scale, 0, y);
	}
	return 0;
}

int main(int argc, char **argv)
{
	long runs = argc > 1 ? strtol(argv[1], 0, 10) : 1;

	if (argc == 4)
		return run_product(runs, (uint32_t)strtol(argv[2], 0, 10),
			(uint32_t)strtol(argv[3], 0, 10));
	return run_model(runs);
}
