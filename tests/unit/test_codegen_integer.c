/* Networks without floating point: the host's model of each is near the reference, and what
 * is built from it answers bit for bit as the model, on every machine. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "src/codegen/emit.h"
#include "src/codegen/integer.h"
#include "tests/unit/codegen_fixture.h"
#include "tests/unit/cross.h"

struct model_case {
	const char *name;
	struct task_shape task;
	const char *text;
};

#define SLOTS                                                                            \
	{                                                                                \
		TASK_INTENT_SLOTS, 5, 7                                                  \
	}
#define CLASSIFY                                                                         \
	{                                                                                \
		TASK_CLASSIFY, 3, 0                                                      \
	}
#define LM                                                                               \
	{                                                                                \
		TASK_LM, 0, 0                                                            \
	}

/* Odd sizes; every gene at every value that it may have without floating point. */
static const struct model_case models[] = {
	{"int8 pre gelu", CLASSIFY,
		"enc;v=60;t=24;d=32;e=32;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=1;"
		"rel=0;conv=0;opt=O2;kern=opt;as=integer;"
		"L=h2k2x16f64r0b8,h2k2x16f64r0b8"},
	{"int8 pre silu conv rel max", SLOTS,
		"enc;v=50;t=16;d=33;e=33;eb=8;act=silu;norm=ln;place=pre;pool=max;abs=0;"
		"rel=8;conv=3;opt=O2;kern=ref;as=integer;L=h2k1x11f45r0b8,h2k2x11f40r7b8"},
	{"int8 post rms relu shared", SLOTS,
		"enc;v=50;t=16;d=24;e=24;eb=8;act=relu;norm=rms;place=post;pool=mean;abs="
		"1;rel=2;conv=0;opt=Os;kern=ref;as=integer;"
		"L=h3k3x8f50r0b8,h3k3x8f50r0b8s"},
	{"int4 pre rms", SLOTS,
		"enc;v=37;t=11;d=35;e=35;eb=4;act=silu;norm=rms;place=pre;pool=mean;abs="
		"0;rel=4;conv=0;opt=O3;kern=opt;as=integer;L=h2k2x17f67r0b4"},
	{"int4 post factorised conv first", CLASSIFY,
		"enc;v=37;t=11;d=40;e=9;eb=4;act=relu;norm=ln;place=post;pool=first;abs="
		"1;rel=0;conv=7;opt=O2;kern=ref;as=integer;L=h5k5x7f33r13b4"},
	{"mixed bits, opt", SLOTS,
		"enc;v=60;t=20;d=32;e=16;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=8;conv=3;opt=O2;kern=opt;as=integer;"
		"L=h2k2x16f64r0b8,h2k1x16f64r8b8,h4k4x8f64r0b4"},
	{"decoder labels", CLASSIFY,
		"dec;v=40;t=21;d=24;e=24;eb=8;act=gelu;norm=ln;place=post;pool=mean;abs="
		"1;rel=3;conv=3;opt=O2;kern=opt;as=integer;L=h2k1x12f40r0b8"},
	{"decoder int8 factorised", LM,
		"dec;v=64;t=70;d=32;e=10;eb=8;act=silu;norm=rms;place=pre;pool=mean;abs="
		"1;rel=8;conv=3;opt=O2;kern=ref;as=integer;"
		"L=h2k1x16f64r0b8,h2k1x16f64r0b8s"},
	{"decoder int4 post", LM,
		"dec;v=64;t=36;d=33;e=11;eb=4;act=relu;norm=rms;place=post;pool=mean;abs="
		"1;rel=0;conv=0;opt=O2;kern=ref;as=integer;L=h2k2x9f35r6b4"},
	{"decoder full embedding", LM,
		"dec;v=64;t=40;d=24;e=24;eb=4;act=gelu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=0;conv=0;opt=O2;kern=ref;as=integer;L=h2k2x12f35r0b8"},
};
#define N_MODELS (sizeof(models) / sizeof(models[0]))

static void fixture(const struct model_case *m, struct fixture *f)
{
	struct err_ctx ctx = {""};
	struct genome g;

	ASSERT_OK(genome_parse(&g, m->text, &ctx), &ctx);
	assert_int_equal(fixture_init(f, m->text, m->task), 0);
}

