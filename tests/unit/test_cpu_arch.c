/* Kinds of machine: flags by features, builds that a device cannot execute. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <sys/stat.h>

#include "devices/agent/linux/isa.h"
#include "devices/cpu_arch.h"
#include "devices/device.h"
#include "src/eval/target_flags.h"
#include "tests/unit/codegen_fixture.h"
#include "tests/unit/cross.h"

#define NEEDS "devices/boards/isa/needs.c"
#define V2 "pni ssse3 sse4_1 sse4_2 popcnt"
#define V3 V2 " avx avx2 fma f16c bmi1 bmi2 abm movbe"
#define V4 V3 " avx512f avx512cd avx512bw avx512dq avx512vl"
#define A8_2 "asimd atomics crc32 asimdrdm"

static void chooses_flags_by_features(void **state)
{
	static const struct {
		const char *machine, *features, *cflags;
	} cases[] = {
		{"x86_64", V4 " avx512_vnni", "-march=x86-64-v4 -mavx512vnni"},
		{"x86_64", V4, "-march=x86-64-v4"},
		{"x86_64", V3 " avx_vnni", "-march=x86-64-v3 -mavxvnni"},
		{"x86_64", V3 " avx512f avx512_vnni", "-march=x86-64-v3"},
		{"x86_64", V2 " avx avx2 fma", "-march=x86-64-v2"},
		{"x86_64", "", ""},
		{"aarch64", A8_2 " asimdhp asimddp i8mm",
			"-march=armv8.2-a+dotprod+i8mm"},
		{"aarch64", A8_2 " asimddp", "-march=armv8.2-a+dotprod"},
		{"aarch64", "asimd asimddp", "-march=armv8-a"},
		{"armv7l", "neon vfpv4", "-march=armv7-a -mfpu=neon-vfpv4"},
		{"armv8l", "neon", "-march=armv7-a+fp"},
		{"riscv64", "i m a f d c v", "-march=rv64gcv"},
		{"riscv64", "i m a f d c zve", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cpu_arch *t = cpu_arch_find(cases[i].machine);
		const struct cpu_arch_level *l, *last = NULL;
		char text[300];

		snprintf(text, sizeof(text), "arch: %s\nfeatures: %s\nxfeatures: i8mm\n",
			cases[i].machine, cases[i].features);
		l = cpu_arch_level_after(t, NULL, text);
		assert_string_equal(l->cflags, cases[i].cflags);
		for (; l; l = cpu_arch_level_after(t, l, text))
			last = l;
		assert_string_equal(last->features, "");
	}
	assert_null(cpu_arch_find("mips"));
	assert_null(cpu_arch_find("armv7"));
	assert_null(cpu_arch_find(""));
}

/* Each level's flags, as its compiler takes them. */
static void levels_compile_where_the_compiler_is_here(void **state)
{
	static const char *const machines[] = {"x86_64", "aarch64", "armv7l", "riscv64"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		const struct cpu_arch *t = cpu_arch_find(machines[i]);
		const char *cc = cpu_arch_is_native(t) ? "gcc" : t->cc;
		const struct cpu_arch_level *l = t->levels;

		if (!cross_has(cc)) {
			print_message("SKIP: no compiler %s\n", cc);
			continue;
		}
		for (;; l++) {
			char command[400];
			const char *const argv[] = {"sh", "-c", command, NULL};
			struct err_ctx ctx = {""};

			snprintf(command, sizeof(command),
				"echo 'float f(float x) { return x * x; }' | %s %s -O2 "
				"-x c -c -o /dev/null -",
				cc, l->cflags);
			ASSERT_OK(process_run_command(argv, NULL, 60, NULL, NULL, &ctx),
				&ctx);
			if (!l->features[0])
				break;
		}
	}
}

static void put_program(const char *name, const char *text, char *path, size_t cap)
{
	struct err_ctx ctx = {""};

	snprintf(path, cap, "%.3000s/%s", dir, name);
	ASSERT_OK(file_write_atomic(path, text, strlen(text), 0755, &ctx), &ctx);
	assert_int_equal(chmod(path, 0755), 0);
}

