/* Random networks without floating point: the host's model of each is as near to the
 * reference as quantised networks are, and some are built and answer as it does. Under the
 * sanitisers the model shows that no kernel reads too far or overflows.
 *
 *   FUZZ_GENOMES=2000  how many
 *   FUZZ_FIRST=17      the number of the first: to see a fault again
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "src/codegen/emit.h"
#include "src/codegen/integer.h"
#include "tests/fuzz/genome_draw.h"
#include "tests/unit/codegen_fixture.h"

#define SEED 20241
#define N_DEFAULT 150u
#define USUAL 0.02 /* holds for nine of ten networks */

static unsigned from_environment(const char *name, unsigned fallback)
{
	const char *text = getenv(name);

	return text && *text ? (unsigned)strtoul(text, NULL, 10) : fallback;
}

/* The genome as it is, but for what only floating point can do. */
static void draw(struct drawn *d, const struct draw_spaces *spaces, unsigned i)
{
	struct genome *g = &d->genome;

	draw_genome(d, spaces, SEED, i);
	/* A layer norm of two numbers is a sign: as ill-conditioned as can be. */
	g->norm = g->d_model == 2 ? NORM_RMS : g->norm;
	g->act_scales = SCALES_INTEGER;
	g->attn_int8 = 0;
	g->kv = 32;
	g->embed_bits = g->embed_bits == 32 ? 8 : g->embed_bits;
	for (int k = 0; k < g->n_layers; k++)
		g->layer[k].bits = g->layer[k].bits == 32 ? 8 : g->layer[k].bits;
}

static double distance(const float *got, const double *want, size_t n)
{
	double largest = 0, worst = 0;

	for (size_t i = 0; got && i < n; i++) {
		largest = fmax(largest, fabs(want[i]));
		worst = fmax(worst, fabs((double)got[i] - want[i]));
	}
	return worst / (1 + largest);
}

static double farthest(const struct codegen_input *in)
{
	static double intent[32], tags[64 * DRAW_MAX_TOKENS], lm[1024];
	struct reference_output want = {intent, tags, lm};
	struct err_ctx ctx = {""};
	struct act_scales scales;
	struct codegen_input own;
	struct integer_model *model;
	struct program *p;
	double worst = 0;

	ASSERT_OK(codegen_calibrated(in, &own, &scales, &ctx), &ctx);
	ASSERT_OK(program_new(&p, in->genome, &in->task, &ctx), &ctx);
	ASSERT_OK(integer_model_new(&model, p, &in->weights, &scales, &ctx), &ctx);
	for (size_t i = 0, at = 0; i < in->n_golden; at += in->golden_len[i++]) {
		struct reference_input x = {
			in->golden_ids + at, in->golden_len[i], &scales, NULL};
		struct integer_output got;

		ASSERT_OK(reference_run_on(
				  in->genome, &in->task, &in->weights, &x, &want, &ctx),
			&ctx);
		integer_model_run(model, x.ids, x.n, &got);
		worst = fmax(
			worst, distance(got.intent, intent, (size_t)in->task.n_intents));
		worst = fmax(
			worst, distance(got.tags, tags, x.n * (size_t)in->task.n_tags));
		worst = fmax(worst, distance(got.lm, lm, in->genome->vocab_size));
	}
	integer_model_free(model);
	program_free(p);
	return worst;
}

static void random_networks_stay_near_the_reference(void **state)
{
	unsigned first = from_environment("FUZZ_FIRST", 0), usual = 0;
	unsigned n = from_environment("FUZZ_GENOMES", N_DEFAULT);
	struct draw_spaces spaces;
	struct err_ctx ctx = {""};
	double worst = 0;

	(void)state;
	ASSERT_OK(draw_spaces_open(&spaces, &ctx), &ctx);
	for (unsigned i = first; i < first + n; i++) {
		static struct drawn d;
		double off;

		draw(&d, &spaces, i);
		off = farthest(&d.in);
		worst = fmax(worst, off);
		usual += off <= USUAL;
		if (!(off <= reference_tolerance(&d.genome))) {
			struct buf text;

			buf_init(&text);
			draw_describe(&d, &text);
			fail_msg("off by %g, allowed %g: %s", off,
				reference_tolerance(&d.genome), buf_str(&text));
		}
	}
	draw_spaces_close(&spaces);
	print_message("# %u networks in integers from %u: off by at most %.2g; %u within "
		      "%.0e\n",
		n, first, worst, usual, USUAL);
	assert_true(usual * 10 >= n * 9);
}

static void random_networks_build_and_answer_as_the_model(void **state)
{
	static const struct target target = {"gcc", "", "auto", FIXTURE_HARNESS};
	unsigned first = from_environment("FUZZ_FIRST", 0);
	unsigned n = from_environment("FUZZ_GENOMES", N_DEFAULT) / 15;
	struct draw_spaces spaces;
	struct err_ctx ctx = {""};

	(void)state;
	ASSERT_OK(draw_spaces_open(&spaces, &ctx), &ctx);
	for (unsigned i = first; i < first + n; i++) {
		static struct drawn d;
		struct artefact a;
		int hit;

		draw(&d, &spaces, i);
		ASSERT_OK(codegen_build(&d.in, &target, shared_cache(), &a, &hit, &ctx),
			&ctx);
		run_image(&a, "integer");
	}
	draw_spaces_close(&spaces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_networks_stay_near_the_reference),
		cmocka_unit_test(random_networks_build_and_answer_as_the_model),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
