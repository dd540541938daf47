/* The Arm kernel sets against the portable kernels: the tests of x86's themselves, compiled
 * for the machine and run under its emulator; for microcontrollers on an emulated board. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "src/base/buf.h"
#include "src/base/file.h"
#include "src/codegen/kernel_sets.h"
#include "src/codegen/toolchain.h"
#include "tests/unit/cross.h"

static const struct {
	const char *source, *proof; /* a line of its output */
	const char *only;	    /* prefix of the sets that have something of it */
} checks[] = {
	{"tests/unit/test_infer_opt.c", "ok - attention_answers", NULL},
	{"tests/unit/test_infer_attention_dot8.c", "ok - own_kernels_answer", NULL},
	{"tests/unit/test_infer_kept.c", "ok - attention_answers_like_fp32", "armv81m-"},
};
#define N_CHECKS (sizeof(checks) / sizeof(checks[0]))

static const char *const needed[] = {"src/codegen/kernel_sets.c", "src/model/quant.c",
	"src/base/rng.c", "src/base/err.c", NULL};

/* Where a set is run. */
struct machine {
	const struct cross *cross;
	const char *start;   /* what a program begins with, or NULL: the system's */
	const char *link;    /* words of the linker */
	const char *run[10]; /* the emulator's before the program's name */
};

#define BOARD "-display", "none", "-nodefaults", "-nic", "none", "-semihosting", "-kernel"
static const struct cross cortex_m55 = {"armv81m-", "arm-none-eabi-gcc",
	{"qemu-system-arm", "qemu-system-arm"},
	"-mcpu=cortex-m55 -mthumb -mfloat-abi=hard -DTEST_STEP=3"};

static const struct machine arm64 = {&crosses[0], NULL, "-static", {"-cpu", "max"}};
static const struct machine armhf = {&crosses[1], NULL, "-static", {"-cpu", "max"}};
static const struct machine cortexm = {&crosses[3], NULL, "-static", {"-cpu", "max"}};
static const struct machine mps3_an547 = {&cortex_m55, "tests/cross/bare.c",
	"-nostartfiles --specs=rdimon.specs -Ttests/cross/bare.ld",
	{"-M", "mps3-an547", BOARD}};

static char dir[4096];

static int make_dir(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%.4000s/hawser-test-XXXXXX",
		tmp && *tmp ? tmp : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return file_remove_tree(dir, NULL) ? -1 : 0;
}

/* Compiles `source` to DIR/<name>.o and adds that to the objects of a program. */
static void compile(const struct machine *m, const char *flags, const char *source,
	const char *name, struct buf *objects)
{
	struct err_ctx ctx = {""};
	struct args a;

	args_init(&a);
	args_add(&a, m->cross->cc);
	args_add_words(&a, "-std=c11 -D_GNU_SOURCE -DTEST_CROSS -Itests/cross -I. "
			   "-ffunction-sections -O2 -Wall -Wextra -Werror -c");
	args_add_words(&a, m->cross->cflags);
	args_add_words(&a, flags);
	args_add(&a, source);
	args_add(&a, "-o");
	args_printf(&a, "%s/%s.o", dir, name);
	if (toolchain_run(&a, NULL, &ctx))
		fail_msg("%s", ctx.msg);
	args_release(&a);
	buf_printf(objects, " %s/%s.o", dir, name);
}

/* One kernel under the name that the checks call: arm64_neon_linear_i8. */
static void compile_kernel(const struct machine *m, const struct kernel_set *set,
	const char *kernel, struct buf *objects)
{
	char path[512], name[128], flags[512];

	snprintf(name, sizeof(name), "%s_%s", set->isa, kernel);
	for (char *at = name; *at; at++)
		*at = (char)(*at == '-' ? '_' : *at);
	snprintf(flags, sizeof(flags), "%s -D%s=%s", set->cflags, kernel, name);
	assert_int_equal(kernel_source(set, kernel, path, sizeof(path), NULL), 0);
	compile(m, flags, path, name, objects);
}

