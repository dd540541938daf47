/* Whole models, built and run against the host's reference. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/base/buf.h"
#include "src/codegen/kernel_sets.h"
#include "tests/unit/codegen_fixture.h"
#include "tests/unit/cross.h"

static const struct target target = {"gcc", "", "", FIXTURE_HARNESS};
static const struct task_shape slots = {TASK_INTENT_SLOTS, 5, 7};
static const struct task_shape classify = {TASK_CLASSIFY, 3, 0};
static const struct task_shape lm = {TASK_LM, 0, 0};

struct model_case {
	const char *name;
	const struct task_shape *task;
	const char *text;
};

/* Odd sizes throughout; every gene at every value at least once. */
static const struct model_case models[] = {
	{"post ln relu", &slots,
		"enc;v=40;t=12;d=16;e=16;eb=32;act=relu;norm=ln;place=post;pool=mean;abs="
		"0;"
		"rel=0;conv=0;opt=O2;kern=ref;L=h2k2x8f20r0b32"},
	{"pre rms gelu max", &slots,
		"enc;v=40;t=9;d=13;e=13;eb=32;act=gelu;norm=rms;place=pre;pool=max;abs=1;"
		"rel=3;conv=3;opt=Os;kern=ref;L=h3k1x5f17r0b32,h1k1x7f9r4b32"},
	{"silu first factorised", &classify,
		"enc;v=33;t=7;d=20;e=6;eb=32;act=silu;norm=ln;place=pre;pool=first;abs=1;"
		"rel=0;conv=5;opt=O3;kern=ref;L=h4k2x3f31r5b32"},
	{"int8 pre", &slots,
		"enc;v=50;t=16;d=33;e=33;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=8;conv=3;opt=O2;kern=ref;L=h2k1x11f45r0b8,h2k2x11f40r7b8"},
	{"int8 post", &slots,
		"enc;v=50;t=16;d=24;e=24;eb=8;act=relu;norm=rms;place=post;pool=max;abs="
		"1;"
		"rel=2;conv=0;opt=O2;kern=ref;L=h3k3x8f50r0b8,h3k3x8f50r0b8s"},
	{"int4 pre", &slots,
		"enc;v=37;t=11;d=35;e=35;eb=4;act=silu;norm=rms;place=pre;pool=mean;abs="
		"0;"
		"rel=4;conv=0;opt=O2;kern=ref;L=h2k2x17f67r0b4"},
	{"int4 post factorised conv", &classify,
		"enc;v=37;t=11;d=40;e=9;eb=4;act=relu;norm=ln;place=post;pool=first;abs="
		"1;"
		"rel=0;conv=7;opt=O2;kern=ref;L=h5k5x7f33r13b4"},
	{"mixed bits", &slots,
		"enc;v=60;t=20;d=32;e=16;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=8;conv=3;opt=O2;kern=ref;L=h2k2x16f64r0b32,h2k1x16f64r8b8,"
		"h4k4x8f64r0b4"},
	{"int8 attention", &slots,
		"enc;v=50;t=19;d=33;e=33;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=8;conv=3;opt=O2;kern=ref;attn=8;L=h4k2x11f45r0b8,h3k1x17f40r7b32"},
	{"shared layers", &slots,
		"enc;v=30;t=10;d=16;e=16;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=4;"
		"conv=3;opt=O2;kern=ref;L=h2k2x8f32r0b8,h2k2x8f32r0b8s,h2k2x8f32r0b8s"},
	{"one of everything", &classify,
		"enc;v=8;t=1;d=1;e=1;eb=32;act=relu;norm=rms;place=pre;pool=mean;abs=0;"
		"rel=0;"
		"conv=1;opt=O2;kern=ref;L=h1k1x1f1r1b32"},
	{"causal classifier", &slots,
		"dec;v=30;t=14;d=16;e=16;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=1;"
		"rel=4;"
		"conv=3;opt=O2;kern=ref;L=h2k2x8f32r0b8"},
	{"decoder fp32", &lm,
		"dec;v=45;t=70;d=16;e=16;eb=32;act=gelu;norm=ln;place=pre;pool=mean;abs="
		"1;rel=0;"
		"conv=0;opt=O2;kern=ref;L=h2k2x8f32r0b32,h4k2x4f16r0b32"},
	{"decoder conv rel", &lm,
		"dec;v=45;t=40;d=17;e=17;eb=32;act=silu;norm=rms;place=pre;pool=mean;abs="
		"0;"
		"rel=5;conv=3;opt=O2;kern=ref;L=h3k1x5f19r3b32"},
	{"decoder post conv wide", &lm,
		"dec;v=45;t=33;d=12;e=12;eb=32;act=relu;norm=ln;place=post;pool=mean;abs="
		"1;"
		"rel=2;conv=7;opt=O2;kern=ref;L=h2k2x6f24r0b32"},
	{"decoder int8 factorised", &lm,
		"dec;v=64;t=40;d=32;e=10;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=8;"
		"conv=3;opt=O2;kern=ref;L=h2k1x16f64r0b8,h2k1x16f64r0b8s"},
	{"decoder int4 post factorised", &lm,
		"dec;v=64;t=36;d=33;e=11;eb=4;act=relu;norm=rms;place=post;pool=mean;abs="
		"1;"
		"rel=0;conv=0;opt=O2;kern=ref;L=h2k2x9f35r6b4"},
	{"decoder int8 post", &lm,
		"dec;v=64;t=36;d=24;e=24;eb=8;act=silu;norm=ln;place=post;pool=mean;abs="
		"0;"
		"rel=3;conv=5;opt=O2;kern=ref;L=h2k2x12f40r0b8"},
	{"decoder keeping fp16", &lm,
		"dec;v=45;t=70;d=17;e=17;eb=32;act=gelu;norm=ln;place=pre;pool=mean;abs="
		"1;rel=3;conv=0;opt=O2;kern=ref;kv=16;L=h3k1x5f32r0b32,h4k2x4f16r0b32"},
	{"decoder keeping int8", &lm,
		"dec;v=45;t=70;d=19;e=19;eb=8;act=silu;norm=rms;place=pre;pool=mean;abs="
		"0;rel=0;conv=3;opt=O2;kern=ref;kv=8;L=h3k3x7f32r0b8,h4k2x21f16r0b4"},
	{"causal classifier keeping int8", &slots,
		"dec;v=30;t=14;d=16;e=16;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=1;"
		"rel=4;conv=3;opt=O2;kern=ref;kv=8;L=h2k1x8f32r0b8"},
	{"encoder with a language head", &lm,
		"enc;v=40;t=12;d=16;e=8;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=1;"
		"rel=0;"
		"conv=3;opt=O2;kern=ref;L=h2k2x8f20r0b8"},
	{"demo size", &slots,
		"enc;v=400;t=32;d=64;e=64;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs="
		"0;"
		"rel=8;conv=3;opt=O2;kern=ref;L=h2k2x16f128r0b8,h2k2x16f64r16b8"},
	{"static scales", &slots,
		"enc;v=50;t=19;d=33;e=33;eb=8;act=gelu;norm=ln;place=post;pool=mean;abs="
		"1;rel=2;conv=0;opt=O2;kern=ref;as=static;"
		"L=h2k1x11f45r0b8,h2k2x11f40r0b4"},
	{"static scales factorised mixed", &slots,
		"enc;v=60;t=20;d=32;e=16;eb=4;act=silu;norm=rms;place=pre;pool=max;abs=0;"
		"rel=8;conv=3;opt=O2;kern=ref;attn=8;as=static;"
		"L=h2k2x16f64r0b32,h2k1x16f70r8b8,h4k4x8f50r9b4"},
	{"static scales of shared layers", &classify,
		"enc;v=30;t=10;d=48;e=48;eb=8;act=relu;norm=ln;place=pre;pool=first;abs="
		"0;rel=4;conv=3;opt=O2;kern=ref;as=static;"
		"L=h2k2x8f96r0b8,h2k2x8f96r0b8s,h2k2x8f96r0b8s"},
	{"decoder static factorised", &lm,
		"dec;v=64;t=40;d=32;e=10;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=8;conv=3;opt=O2;kern=ref;kv=8;as=static;"
		"L=h2k1x16f64r0b8,h2k1x16f64r7b4"},
	{"decoder static post", &lm,
		"dec;v=64;t=36;d=24;e=24;eb=4;act=silu;norm=rms;place=post;pool=mean;abs="
		"1;rel=3;conv=0;opt=O2;kern=ref;as=static;L=h2k2x12f40r0b8"},
	{"optimised kernels without an ISA", &slots,
		"enc;v=40;t=12;d=48;e=48;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=0;conv=0;opt=O2;kern=opt;L=h2k2x8f20r0b8"},
};

