/* Random models of the presets' shapes against the double-precision reference, with every
 * kernel set that runs here: how exact a whole model is at the sizes that people use. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "search/space/space.h"
#include "src/codegen/kernel_sets.h"
#include "tests/bench/rates.h"
#include "tests/fuzz/genome_batch.h"
#include "tests/unit/codegen_fixture.h"

/* Of the largest logit. */
#define FP32_RELATIVE 1e-4
#define MAX_TOKENS 128

/* Cuts keep time and disk in bounds; what is summed and how far is as in the preset. */
static const struct {
	const char *preset;
	uint32_t vocab_size; /* 0: the preset's own */
	uint8_t n_layers;    /* 0: as many as it has */
	uint8_t bits[3];     /* up to a 0 */
	uint16_t n_tokens;
	const char *cut;
} cases[] = {
	{"tinybert-4", 0, 0, {32, 8, 4}, 128, ""},
	{"minilm-l6", 0, 0, {32}, 128, ""},
	{"mobilebert", 0, 0, {32, 8}, 64, ", 64 tokens"},
	{"distilgpt-2", 8000, 0, {32, 4}, 40, ", a vocabulary of 8,000, 40 tokens"},
	{"phi-1", 1000, 1, {32}, 16, ", one layer, a vocabulary of 1,000, 16 tokens"},
};

/* All presets are known: a new one is either in the table or a precision of one. */
static void every_preset_is_in_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; preset_name(i); i++) {
		size_t k = 0, n = sizeof(cases) / sizeof(cases[0]);

		while (k < n &&
			strncmp(preset_name(i), cases[k].preset, strlen(cases[k].preset)))
			k++;
		if (k == n)
			fail_msg("preset '%s' is not tested", preset_name(i));
	}
}

struct subject {
	struct genome genome;
	struct random_weights random;
	int32_t ids[MAX_TOKENS];
	uint32_t n_tokens;
	struct codegen_input in;
	char name[160];
};

static void subject_init(struct subject *s, size_t which, int bits)
{
	struct genome *g = &s->genome;
	struct err_ctx ctx = {""};
	struct rng rng;

	memset(s, 0, sizeof(*s));
	ASSERT_OK(preset_find(cases[which].preset, g, &ctx), &ctx);
	if (cases[which].vocab_size)
		g->vocab_size = cases[which].vocab_size;
	if (cases[which].n_layers)
		g->n_layers = cases[which].n_layers;
	g->embed_bits = (uint8_t)bits;
	for (int i = 0; i < g->n_layers; i++)
		g->layer[i].bits = (uint8_t)bits;
	genome_canonicalise(g);
	s->n_tokens = cases[which].n_tokens;
	snprintf(s->name, sizeof(s->name), "%s%s, %s", cases[which].preset,
		cases[which].cut,
		bits == 32  ? "fp32"
		: bits == 8 ? "int8"
			    : "int4");
	rng_init(&rng, 3);
	for (uint32_t i = 0; i < s->n_tokens; i++)
		s->ids[i] = (int32_t)rng_below(&rng, g->vocab_size);
	s->random.seed = 5;
	s->in = (struct codegen_input){
		.genome = g,
		.task = g->arch == ARCH_DECODER
				? (struct task_shape){TASK_LM, 0, 0}
				: (struct task_shape){TASK_INTENT_SLOTS, 7, 15},
		.weights = {fixture_read, &s->random},
		.golden_ids = s->ids,
		.golden_len = &s->n_tokens,
		.n_golden = 1,
		.timed_tokens = s->n_tokens,
	};
	hash_bytes(&s->in.weights_hash, &s->random.seed, sizeof(s->random.seed));
}

/* Builds, runs, removes the build; logits go to `out`. Returns the relative error. */
static double run_with(struct subject *s, const struct kernel_set *set, struct buf *out)
{
	struct target t = {"gcc", "", set->isa, "tests/preset_harness"};
	char logits[4200], *folder;
	struct artefact a;
	const char *argv[] = {a.path, logits, NULL};
	struct err_ctx ctx = {""};
	double worst, tolerance, relative = 0;
	struct buf text;
	int hit;

	s->genome.kernels = *set->isa ? KERNELS_OPT : KERNELS_REF;
	snprintf(logits, sizeof(logits), "%.3000s/logits", dir);
	buf_init(&text);
	ASSERT_OK(codegen_build(&s->in, &t, cache, &a, &hit, &ctx), &ctx);
	if (process_run_command(argv, NULL, 300, &text, NULL, &ctx))
		fail_msg("%s, %s: %s (%s)", s->name, set->isa, ctx.msg, buf_str(&text));
	assert_int_equal(
		sscanf(buf_str(&text), "0 %lf %lf %lf", &worst, &tolerance, &relative),
		3);
	if (!(worst >= 0 && worst <= tolerance))
		fail_msg("%s, %s: %s", s->name, set->isa, buf_str(&text));
	ASSERT_OK(file_read(logits, 0, out, &ctx), &ctx);
	buf_release(&text);
	folder = strrchr(a.path, '/');
	*folder = 0;
	ASSERT_OK(file_remove_tree(a.path, &ctx), &ctx);
	return relative;
}

/* Largest difference, of the largest logit. */
static double apart(const struct buf *a, const struct buf *b)
{
	double most = 0, largest = 1e-30;

	assert_int_equal(a->len, b->len);
	for (size_t i = 0; i < a->len; i += sizeof(float)) {
		float x, y;

		memcpy(&x, a->data + i, sizeof(x));
		memcpy(&y, b->data + i, sizeof(y));
		most = fabs((double)(x - y)) > most ? fabs((double)(x - y)) : most;
		largest = fabs((double)y) > largest ? fabs((double)y) : largest;
	}
	return most / largest;
}

static void check(size_t which, int bits)
{
	static struct subject s;
	struct buf portable, mine;

	buf_init(&portable);
	buf_init(&mine);
	subject_init(&s, which, bits);
	for (size_t k = 0; kernel_set_at(k); k++) {
		const struct kernel_set *set = kernel_set_at(k);
		double relative, difference = 0;

		if (!cpu_runs_set(set))
			continue;
		relative = run_with(&s, set, k ? &mine : &portable);
		if (k) {
			difference = apart(&mine, &portable);
			buf_reset(&mine);
		}
		print_message("# %s, %s: off by %.2g, from the portable kernels %.2g\n",
			s.name, k ? set->isa : "ref", relative, difference);
		if (bits == 32)
			assert_true(relative <= FP32_RELATIVE);
		/* Quantised: both are within the golden tolerance, or the image would
		 * have said so; one from the other no more than that. */
		assert_true(difference <= reference_tolerance(&s.genome));
	}
	buf_release(&portable);
	buf_release(&mine);
}

static void presets_keep_their_precision_with_every_kernel_set(void **state)
{
	size_t n = sizeof(cases) / sizeof(cases[0]);

	(void)state;
#if defined(__SANITIZE_ADDRESS__)
	print_message("SKIP: the larger presets, under sanitisers\n");
	n = 1;
#endif
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < 3 && cases[i].bits[k]; k++)
			check(i, cases[i].bits[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_preset_is_in_the_table),
		cmocka_unit_test(presets_keep_their_precision_with_every_kernel_set),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