/* ---- the model beside the reference */

static double distance(const float *got, const double *want, size_t n)
{
	double largest = 0, worst = 0;

	for (size_t i = 0; i < n; i++) {
		largest = fmax(largest, fabs(want[i]));
		worst = fmax(worst, fabs((double)got[i] - want[i]));
	}
	return worst / (1 + largest);
}

/* The farthest that the model's answers are from the reference's, which knows the same
 * scales; both as golden values are judged. */
static double farthest(const struct fixture *f)
{
	static double intent[8], tags[8 * 128], lm[64];
	struct reference_output want = {intent, tags, lm};
	const struct codegen_input *in = &f->in;
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
		if (got.intent)
			worst = fmax(worst,
				distance(got.intent, intent, (size_t)in->task.n_intents));
		if (got.tags)
			worst = fmax(worst,
				distance(got.tags, tags, x.n * (size_t)in->task.n_tags));
		if (got.lm)
			worst = fmax(worst, distance(got.lm, lm, in->genome->vocab_size));
	}
	integer_model_free(model);
	program_free(p);
	return worst;
}

static void answers_are_near_the_reference(void **state)
{
	unsigned near = 0;

	(void)state;
	for (size_t i = 0; i < N_MODELS; i++) {
		struct fixture f;
		double worst;

		fixture(&models[i], &f);
		worst = farthest(&f);
		print_message("# %-32s off by %.2g\n", models[i].name, worst);
		assert_true(worst <= reference_tolerance(&f.genome));
		near += worst < 0.012;
	}
	assert_true(near * 10 >= N_MODELS * 9);
}

/* ---- the model beside what is built from it */

static void build_for(
	const struct target *t, const struct model_case *m, struct artefact *a)
{
	struct err_ctx ctx = {""};
	struct fixture f;
	int hit;

	fixture(m, &f);
	ASSERT_OK(codegen_build(&f.in, t, shared_cache(), a, &hit, &ctx), &ctx);
}

static void builds_answer_as_the_model(void **state)
{
	static const struct target target = {"gcc", "", "auto", FIXTURE_HARNESS};

	(void)state;
	for (size_t i = 0; i < N_MODELS; i++) {
		struct artefact a;

		build_for(&target, &models[i], &a);
		run_image(&a, models[i].name);
	}
}

/* 32 bits, so that 64-bit sums are two registers. */
static void builds_for_armhf_answer_as_the_model(void **state)
{
	const struct cross *armhf = cross_of("armhf-neon");
	struct target target = {armhf->cc, "-static", "", FIXTURE_HARNESS};
	const char *emulator = cross_ready(armhf);

	(void)state;
	for (size_t i = 0; emulator && i < N_MODELS; i += 2) {
		struct artefact a;

		build_for(&target, &models[i], &a);
		run_image_under(emulator, &a, models[i].name);
	}
}

/* ---- boards */

static const struct board {
	const char *machine, *cpu;
	size_t every; /* of the models */
} boards[] = {
	{"mps2-an385", "-mcpu=cortex-m3 -mfloat-abi=soft", 1}, /* no FPU */
	{"mps2-an386", "-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard", 3},
};

static int boards_are_ready(void)
{
	static const char *const programs[] = {
		"arm-none-eabi-gcc", "arm-none-eabi-nm", "qemu-system-arm"};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (!cross_has(programs[i])) {
			print_message("SKIP: no %s\n", programs[i]);
			return 0;
		}
	return 1;
}

static void run_on_board(const char *machine, const struct artefact *a, const char *name)
{
	const char *const argv[] = {"qemu-system-arm", "-M", machine, "-nographic",
		"-monitor", "none", "-serial", "none", "-semihosting-config",
		"enable=on,target=native", "-kernel", a->path, NULL};
	struct err_ctx ctx = {""};
	struct buf out; /* the emulator puts a board's words there */

	buf_init(&out);
	if (process_run_command(argv, NULL, 60, NULL, &out, &ctx))
		fail_msg("%s, %s: %s (%s)", machine, name, ctx.msg, buf_str(&out));
	assert_string_equal(buf_str(&out), "0 0\n"); /* error, tolerance */
	buf_release(&out);
}