/* Each model is a build of its own: the first that asks misses every time. */
static void check_hits(size_t n_hits)
{
	size_t n = sizeof(models) / sizeof(models[0]);

	assert_true(n_hits == 0 || (n_hits == n && shared_cache() != cache));
}

static void build_answers_like_the_reference_for_every_gene(void **state)
{
	size_t n_hits = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		struct err_ctx ctx = {""};
		struct artefact a;
		struct fixture f;
		int hit;

		assert_int_equal(fixture_init(&f, models[i].text, *models[i].task), 0);
		ASSERT_OK(codegen_build(&f.in, &target, shared_cache(), &a, &hit, &ctx),
			&ctx);
		n_hits += hit != 0;
		run_image(&a, models[i].name);
		assert_true(a.text_bytes > 100 && a.text_bytes < 100000);
		assert_true(a.bss_bytes >= a.arena_bytes + a.state_bytes);
		assert_int_equal(a.flash_bytes,
			a.text_bytes + a.weight_bytes + a.vocab_bytes + a.data_bytes);
	}
	check_hits(n_hits);
}

static void sub_dir(char *out, size_t cap, const char *name)
{
	struct err_ctx ctx = {""};

	snprintf(out, cap, "%.3000s/%s", dir, name);
	ASSERT_OK(file_mkdirs(out, &ctx), &ctx);
}