static void compiler_that_knows_less_gets_the_next_best_level(void **state)
{
	static const char description[] = "arch: riscv64\nfeatures: i m a f d c v\n";
	const struct cpu_arch *riscv = cpu_arch_find("riscv64");
	struct err_ctx ctx = {""};
	struct target_flags f;
	char cc[4096];

	(void)state;
	put_program("new-cc", "#!/bin/sh\nexit 0\n", cc, sizeof(cc));
	ASSERT_OK(target_flags_find(riscv, cc, description, &f, &ctx), &ctx);
	assert_string_equal(f.cflags, "-march=rv64gcv");
	assert_null(f.refused);
	put_program("old-cc",
		"#!/bin/sh\ncase \"$*\" in *rv64gcv*) echo 'error: -march' >&2; exit 1;; "
		"esac\n",
		cc, sizeof(cc));
	ASSERT_OK(target_flags_find(riscv, cc, description, &f, &ctx), &ctx);
	assert_string_equal(f.cflags, "");
	assert_string_equal(f.refused, "-march=rv64gcv");
	put_program("bad-cc", "#!/bin/sh\nexit 1\n", cc, sizeof(cc));
	assert_int_equal(target_flags_find(riscv, cc, description, &f, &ctx), ERR_TOOL);
	assert_string_equal(f.cflags, "");
}

static void refuses_builds_for_other_machines(void **state)
{
	static const struct {
		const char *arch;
		unsigned char machine, order;
		enum err want;
	} cases[] = {
		{"x86_64", EM_X86_64, ELFDATA2LSB, ERR_OK},
		{"x86_64", EM_386, ELFDATA2LSB, ERR_OK},
		{"x86_64", EM_AARCH64, ELFDATA2LSB, ERR_UNSUPPORTED},
		{"aarch64", EM_AARCH64, ELFDATA2LSB, ERR_OK},
		{"aarch64", EM_ARM, ELFDATA2LSB, ERR_OK},
		{"aarch64", EM_X86_64, ELFDATA2LSB, ERR_UNSUPPORTED},
		{"armv7l", EM_AARCH64, ELFDATA2LSB, ERR_UNSUPPORTED},
		{"riscv64", EM_RISCV, ELFDATA2LSB, ERR_OK},
		{"x86_64", EM_X86_64, ELFDATA2MSB, ERR_UNSUPPORTED},
		{"sparc64", EM_X86_64, ELFDATA2LSB, ERR_OK}, /* the device will tell */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char image[64] = {0x7f, 'E', 'L', 'F', ELFCLASS64};
		struct err_ctx ctx = {{0}};
		char text[64];

		image[EI_DATA] = cases[i].order;
		image[18] = cases[i].machine;
		snprintf(text, sizeof(text), "arch: %s\n", cases[i].arch);
		assert_int_equal(cpu_arch_check_image(text, image, sizeof(image), &ctx),
			cases[i].want);
		if (cases[i].want)
			assert_non_null(strstr(ctx.msg, cases[i].arch));
		for (size_t n = 0; n < 20; n++)
			assert_int_equal(
				cpu_arch_check_image(text, image, n, NULL), ERR_OK);
	}
}