/* What the inference in `dir` calls of the compiler's library, a name a line, and
 * instructions of the FPU in it. */
static void list_calls(const struct board *board, const char *kernels, struct buf *out)
{
	static const char script[] =
		"set -e\ncd \"$1\"\n"
		"arm-none-eabi-gcc -std=c11 -O2 -mthumb $3 -ffunction-sections -I. -I\"$2\" "
		"-nostdlib -r -Wl,--gc-sections -Wl,-u,model_run -Wl,-u,model_reset model.c "
		"\"$2\"/src/infer/\"$4\"/*.c -o inference.o\n"
		"arm-none-eabi-nm -u inference.o | sed 's/ *U //'\n"
		"arm-none-eabi-objdump -d inference.o | grep -oE '\tv[a-z]+\\.[a-z0-9.]*' "
		"|| :\n";
	char home[2048];
	struct err_ctx ctx = {""};
	const char *const argv[] = {
		"sh", "-c", script, "sh", dir, home, board->cpu, kernels, NULL};

	ASSERT_OK(file_home(home, sizeof(home), &ctx), &ctx);
	if (process_run_command(argv, NULL, 60, out, NULL, &ctx))
		fail_msg("%s", ctx.msg);
}

/* Arithmetic of integers, and memory. */
static int is_allowed(const char *line, size_t len)
{
	static const char *const names[] = {"model_weights", "memcpy", "memset",
		"__aeabi_ldivmod", "__aeabi_uldivmod", "__aeabi_lmul", "__aeabi_llsl",
		"__aeabi_llsr", "__aeabi_lasr", "__aeabi_lcmp", "__aeabi_ulcmp"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && !strncmp(names[i], line, len))
			return 1;
	return 0;
}

/* Calls and instructions that compute in floating point, or might. */
static unsigned count_floats(const struct board *board, struct fixture *f)
{
	struct err_ctx ctx = {""};
	struct buf out;
	unsigned n = 0;

	ASSERT_OK(codegen_emit(&f->in, dir, &ctx), &ctx);
	buf_init(&out);
	list_calls(
		board, f->genome.act_scales == SCALES_INTEGER ? "integer" : "ref", &out);
	assert_non_null(strstr(buf_str(&out), "model_weights"));
	for (const char *at = buf_str(&out); *at; at += strspn(at, "\n")) {
		size_t len = strcspn(at, "\n");

		n += !is_allowed(at, len);
		at += len;
	}
	buf_release(&out);
	return n;
}

static void inference_is_without_floating_point(void **state)
{
	static const size_t some[] = {0, 3, 7}; /* int8, int4, a decoder */
	struct fixture f;

	(void)state;
	if (!boards_are_ready())
		return;
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		fixture(&models[some[i]], &f);
		assert_int_equal(count_floats(&boards[0], &f), 0);
	}
	assert_int_equal(count_floats(&boards[1], &f), 0);
	fixture(&models[0], &f);
	f.genome.act_scales = SCALES_STATIC;
	assert_true(count_floats(&boards[0], &f) > 3);
	assert_true(count_floats(&boards[1], &f) > 3);
}

static void builds_for_boards_answer_as_the_model(void **state)
{
	char home[2048], flags[4096];
	struct err_ctx ctx = {""};

	(void)state;
	if (!boards_are_ready())
		return;
	ASSERT_OK(file_home(home, sizeof(home), &ctx), &ctx);
	for (size_t k = 0; k < sizeof(boards) / sizeof(boards[0]); k++) {
		struct target target = {
			"arm-none-eabi-gcc", flags, "auto", "tests/semihost"};

		snprintf(flags, sizeof(flags),
			"%s -mthumb --specs=nosys.specs -T %s/tests/semihost/image.ld",
			boards[k].cpu, home);
		for (size_t i = 0; i < N_MODELS; i += boards[k].every) {
			struct artefact a;

			build_for(&target, &models[i], &a);
			run_on_board(boards[k].machine, &a, models[i].name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_near_the_reference),
		cmocka_unit_test(builds_answer_as_the_model),
		cmocka_unit_test(builds_for_armhf_answer_as_the_model),
		cmocka_unit_test(builds_for_boards_answer_as_the_model),
		cmocka_unit_test(inference_is_without_floating_point),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
