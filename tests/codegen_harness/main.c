/* The smallest harness: what tests/unit/test_codegen_build.c links models with. Compares
 * the golden inputs, checks that bad arguments are refused, and that a decoder gives the
 * same answer fed token by token. Prints the largest error; exit code 1 when it is above
 * the tolerance. With the argument `bits` it prints a hash of all outputs instead. */
#include <stdio.h>
#include <string.h>

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

/* FNV-1a over the bits of an output. */
static uint64_t mix(uint64_t hash, const float *v, uint32_t n)
{
	const unsigned char *b = (const unsigned char *)v;

	for (uint32_t i = 0; v && i < n * sizeof(*v); i++)
		hash = (hash ^ b[i]) * 0x100000001b3u;
	return hash;
}

/* What every golden input gives, bit for bit; twice, as threads may meet differently. */
static int print_bits(void)
{
	for (int again = 0; again < 2; again++) {
		uint64_t hash = 0xcbf29ce484222325u;

		for (uint32_t i = 0; i < model_n_golden; i++) {
			const struct model_golden *g = &model_golden[i];
			struct model_output o;

			model_reset();
			if (model_run(g->ids, g->n, &o))
				return 3;
			hash = mix(hash, o.intent, model_info.n_intents);
			hash = mix(hash, o.tags, g->n * model_info.n_tags);
			if (o.lm)
				hash = mix(hash, o.lm, model_info.vocab_size);
		}
		printf("%016llx%c", (unsigned long long)hash, again ? '\n' : ' ');
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct model_output o;
	float worst = 0;

	if (argc > 1 && strcmp(argv[1], "bits") == 0)
		return print_bits();
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