static void refuses_builds_whose_instructions_are_not_reported(void **state)
{
	static const struct {
		const char *arch;
		unsigned char machine;
		const char *features, *needs;
		const char *word, *flag; /* named; NULL: allowed */
	} cases[] = {
		{"x86_64", EM_X86_64, "pni avx2", " avx2=-mavx2 pni=-msse3\n", NULL, ""},
		{"x86_64", EM_X86_64, "pni avx2 avx512f",
			" avx512_vnni=-mavx512vnni avx512f=-mavx512f\n", "'avx512_vnni'",
			"'-mavx512vnni'"},
		{"x86_64", EM_X86_64, "avx512_vnnix", " avx512_vnni=-mavx512vnni\n",
			"'avx512_vnni'", "'-mavx512vnni'"},
		{"x86_64", EM_X86_64, "", " avx2=-mavx2\n", NULL, ""}, /* not told */
		{"x86_64", EM_X86_64, "pni", "\n", NULL, ""},
		{"x86_64", EM_X86_64, "pni", " avx2=-mavx2", NULL, ""}, /* no end */
		{"x86_64", EM_X86_64, "pni", "  = avx2 \n", "''", "''"},
		{"aarch64", EM_AARCH64, "asimd", " i8mm=+i8mm\n", "'i8mm'", "'+i8mm'"},
		/* a 32-bit program on 64 bits: the names differ */
		{"aarch64", EM_ARM, "asimd", " neon=-mfpu=neon\n", NULL, ""},
		{"armv7l", EM_ARM, "vfp", " neon=-mfpu=neon\n", "'neon'", "'-mfpu=neon'"},
		{"riscv64", EM_RISCV, "i m a f d c", " v=v\n", "'v'", "'v'"},
		{"cortex-m4\nboard: b", EM_NONE, "fpu dsp", " mve=+mve dsp=+dsp\n", "'mve'",
			"'+mve'"},
		{"cortex-m4\nboard: b", EM_NONE, "fpu dsp", " dsp=+dsp fpu=x\n", NULL, ""},
		{"cortex-m3\nboard: b", EM_NONE, "none", " fpu=-mfloat-abi=hard\n", "'fpu'",
			"'-mfloat-abi=hard'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char image[256] = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB};
		struct err_ctx ctx = {{0}};
		char text[128];
		size_t len = 64;
		enum err e;

		image[18] = cases[i].machine;
		len += (size_t)snprintf((char *)image + len, sizeof(image) - len,
			"hawser-needs:%s", cases[i].needs);
		snprintf(text, sizeof(text), "arch: %s\nfeatures: %s\n", cases[i].arch,
			cases[i].features);
		e = cpu_arch_check_image(text, image, len, &ctx);
		assert_int_equal(e, cases[i].word ? ERR_UNSUPPORTED : ERR_OK);
		if (cases[i].word) {
			assert_non_null(strstr(ctx.msg, cases[i].word));
			assert_non_null(strstr(ctx.msg, cases[i].flag));
		}
		for (size_t n = 0; n < len; n++) /* cut: no end of the line */
			assert_int_equal(
				cpu_arch_check_image(text, image, n, NULL), ERR_OK);
	}
}

/* The next "word=flag" that needs.c may write; 0 at the end. */
static int next_need(const char **at, char *word, char *flag)
{
	for (const char *s; (s = strchr(*at, '"')); *at = s + 1)
		if (s[1] == ' ') {
			*at = strchr(s + 1, '"') + 1;
			return sscanf(s + 1, " %39[^=]=%39[^\"]", word, flag) == 2;
		}
	return 0;
}

/* What a build may need an agent must know how to report. */
static void agent_reports_every_word_that_builds_may_need(void **state)
{
	static const char *const keys[] = {"flags", "Features", "isa"};
	char word[40], flag[40], root[4096], path[4200], list[1024], want[48];
	struct err_ctx ctx = {""};
	struct buf source, file;
	int n = 0;

	(void)state;
	snprintf(root, sizeof(root), "%.3000s/root", dir);
	snprintf(path, sizeof(path), "%s/proc", root);
	ASSERT_OK(file_mkdirs(path, &ctx), &ctx);
	snprintf(path, sizeof(path), "%s/proc/cpuinfo", root);
	buf_init(&source);
	ASSERT_OK(file_read(NEEDS, 1 << 16, &source, &ctx), &ctx);
	*strstr(buf_str(&source), "/* a board") = '\0';
	for (const char *at = strstr(buf_str(&source), "[] =");
		next_need(&at, word, flag); n++) {
		const char *key = keys[flag[0] == '-' ? 0 : flag[0] == '+' ? 1 : 2];

		buf_init(&file);
		if (strcmp(key, "isa") == 0)
			buf_printf(&file, "hart\t: 0\nisa\t: rv64imafdc%s%s_zicsr\n",
				strlen(word) > 1 ? "_" : "", word);
		else
			buf_printf(
				&file, "%s\t: fpu x%s %s %sx\n", key, word, word, word);
		ASSERT_OK(file_write_atomic(path, file.data, file.len, 0644, &ctx), &ctx);
		buf_release(&file);
		assert_int_equal(isa_features(root, list + 1, sizeof(list) - 2), 1);
		list[0] = ' ';
		strcat(list, " ");
		snprintf(want, sizeof(want), " %s ", word);
		if (!strstr(list, want))
			fail_msg("'%s' is not reported:%s", word, list);
	}
	buf_release(&source);
	assert_true(n >= 45);
	unlink(path);
	assert_int_equal(isa_features(root, list, sizeof(list)), 0);
}

static enum err build_and_send(
	struct device *d, const char *cflags, struct artefact *a, struct err_ctx *ctx)
{
	static const char text[] =
		"enc;v=20;t=4;d=8;e=8;eb=32;act=relu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=0;conv=0;opt=O2;kern=ref;L=h1k1x8f8r0b32";
	struct target t = {"gcc", cflags, "auto", "linux"};
	struct fixture f;
	int hit;

	assert_int_equal(
		fixture_init(&f, text, (struct task_shape){TASK_CLASSIFY, 3, 0}), 0);
	ASSERT_OK(codegen_build(&f.in, &t, shared_cache(), a, &hit, ctx), ctx);
	return device_upload(d, a->path, &a->image, ctx);
}

/* The real thing: every single flag that gcc has for what this machine lacks. */
static void local_refuses_what_it_cannot_execute(void **state)
{
	struct device_profile p = {.name = "local",
		.driver = "local",
		.cpu = "any",
		.timeout_ms = 20000,
		.sensor = "none"};
	char word[40], flag[40], features[1024], want[48];
	struct err_ctx ctx = {""};
	struct artefact a;
	struct device *d;
	struct buf source;
	int n = 0;

	(void)state;
#if !defined(__x86_64__)
	print_message("SKIP: gcc of this machine knows no -mavx2\n");
	skip();
#endif
	ASSERT_OK(device_open(&d, &p, &ctx), &ctx);
	assert_false(device_info(d)->emulated);
	ASSERT_OK(build_and_send(d, "-march=native", &a, &ctx), &ctx);
	features[0] = ' ';
	cpu_arch_line(device_info(d)->description, "features", features + 1,
		sizeof(features) - 2);
	strcat(features, " ");
	buf_init(&source);
	ASSERT_OK(file_read(NEEDS, 1 << 16, &source, &ctx), &ctx);
	for (const char *at = strstr(buf_str(&source), "[] =");
		next_need(&at, word, flag) && n < 2;) {
		snprintf(want, sizeof(want), " %s ", word);
		if (flag[0] != '-' || flag[1] != 'm' || !strncmp(flag, "-mfpu", 5) ||
			strstr(features, want))
			continue;
		assert_int_equal(build_and_send(d, flag, &a, &ctx), ERR_UNSUPPORTED);
		snprintf(want, sizeof(want), "'%s'", flag);
		assert_non_null(strstr(ctx.msg, want));
		assert_non_null(strstr(ctx.msg, word));
		n++;
	}
	buf_release(&source);
	if (!n)
		print_message("SKIP: this machine has every instruction set\n");
	device_close(d);
}

static int setup(void **state)
{
	char agent_cache[4200];

	if (make_dir(state))
		return -1;
	snprintf(agent_cache, sizeof(agent_cache), "%s/agent", dir);
	return setenv("HAWSER_AGENT_CACHE", agent_cache, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chooses_flags_by_features),
		cmocka_unit_test(levels_compile_where_the_compiler_is_here),
		cmocka_unit_test(compiler_that_knows_less_gets_the_next_best_level),
		cmocka_unit_test(refuses_builds_for_other_machines),
		cmocka_unit_test(refuses_builds_whose_instructions_are_not_reported),
		cmocka_unit_test(agent_reports_every_word_that_builds_may_need),
		cmocka_unit_test(local_refuses_what_it_cannot_execute),
	};

	return cmocka_run_group_tests(tests, setup, remove_dir);
}