static void generated_c_has_no_warnings_under_strict_flags(void **state)
{
	char out[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i += 4) {
		const char *const argv[] = {"gcc", "-std=c11", "-Wall", "-Wextra",
			"-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-I.", NULL,
			"-fsyntax-only", NULL, NULL, NULL};
		const char *args[sizeof(argv) / sizeof(argv[0])];
		char home[4096], include[4200], model[4200], golden[4200];
		struct err_ctx ctx = {""};
		struct fixture f;

		assert_int_equal(fixture_init(&f, models[i].text, *models[i].task), 0);
		sub_dir(out, sizeof(out), "strict");
		ASSERT_OK(codegen_emit(&f.in, out, &ctx), &ctx);
		ASSERT_OK(file_home(home, sizeof(home), &ctx), &ctx);
		snprintf(include, sizeof(include), "-I%s", home);
		snprintf(model, sizeof(model), "%s/model.c", out);
		snprintf(golden, sizeof(golden), "%s/golden.c", out);
		memcpy(args, argv, sizeof(args));
		args[9] = include;
		args[11] = model;
		args[12] = golden;
		ASSERT_OK(process_run_command(args, NULL, 60, NULL, NULL, &ctx), &ctx);
	}
}

static int has_isa(const char *isa)
{
#if defined(__x86_64__)
	if (!strcmp(isa, "x86-avx2"))
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	if (!strcmp(isa, "x86-avxvnni"))
		return __builtin_cpu_supports("avxvnni");
	if (!strcmp(isa, "x86-avx512vnni"))
		return __builtin_cpu_supports("avx512f") &&
		       __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512vl") &&
		       __builtin_cpu_supports("avx512dq") &&
		       __builtin_cpu_supports("avx512vnni");
#endif
	return !*isa;
}

/* Every model with a set's kernels; what the emulator, if any, makes of it. */
static void build_all(const struct target *opt, const char *emulator)
{
	size_t n_hits = 0;

	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		struct err_ctx ctx = {""};
		struct artefact a;
		struct fixture f;
		int hit;

		assert_int_equal(fixture_init(&f, models[i].text, *models[i].task), 0);
		f.genome.kernels = KERNELS_OPT;
		ASSERT_OK(
			codegen_build(&f.in, opt, shared_cache(), &a, &hit, &ctx), &ctx);
		n_hits += hit != 0;
		run_image_under(emulator, &a, models[i].name);
	}
	check_hits(n_hits);
}

static void build_for_each_isa_answers_like_the_reference(void **state)
{
	(void)state;
	for (size_t k = 1; kernel_set_at(k); k++) {
		const char *isa = kernel_set_at(k)->isa;
		struct target opt = {"gcc", "", isa, FIXTURE_HARNESS};

		if (cross_of(isa))
			continue;
		if (has_isa(isa))
			build_all(&opt, NULL);
		else
			print_message("SKIP: this processor is no %s\n", isa);
	}
}

