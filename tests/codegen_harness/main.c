/* The smallest harness: what tests/unit/test_codegen_*.c link models with. Compares
 * the golden inputs, checks that bad arguments are refused, and that a decoder gives the
 * same answer fed token by token. Prints the largest error, the tolerance, and the largest
 * error relative to the largest value of its tensor; exit code 1 when the first is above
 * the second. The file argv[1], when there is one, gets the logits; `bits` in its place
 * prints a hash of all outputs. */
#include <stdio.h>
#include <string.h>

#include "src/infer/model_api.h"

static FILE *logits;
static float relative;

static float size_of(float x)
{
	return x < 0 ? -x : x;
}

static float difference(const float *a, const float *b, uint32_t n, float worst)
{
	float largest = 1e-30f, most = 0;

	for (uint32_t i = 0; a && i < n; i++) {
		float d = size_of(a[i] - b[i]), scaled = d / (1 + size_of(b[i]));

		if (!(scaled <= worst))
			worst = scaled;
		if (!(d <= most))
			most = d;
		if (size_of(b[i]) > largest)
			largest = size_of(b[i]);
	}
	if (!(most / largest <= relative))
		relative = most / largest;
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

static void keep(const struct model_output *o, uint32_t n)
{
	if (logits && o->intent)
		fwrite(o->intent, sizeof(float), model_info.n_intents, logits);
	if (logits && o->tags)
		fwrite(o->tags, sizeof(float), (size_t)n * model_info.n_tags, logits);
	if (logits && o->lm)
		fwrite(o->lm, sizeof(float), model_info.vocab_size, logits);
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
	if (argc > 1 && !(logits = fopen(argv[1], "wb")))
		return 6;
	if (!refuses_bad_arguments())
		return 2;
	for (uint32_t i = 0; i < model_n_golden; i++) {
		const struct model_golden *g = &model_golden[i];

		model_reset();
		if (model_run(g->ids, g->n, &o))
			return 3;
		worst = compare(&o, g, worst);
		keep(&o, g->n);
		if (!model_info.is_decoder)
			continue;
		if (run_stepwise(g, &o))
			return 4;
		worst = compare(&o, g, worst);
		if (run_in_two(g, &o))
			return 5;
		worst = compare(&o, g, worst);
	}
	if (logits && fclose(logits))
		return 6;
	printf("%.9g %.9g %.9g\n", (double)worst, (double)model_golden_tolerance,
		(double)relative);
	return worst <= model_golden_tolerance ? 0 : 1;
}
