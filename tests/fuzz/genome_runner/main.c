/* Runs the models of one batch of tests/fuzz/test_fuzz_genomes.c, all built for one kernel
 * set under the sanitisers. For each: golden answers (a decoder also token by token and in
 * two pieces), bad arguments, and that nothing of a long input is seen in the answer to
 * the short one after it. Prints "INDEX ERROR TOLERANCE RELATIVE" a model, the error as
 * src/model/reference.h defines it (a negative one names what else was wrong), then the
 * largest relative to the largest value of its tensor. The file argv[1] gets every logit,
 * for the comparison of sets. */
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/genome_runner/table.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#endif

enum fault { ACCEPTS_BAD = -1, REFUSES = -2, WRONG_HEADS = -3, REMEMBERS = -4 };

static FILE *logits;
static float relative; /* of the model at hand */

static float size_of(float x)
{
	return x < 0 ? -x : x;
}

/* Not-a-numbers are infinitely wrong. */
static float compare(const float *a, const float *b, uint32_t n, float worst)
{
	float largest = 1e-30f, most = 0;

	for (uint32_t i = 0; a && i < n; i++) {
		float d = size_of(a[i] - b[i]);

		largest = size_of(b[i]) > largest ? size_of(b[i]) : largest;
		most = d <= most ? most : d == d ? d : 1e30f;
	}
	relative = most / largest > relative ? most / largest : relative;
	most /= 1 + largest;
	return most > worst ? most : worst;
}

static float judge(const struct model *m, const struct model_output *o,
	const struct model_golden *g, float worst)
{
	if (!o->intent != !g->intent || !o->tags != !g->tags || !o->lm != !g->lm)
		return WRONG_HEADS;
	worst = compare(o->intent, g->intent, m->info->n_intents, worst);
	worst = compare(o->tags, g->tags, g->n * m->info->n_tags, worst);
	return compare(o->lm, g->lm, m->info->vocab_size, worst);
}

static void keep(
	const struct model *m, const struct model_output *o, const struct model_golden *g)
{
	if (o->intent)
		fwrite(o->intent, sizeof(float), m->info->n_intents, logits);
	if (o->tags)
		fwrite(o->tags, sizeof(float), (size_t)g->n * m->info->n_tags, logits);
	if (o->lm)
		fwrite(o->lm, sizeof(float), m->info->vocab_size, logits);
}

static int refuses_bad_arguments(const struct model *m)
{
	int32_t high = (int32_t)m->info->vocab_size, low = -1, fine = 0;
	struct model_output o;

	m->reset();
	return m->run(&high, 1, &o) == -1 && m->run(&low, 1, &o) == -1 &&
	       m->run(&fine, 0, &o) == -1 &&
	       m->run(&fine, m->info->seq_len + 1, &o) == -1;
}

/* In pieces of `step` tokens. */
static int run_in_steps(const struct model *m, const struct model_golden *g,
	uint32_t step, struct model_output *o)
{
	m->reset();
	for (uint32_t at = 0, n; at < g->n; at += n) {
		n = g->n - at < step ? g->n - at : step;
		if (m->run(g->ids + at, n, o))
			return -1;
	}
	return 0;
}

/* Golden input 0 is short, the last one long: after it the arena is full of other numbers,
 * and the same question has to get the same bits. */
static int remembers(const struct model *m)
{
	static float first[1 << 16];
	const struct model_golden *g = &m->golden[0], *last = g + *m->n_golden - 1;
	struct model_output o;
	size_t bytes;

	if (run_in_steps(m, g, g->n, &o))
		return 1;
	bytes = sizeof(float) * (o.lm ? m->info->vocab_size : m->info->n_intents);
	memcpy(first, o.lm ? o.lm : o.intent, bytes);
	if (run_in_steps(m, last, last->n, &o) || run_in_steps(m, g, g->n, &o))
		return 1;
	return memcmp(first, o.lm ? o.lm : o.intent, bytes) != 0;
}

static float check(const struct model *m)
{
	struct model_output o;
	float worst = 0;

	if (!refuses_bad_arguments(m))
		return ACCEPTS_BAD;
	for (uint32_t i = 0; i < *m->n_golden && worst >= 0; i++) {
		const struct model_golden *g = &m->golden[i];
		uint32_t steps[] = {g->n, 1, g->n * 2 / 3 + 1};

		for (int k = 0; k < (m->info->is_decoder ? 3 : 1) && worst >= 0; k++) {
			if (run_in_steps(m, g, steps[k], &o))
				return REFUSES;
			worst = judge(m, &o, g, worst);
		}
		keep(m, &o, g);
	}
	return worst >= 0 && remembers(m) ? REMEMBERS : worst;
}

int main(int argc, char **argv)
{
	logits = argc == 2 ? fopen(argv[1], "wb") : NULL;
	if (!logits)
		return 2;
	for (uint32_t i = 0; i < n_models; i++) {
		const struct model *m = &models[i];
		float worst;

		/* A kernel that reads behind the weights is caught in the act. */
		if (m->weights_end)
			ASAN_POISON_MEMORY_REGION(m->weights_end, MODEL_REDZONE);
		printf("%u ", (unsigned)m->index);
		fflush(stdout);
		relative = 0;
		worst = check(m);
		printf("%.9g %.9g %.9g\n", (double)worst, (double)*m->tolerance,
			(double)relative);
		fflush(stdout);
	}
	return fclose(logits) ? 2 : 0;
}