static void build_for_arm_answers_like_the_reference_under_an_emulator(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CROSSES; i++) {
		const struct cross *c = &crosses[i];
		const char *emulator = cross_ready(c);

		for (size_t k = 1; emulator && kernel_set_at(k); k++) {
			const char *isa = kernel_set_at(k)->isa;
			struct target opt = {c->cc, c->cflags, isa, FIXTURE_HARNESS};

			if (cross_of(isa) == c)
				build_all(&opt, emulator);
		}
	}
}

static void auto_takes_the_best_set_for_arm(void **state)
{
	static const char *const cases[][3] = {
		{"aarch64-linux-gnu-gcc", "", "arm64-neon"},
		{"aarch64-linux-gnu-gcc", "-mcpu=cortex-a53", "arm64-neon"},
		{"aarch64-linux-gnu-gcc", "-mcpu=cortex-a76", "arm64-dotprod"},
		{"aarch64-linux-gnu-gcc", "-march=armv8.2-a+dotprod", "arm64-dotprod"},
		{"aarch64-linux-gnu-gcc", "-march=armv8.6-a", "arm64-i8mm"},
		{"arm-linux-gnueabihf-gcc", "", ""},
		{"arm-linux-gnueabihf-gcc", "-mfpu=neon-vfpv4", "armhf-neon"},
		{"arm-linux-gnueabihf-gcc", "-mcpu=cortex-a7", "armhf-neon"},
		{"arm-none-eabi-gcc", "-mcpu=cortex-m3 -mthumb", ""},
		{"arm-none-eabi-gcc",
			"-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard",
			"cortexm-dsp"},
		{"arm-none-eabi-gcc", "-mcpu=cortex-m55 -mthumb -mfloat-abi=hard",
			"armv81m-mve"},
		{"arm-none-eabi-gcc",
			"-mcpu=cortex-m55+nomve.fp -mthumb -mfloat-abi=hard",
			"cortexm-dsp"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct kernel_set *set;
		struct err_ctx ctx = {""};

		if (!cross_has(cases[i][0])) {
			print_message("SKIP: no compiler %s\n", cases[i][0]);
			continue;
		}
		ASSERT_OK(kernel_set_choose("auto", cases[i][0], cases[i][1], &set, &ctx),
			&ctx);
		assert_string_equal(set->isa, cases[i][2]);
	}
}

/* Each thread has its own rows: the bits of one thread. Inputs of fewer rows than threads
 * leave some of them without any. */
static void threads_answer_with_the_bits_of_one(void **state)
{
	size_t n_models = sizeof(models) / sizeof(models[0]);

	(void)state;
	for (size_t k = 0; kernel_set_at(k); k++) {
		struct target t = {"gcc", "", kernel_set_at(k)->isa, FIXTURE_HARNESS};

		if (!has_isa(t.isa))
			continue;
		for (size_t i = 0; i < n_models; i++) {
			int fused = kernel_set_at(k)->fuses & FUSES_STATIC &&
				    strstr(models[i].text, "as=static");
			char said[3][64];

			if (k && i % 2 && !fused)
				continue;
			for (uint32_t n = 1; n <= 3; n++) {
				const char *argv[] = {NULL, "bits", NULL};
				struct err_ctx ctx = {""};
				struct artefact a;
				struct fixture f;
				struct buf out;
				int hit;

				assert_int_equal(
					fixture_init(&f, models[i].text, *models[i].task),
					0);
				f.genome.kernels = k ? KERNELS_OPT : KERNELS_REF;
				f.in.n_threads = n;
				/* A row alone is summed as a decoder's token is; in
				 * earnest a thread has many. */
				f.in.split_rows = 2 * n;
				ASSERT_OK(codegen_build(&f.in, &t, shared_cache(), &a,
						  &hit, &ctx),
					&ctx);
				argv[0] = a.path;
				buf_init(&out);
				ASSERT_OK(process_run_command(
						  argv, NULL, 60, &out, NULL, &ctx),
					&ctx);
				snprintf(said[n - 1], sizeof(said[0]), "%.60s",
					buf_str(&out));
				buf_release(&out);
			}
			if (strcmp(said[0], said[1]) || strcmp(said[0], said[2]))
				fail_msg("%s on %s: %s, %s, %s", models[i].name, t.isa,
					said[0], said[1], said[2]);
		}
	}
}

static void run_under_thread_sanitiser(const char *text)
{
	const char *compile[] = {"sh", "-c", NULL, NULL}, *run[] = {NULL, NULL};
	char out[4096], home[4096], command[16384], image[4200];
	struct err_ctx ctx = {""};
	struct fixture f;

	assert_int_equal(fixture_init(&f, text, lm), 0);
	f.in.n_threads = 3;
	f.in.split_rows = 3;
	sub_dir(out, sizeof(out), "threads");
	ASSERT_OK(file_home(home, sizeof(home), &ctx), &ctx);
	ASSERT_OK(codegen_emit(&f.in, out, &ctx), &ctx);
	snprintf(command, sizeof(command),
		"cd '%s' && H='%s' && gcc -std=gnu11 -O1 -g -fsanitize=thread -I. -I$H "
		"model.c golden.c weights.S $H/src/infer/ref/*.c "
		"$H/src/infer/team/linux.c $H/tests/codegen_harness/main.c -lm -o image",
		out, home);
	compile[2] = "echo 'int main(void) { return 0; }' | "
		     "gcc -fsanitize=thread -x c -o /dev/null -";
	if (process_run_command(compile, NULL, 60, NULL, NULL, &ctx)) {
		print_message("SKIP: gcc has no thread sanitiser\n");
		skip();
	}
	compile[2] = command;
	ASSERT_OK(process_run_command(compile, NULL, 120, NULL, NULL, &ctx), &ctx);
	snprintf(image, sizeof(image), "%s/image", out);
	run[0] = image;
	ASSERT_OK(process_run_command(run, NULL, 120, NULL, NULL, &ctx), &ctx);
}

/* A model of every kind of step. */
static void threads_do_not_race(void **state)
{
	(void)state;
	run_under_thread_sanitiser(
		"dec;v=45;t=40;d=16;e=8;eb=8;act=silu;norm=rms;place=pre;pool=mean;abs=1;"
		"rel=5;conv=3;opt=O2;kern=ref;kv=8;L=h4k2x4f19r0b8,h2k2x8f24r6b4");
	run_under_thread_sanitiser(
		"dec;v=45;t=40;d=16;e=8;eb=8;act=silu;norm=rms;place=pre;pool=mean;abs=1;"
		"rel=5;conv=3;opt=O2;kern=ref;kv=8;as=static;"
		"L=h4k2x4f19r0b8,h2k2x8f24r6b4");
}

static void auto_takes_the_best_set_that_the_flags_allow(void **state)
{
	static const struct {
		const char *isa, *cflags, *set;
	} cases[] = {{"auto", "", ""}, {"", "-mavx2 -mfma", ""},
		{"auto", "-mavx2 -mfma", "x86-avx2"}, {"auto", "-mavx2", ""},
		{"auto", "-march=alderlake", "x86-avxvnni"},
		{"auto", "-march=icelake-server", "x86-avx512vnni"},
		{"x86-avx2", "-march=icelake-server", "x86-avx2"}};

	(void)state;
#if !defined(__x86_64__)
	print_message("SKIP: the compiler of this machine knows no -mavx2\n");
	skip();
#endif
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct kernel_set *set;
		struct err_ctx ctx = {""};

		ASSERT_OK(kernel_set_choose(
				  cases[i].isa, "gcc", cases[i].cflags, &set, &ctx),
			&ctx);
		assert_string_equal(set->isa, cases[i].set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(build_answers_like_the_reference_for_every_gene),
		cmocka_unit_test(generated_c_has_no_warnings_under_strict_flags),
		cmocka_unit_test(build_for_each_isa_answers_like_the_reference),
		cmocka_unit_test(
			build_for_arm_answers_like_the_reference_under_an_emulator),
		cmocka_unit_test(threads_answer_with_the_bits_of_one),
		cmocka_unit_test(threads_do_not_race),
		cmocka_unit_test(auto_takes_the_best_set_that_the_flags_allow),
		cmocka_unit_test(auto_takes_the_best_set_for_arm),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