static void compile_set(
	const struct machine *m, const struct kernel_set *set, struct buf *objects)
{
	const struct kernel_set *base = kernel_set_base(set);

	for (size_t i = 0; set->kernels[i]; i++)
		compile_kernel(m, set, set->kernels[i], objects);
	for (size_t i = 0; base && base->kernels[i]; i++) {
		size_t own = 0;

		while (set->kernels[own] && strcmp(set->kernels[own], base->kernels[i]))
			own++;
		if (!set->kernels[own])
			compile_kernel(m, set, base->kernels[i], objects);
	}
}

static void compile_portable(const struct machine *m, struct buf *objects)
{
	DIR *list = opendir("src/infer/ref");
	struct dirent *d;

	assert_non_null(list);
	while ((d = readdir(list))) {
		char path[512];

		if (!strstr(d->d_name, ".c"))
			continue;
		snprintf(path, sizeof(path), "src/infer/ref/%.200s", d->d_name);
		compile(m, "", path, d->d_name, objects);
	}
	closedir(list);
	if (m->start)
		compile(m, "", m->start, "start", objects);
	for (size_t i = 0; needed[i]; i++)
		compile(m, "", needed[i], strrchr(needed[i], '/') + 1, objects);
}

/* One of the checks, with the kernels that are compiled already. */
static void run_check(
	const struct machine *m, const char *emulator, size_t i, struct buf *kernels)
{
	struct err_ctx ctx = {""};
	char program[4200];
	const char *argv[12] = {emulator};
	size_t n_args = 1;
	struct args link;
	struct buf own, out;

	buf_init(&own);
	compile(m, "", checks[i].source, strrchr(checks[i].source, '/') + 1, &own);
	snprintf(program, sizeof(program), "%s/%schecks%zu", dir, m->cross->prefix, i);
	args_init(&link);
	args_add(&link, m->cross->cc);
	args_add_words(&link, m->cross->cflags);
	args_add_words(&link, m->link);
	args_add_words(&link, "-Wl,--gc-sections -o");
	args_add(&link, program);
	args_add_words(&link, buf_str(&own));
	args_add_words(&link, buf_str(kernels));
	args_add(&link, "-lm");
	if (toolchain_run(&link, NULL, &ctx))
		fail_msg("%s", ctx.msg);
	args_release(&link);
	buf_release(&own);
	buf_init(&out);
	for (; m->run[n_args - 1]; n_args++)
		argv[n_args] = m->run[n_args - 1];
	argv[n_args] = program;
	if (process_run_command(argv, NULL, 300, &out, NULL, &ctx))
		fail_msg("%s: %s", ctx.msg, buf_str(&out));
	assert_non_null(strstr(buf_str(&out), checks[i].proof));
	buf_release(&out);
}

static int runs_on(const struct machine *m, const struct kernel_set *set)
{
	const char *prefix = m->cross->prefix;

	return !strncmp(set->isa, prefix, strlen(prefix));
}

static void check(const struct machine *m)
{
	const char *emulator = cross_ready(m->cross);
	struct buf objects;
	int n = 0;

	if (!emulator)
		skip();
	buf_init(&objects);
	for (size_t i = 0; kernel_set_at(i); i++)
		if (runs_on(m, kernel_set_at(i))) {
			compile_set(m, kernel_set_at(i), &objects);
			n++;
		}
	assert_true(n > 0);
	compile_portable(m, &objects);
	for (size_t i = 0; i < N_CHECKS; i++)
		if (!checks[i].only || !strcmp(checks[i].only, m->cross->prefix))
			run_check(m, emulator, i, &objects);
	buf_release(&objects);
}

static void arm64_kernels_keep_their_contracts(void **state)
{
	(void)state;
	check(&arm64);
}

static void armhf_kernels_keep_their_contracts(void **state)
{
	(void)state;
	check(&armhf);
}

static void cortex_m55_kernels_keep_their_contracts(void **state)
{
	(void)state;
	check(&mps3_an547);
}

static void cortexm_kernels_keep_their_contracts(void **state)
{
	(void)state;
	check(&cortexm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arm64_kernels_keep_their_contracts),
		cmocka_unit_test(armhf_kernels_keep_their_contracts),
		cmocka_unit_test(cortex_m55_kernels_keep_their_contracts),
		cmocka_unit_test(cortexm_kernels_keep_their_contracts),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
