/* The smallest harness: what tests/unit/test_codegen_build.c links models with. Compares
 * the golden inputs, checks that bad arguments are refused, and that a decoder gives the
 * same answer fed token by token. Prints the largest error; exit code 1 when it is above
 * the tolerance. */
#include <stdio.h>

#include "src/infer/model_api.h"

static float difference(const float *a, const float *b, uint32_t n, float worst)
{
	for (uint32_t i = 0; a && i < n; i++) {
		float d = a[i] - b[i], scale = 1 + (b[i] < 0 ? -b[i] : b[i]);

		d = (d < 0 ? -d : d) / scale;
		if (!(d <= worst))
			worst = d;
	}
	return worst;
}

static float compare(
	const struct model_output *o, const struct model_golden *g, float worst)
{
	if (!o->intent != !g->intent || !o->tags != !g->tags || !o->lm != !g->lm)
		return 1e30f;
	worst = difference(o->intent, g->intent, model_info.n_intents, worst);
	worst = difference(o->tags, g->tags, g->n * model_info.n_tags, worst);
	return difference(o->lm, g->lm, model_info.vocab_size, worst);
}

static int refuses_bad_arguments(void)
{
	int32_t high = (int32_t)model_info.vocab_size, low = -1, fine = 0;
	struct model_output o;

	model_reset();
	return model_run(&high, 1, &o) == -1 && model_run(&low, 1, &o) == -1 &&
	       model_run(&fine, 0, &o) == -1 &&
	       model_run(&fine, model_info.seq_len + 1, &o) == -1;
}

static int run_stepwise(const struct model_golden *g, struct model_output *o)
{
	int err = 0;

	model_reset();
	for (uint32_t i = 0; i < g->n; i++)
		err |= model_run(g->ids + i, 1, o);
	return err;
}

/* In two pieces, the second longer than one chunk where the input is. */
static int run_in_two(const struct model_golden *g, struct model_output *o)
{
	uint32_t first = g->n / 3;
	int err = 0;

	model_reset();
	if (first)
		err |= model_run(g->ids, first, o);
	return err | model_run(g->ids + first, g->n - first, o);
}

int main(void)
{
	struct model_output o;
	float worst = 0;

	if (!refuses_bad_arguments())
		return 2;
	for (uint32_t i = 0; i < model_n_golden; i++) {
		const struct model_golden *g = &model_golden[i];

		model_reset();
		if (model_run(g->ids, g->n, &o))
			return 3;
		worst = compare(&o, g, worst);
		if (!model_info.is_decoder)
			continue;
		if (run_stepwise(g, &o))
			return 4;
		worst = compare(&o, g, worst);
		if (run_in_two(g, &o))
			return 5;
		worst = compare(&o, g, worst);
	}
	printf("%.9g %.9g\n", (double)worst, (double)model_golden_tolerance);
	return worst <= model_golden_tolerance ? 0 : 1;
}
